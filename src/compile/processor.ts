import type { Files } from '../host/files.js';
import { readRegularFile } from '../host/regular-file.js';
import type { Captured } from '../host/processes.js';

const MAX_CPUINFO_BYTES = 4_194_304;
/** What compilers look at for `-march=native`: the model, its caches and what it can do (arm64: the parts in hex). */
const LINES =
  /^(?:vendor_id|cpu family|model|model name|stepping|cache size|flags|CPU implementer|CPU architecture|CPU variant|CPU part|Features)\s*:\s*(.*)$/;
const NVIDIA_SMI = ['/usr/bin/nvidia-smi', '/usr/local/bin/nvidia-smi', '/bin/nvidia-smi'] as const;

/** The model and the abilities of the first processor; null where the platform does not tell. */
export function describeProcessor(files: Files): string | null {
  const read = readRegularFile(files, '/proc/cpuinfo', MAX_CPUINFO_BYTES);
  if (!read.ok) return null;
  const first = read.bytes.toString('utf8').split('\n\n')[0] ?? '';
  const lines = first.split('\n').filter((line) => LINES.test(line));
  return lines.length === 0 ? null : lines.map((line) => line.replace(/\s*:\s*/, ': ')).join('\n');
}

/** Names and compute capabilities of the GPUs, as `nvidia-smi` lists them; null without it. */
export async function describeGpus(
  files: Files,
  ask: (argv: readonly string[]) => Promise<Captured>,
): Promise<string | null> {
  const program = NVIDIA_SMI.find((path) => files.stat(path)?.type === 'file');
  if (program === undefined) return null;
  const answer = await ask([program, '--query-gpu=name,compute_cap', '--format=csv,noheader']);
  const text = answer.stdout.toString('utf8').trim();
  return answer.status === 0 && text !== '' ? text : null;
}
