import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { Peer } from './peers.js';

/** What a reader has to know about the machine; nothing that names it. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  /** Where the data of the bench lie. */
  readonly fileSystem: string;
  readonly peers: Readonly<Record<string, string | null>>;
}

/** `folder` is where the data lie, `node` the program that runs ours. */
export function describeMachine(folder: string, node: string, peers: Iterable<Peer>): Machine {
  const processors = cpus();
  const installed = Array.from(peers).filter(({ path }) => path !== null);
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryBytes: totalmem(),
    kernel: release().split('-')[0] ?? '',
    node: execFileSync(node, ['--version'], { encoding: 'utf8' }).trim(),
    fileSystem: fileSystemOf(folder, readFileSync('/proc/self/mountinfo', 'utf8')),
    peers: Object.fromEntries(installed.map(({ name, version }) => [name, version])),
  };
}

/** The type of the file system that a folder lies on; `mounts` as in `/proc/self/mountinfo`. */
export function fileSystemOf(folder: string, mounts: string): string {
  let best = { point: '', type: 'unknown' };
  for (const line of mounts.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const point = before.split(' ')[4] ?? '';
    const [type = 'unknown'] = after.split(' ');
    const holds = folder === point || folder.startsWith(point.endsWith('/') ? point : `${point}/`);
    // Of two mounts at one place the later one is seen.
    if (point !== '' && holds && point.length >= best.point.length) best = { point, type };
  }
  return best.type;
}
