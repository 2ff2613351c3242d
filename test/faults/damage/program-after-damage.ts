import { rmSync } from 'node:fs';
import type { CompiledJob, Ended } from '../../support/workbench.js';
import { EXPECTED_OUTCOMES, type UsedHome, type UsedRequest } from './used-home.js';

/** A bug, by our own account. */
const BUG = 70;

/** Commands beside `compile` that read whatever lies in a home. */
function commandsOf(home: UsedHome): readonly (readonly string[])[] {
  return [
    ['verify'],
    ['verify', home.foreignRoot, '--seal'],
    ['stats', '-v'],
    ['stats', '--json'],
    ['ls'],
    ['flush'],
    ['prune', '--ttl', '100d', '--dry-run'],
    ['gc'],
    ['config'],
    ['verify', '--restore', 'f'],
  ];
}

/** What the program does wrong in a home: crashes, words without an explanation, bytes that are not the right ones. */
export interface Wrongs {
  readonly crashes: readonly string[];
  readonly wrongBytes: readonly string[];
  /** Requests that are not answered as before. */
  readonly others: readonly string[];
}

/** Runs every command once, the compilations first. `outputs` are those of the healthy home, by request. */
export async function runEveryCommand(
  home: UsedHome,
  outputs: ReadonlyMap<string, string> | null,
): Promise<Wrongs & { readonly outputs: ReadonlyMap<string, string> }> {
  const [crashes, wrongBytes, others]: string[][] = [[], [], []];
  const found = new Map<string, string>();
  for (const [index, request] of home.requests.entries()) {
    const ended = await compileFresh(home, request);
    crashes?.push(...crashesOf(`compile ${request.name}`, ended));
    const job = jobOf(ended);
    if (job?.outcome !== EXPECTED_OUTCOMES[index])
      others?.push(`${request.name} is ${job?.outcome ?? ended.status}`);
    // A mistake in the settings: nothing was run.
    if (job === null) continue;
    const bytes = [job.exitCode, ...request.request.outputs.map((path) => textOf(home, path))].join('\n');
    found.set(request.name, bytes);
    if (outputs !== null && outputs.get(request.name) !== bytes) wrongBytes?.push(request.name);
  }
  for (const words of commandsOf(home))
    crashes?.push(...crashesOf(words.join(' '), await home.bench.run(words)));
  return { crashes: crashes ?? [], wrongBytes: wrongBytes ?? [], others: others ?? [], outputs: found };
}

async function compileFresh({ bench }: UsedHome, { request, words }: UsedRequest): Promise<Ended> {
  for (const path of request.outputs) rmSync(bench.path(path), { force: true });
  return bench.run(['compile', '--json', ...words]);
}

function jobOf({ stdout }: Ended): CompiledJob | null {
  const text = stdout.toString('utf8');
  if (!text.startsWith('{"schema":"vyre-cache.compile/1"')) return null;
  return (JSON.parse(text) as { readonly jobs: readonly CompiledJob[] }).jobs[0] ?? null;
}

function crashesOf(what: string, { status, signal, stdout, stderr }: Ended): readonly string[] {
  const text = stderr.toString('utf8');
  if (status === null || status === BUG) return [`${what}: ${signal ?? status}: ${text.slice(0, 300)}`];
  if (/^ {4}at /m.test(text)) return [`${what}: a stack: ${text.slice(0, 300)}`];
  if (status > 0 && text.length + stdout.byteLength === 0) return [`${what}: ${status} without a word`];
  return [];
}

function textOf({ bench }: UsedHome, path: string): string {
  try {
    return bench.read(path).toString('base64');
  } catch {
    return 'none';
  }
}
