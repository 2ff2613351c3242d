import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { VerifyProblem, VerifyReport } from '../../src/maintenance/reports.js';
import type { Fingerprint } from '../../src/model/fingerprint.js';
import { entryBytes, fingerprintFrom, makeArtifact } from './artifacts.js';
import type { TestHome } from './homes.js';
import {
  blake3Hex,
  payloadsPieces,
  summaryBytes,
  tokensPieces,
  u64,
  writeAot,
  writeAst,
  writeDriverPipeline,
  writeInto,
  writePtx,
  writeSummary,
  writeWgpu,
  writeWgpuBlob,
  writeWgpuText,
} from './vyre-files.js';

/** Above every pid that Linux gives. */
const NOBODY = 2 ** 22 + 1;
const TEXT = '@compute @workgroup_size(8) fn main() {}\n';
const BLOB = 'what a driver made of it';

export type Counts = Pick<
  VerifyReport,
  'artifacts' | 'valid' | 'damaged' | 'unverifiable' | 'litter' | 'aliens' | 'unreadable' | 'sealed'
>;

export function countsOf(report: VerifyReport): Counts {
  const { artifacts, valid, damaged, unverifiable, litter, aliens, unreadable, sealed } = report;
  return { artifacts, valid, damaged, unverifiable, litter, aliens, unreadable, sealed };
}

/** 64 hex digits, others for each text. */
export function keyOf(text: string): Fingerprint {
  return fingerprintFrom(blake3Hex(text));
}

/** 32 hex digits. */
function shortKeyOf(text: string): string {
  return blake3Hex(text).slice(0, 32);
}

/** Writes a file with its folders. @returns its path. */
export function write(path: string, content: Uint8Array | string = 'x'): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

/** Puts sound artifacts into every section of a home. @returns what a verification has to count. */
export function fillSections(home: TestHome): Counts {
  const { root, paths } = home;
  for (const text of ['first', 'second']) home.place(makeArtifact(keyOf(text), text));
  home.place({ ...makeArtifact(keyOf('of vyre'), 'of vyre'), record: null });
  home.place({ ...makeArtifact(keyOf('empty'), ''), record: null });
  // A shard may hold the name of a flat entry, and is no entry all the same.
  for (const text of ['first', 'driver'])
    writeDriverPipeline(paths.store, keyOf(text), entryBytes(`shard ${text}`));
  writeWgpuText(join(root, 'pipeline'), keyOf('text'), TEXT);
  writeWgpuBlob(join(root, 'pipeline'), keyOf('blob'), { text: TEXT, blob: BLOB });
  writeWgpu(join(root, 'pipeline'), keyOf('both'), { text: TEXT, blob: BLOB });
  writeAot(join(root, 'aot'), keyOf('aot'), TEXT);
  writePtx(join(root, 'ptx-source'), keyOf('ptx'), '.version 8.0\n// größer\n');
  writeSummary(join(root, 'frontend-c-summary'), shortKeyOf('summary'));
  writeAst(join(root, 'parsed-ast'), shortKeyOf('ast'));
  writeInto(join(root, 'cuda-jit'), 'index', 'of the driver');
  writeInto(join(root, 'cuda-jit', 'ComputeCache', '0', 'a'), 'f', 'of the driver');
  writeInto(join(root, 'ptx-cache'), 'whatever', 'named and not filled');
  return { ...NOTHING, artifacts: 17, valid: 7, unverifiable: 10 };
}

export const NOTHING: Counts = {
  artifacts: 0,
  valid: 0,
  damaged: 0,
  unverifiable: 0,
  litter: 0,
  aliens: 0,
  unreadable: 0,
  sealed: 0,
};

/** Of what {@link fillSections} writes, the artifacts that no rule of removal touches. */
export const OPAQUE_ARTIFACTS = 3;

/** Puts what a crash of each writer leaves into a home. @returns the paths, below the root. */
export function scatterLitter(home: TestHome): readonly string[] {
  const key = keyOf('litter');
  const short = shortKeyOf('litter');
  const shard = key.slice(0, 2);
  const names = [
    `pipelines/.${key}-0.bin.tmp`,
    `pipelines/.${key}.bin.tmp`,
    `pipelines/${key}.bin.tmp`,
    `pipelines/${shard}/${key}.bin.tmp.${NOBODY}.0`,
    `pipeline/${key}.tmp.${NOBODY}_0`,
    `pipeline/${key}.wgsl.tmp.${NOBODY}_1`,
    `pipeline/${key}.pipeline.tmp.${NOBODY}_2`,
    `ptx-source/${shard}/${key}.ptx.${NOBODY}.3.tmp`,
    `frontend-c-summary/${short.slice(0, 2)}/${short}.bin.${NOBODY}.4.tmp`,
    `parsed-ast/${short}.vct.${NOBODY}.5.tmp`,
    `parsed-ast/${short}.vpl.${NOBODY}.6.tmp`,
  ];
  for (const name of names) write(join(home.root, name), 'half of someth');
  const orphan = keyOf('orphan');
  home.place(makeArtifact(orphan, 'gone'));
  unlinkSync(home.entry(orphan));
  return [...names, `pipelines/${orphan}.json`];
}

/** Below the root: what belongs to nobody that we know. Each counts as an alien. */
function alienNames(): readonly string[] {
  const key = keyOf('alien');
  const short = shortKeyOf('alien');
  const [shard, other] = ['ab', 'cd'];
  return [
    'notes.txt',
    '.hidden',
    'CACHEDIR.TAG.old',
    'thesis.pvf',
    'wasmtime_notes',
    `${key}.bin`,
    key,
    'photos/summer.jpg',
    `photos/${key}.bin`,
    `photos/${keyOf('another alien')}.bin`,
    'photos/deep/er/still.jpg',
    'modules/readme.md',
    'quarantine.bak/letter.txt',
    'pipelines.old/x.bin',
    'pipelines/README',
    `pipelines/${key.toUpperCase()}.bin`,
    `pipelines/${key.slice(1)}.bin`,
    `pipelines/${key}.bin.bak`,
    `pipelines/${key}`,
    `pipelines/zz/${key}.bin`,
    `pipelines/${shard}/${other}${key.slice(2)}.bin`,
    `pipelines/${shard}/deep/${shard}${key.slice(2)}.bin`,
    `pipeline/${key}.spv`,
    `pipeline/deep/${key}.wgsl`,
    `aot/${key}.wgsl.bak`,
    `aot/deep/${key}.wgsl`,
    `ptx-source/${key}.ptx`,
    `ptx-source/${shard}/${other}${key.slice(2)}.ptx`,
    `frontend-c-summary/${short}.bin`,
    `frontend-c-summary/${shard}/notes`,
    `parsed-ast/${short}.vct.old`,
    `parsed-ast/${shard}/${short}.vct`,
  ];
}

/** Not looked into by a verification, and no more ours than the others. */
const ALIENS_IN_PRIVATE_PLACES = [
  'quarantine/notes.txt',
  'quarantine/letters/to-a-friend.txt',
  'quarantine/other/reason.json',
  '.vyre-cache/notes.txt',
  '.vyre-cache/requests/readme',
  '.vyre-cache/deps/readme',
  'worker-dir-prepare-mine/diary.txt',
];

export interface Aliens {
  /** How many a verification has to count. */
  readonly counted: number;
  /** Of their tree as it is now: other when a byte, a mode or a time has changed. */
  digest(): string;
}

/** Puts files, folders, links and a pipe of strangers into every place of a home. */
export function scatterAliens({ root }: TestHome, outside: string): Aliens {
  const names = alienNames();
  for (const [index, name] of [...names, ...ALIENS_IN_PRIVATE_PLACES].entries()) {
    const path = write(join(root, name), `alien ${name}\n`);
    chmodSync(path, index % 3 === 0 ? 0o444 : 0o755);
  }
  const target = write(join(outside, 'target'), 'outside');
  const links = ['link', 'pipelines/link', `pipeline/${keyOf('alien')}`, 'aot/link'];
  for (const name of links) symlinkSync(target, join(root, name));
  symlinkSync(outside, join(root, 'pipelines', 'ff'));
  execFileSync('mkfifo', [join(root, 'pipe')]);
  mkdirSync(join(root, 'empty-folder'));
  const all = [
    ...names,
    ...ALIENS_IN_PRIVATE_PLACES,
    ...links,
    'pipelines/ff',
    'pipe',
    'empty-folder',
    'photos/deep',
  ];
  return {
    counted: names.length + links.length + 2,
    digest: () => digestOfPaths(root, all) + digestOfPaths(outside, ['.', 'target']),
  };
}

function digestOfPaths(root: string, names: readonly string[]): string {
  const hash = createHash('sha256');
  for (const name of names.toSorted()) {
    const path = join(root, name);
    const stat = lstatSync(path, { bigint: true });
    let content: Buffer | string = '';
    if (stat.isFile()) content = readFileSync(path);
    else if (stat.isSymbolicLink()) content = readlinkSync(path);
    hash.update(`${name} ${stat.mode} ${stat.mtimeNs} ${stat.ino} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

/** Sets the times of everything below a folder, links too. */
export function touchTree(folder: string, atMs: number): void {
  for (const item of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, item.name);
    if (item.isDirectory()) touchTree(path, atMs);
    lutimesSync(path, atMs / 1000, atMs / 1000);
  }
}

/** Adds artifacts to a home with which something is wrong. @returns the problems that a verification has to name. */
export function plantFaults(home: TestHome): readonly VerifyProblem[] {
  return [
    ...plantInStore(home),
    ...plantInWgpu(join(home.root, 'pipeline')),
    ...plantInAot(join(home.root, 'aot')),
    ...plantInPtx(join(home.root, 'ptx-source')),
    ...plantInSummaries(join(home.root, 'frontend-c-summary')),
    ...plantInAst(join(home.root, 'parsed-ast')),
  ].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function problem(path: string, reason: string, fingerprint: string | null = null): VerifyProblem {
  return { path, layout: 'vyre', fingerprint, reason };
}

function plantInStore(home: TestHome): readonly VerifyProblem[] {
  const of = (text: string, reason: string): VerifyProblem =>
    problem(`pipelines/${keyOf(text)}.bin`, reason, keyOf(text));
  for (const text of ['flipped', 'cut', 'exchanged', 'with', 'blind', 'linked', 'folder'])
    home.place(makeArtifact(keyOf(text), text));
  writeFileSync(home.entry(keyOf('flipped')), entryBytes('flipped').fill('F', 0, 1));
  truncateSync(home.entry(keyOf('cut')), 31);
  const aside = join(home.paths.private, 'aside');
  renameSync(home.entry(keyOf('exchanged')), aside);
  renameSync(home.entry(keyOf('with')), home.entry(keyOf('exchanged')));
  renameSync(aside, home.entry(keyOf('with')));
  writeFileSync(home.record(keyOf('blind')), '{"schema":');
  for (const text of ['linked', 'folder']) unlinkSync(home.entry(keyOf(text)));
  symlinkSync(home.entry(keyOf('first')), home.entry(keyOf('linked')));
  mkdirSync(home.entry(keyOf('folder')));
  const shard = writeDriverPipeline(home.paths.store, keyOf('giant'), '');
  truncateSync(shard, 67_108_865);
  const giant = keyOf('giant');
  return [
    of('flipped', 'bad-checksum'),
    of('cut', 'truncated'),
    of('exchanged', 'record-mismatch'),
    of('with', 'record-mismatch'),
    of('blind', 'unreadable-record'),
    of('linked', 'not-a-file'),
    of('folder', 'not-a-file'),
    problem(`pipelines/${giant.slice(0, 2)}/${giant}.bin`, 'oversized'),
  ];
}

function plantInWgpu(folder: string): readonly VerifyProblem[] {
  const file = (text: string, suffix: string): string => join(folder, `${keyOf(text)}${suffix}`);
  for (const text of ['wgpu checksum', 'wgpu length', 'wgpu half', 'wgpu version'])
    writeWgpu(folder, keyOf(text), { text: TEXT, blob: BLOB });
  for (const text of ['wgpu blob checksum', 'wgpu blob length', 'wgpu blob half'])
    writeWgpuBlob(folder, keyOf(text), { text: TEXT, blob: BLOB });
  writeFileSync(file('wgpu checksum', '.wgsl'), TEXT.replace('8', '9'));
  appendFileSync(file('wgpu length', '.wgsl'), ' ');
  rmSync(file('wgpu half', '.wgsl'));
  const sidecar = file('wgpu version', '.wgsl.toml');
  writeFileSync(sidecar, readFileSync(sidecar, 'utf8').replace('version = 5', 'version = 6'));
  writeFileSync(file('wgpu blob checksum', '.pipeline.bin'), BLOB.replace('w', 'W'));
  truncateSync(file('wgpu blob length', '.pipeline.bin'), 3);
  rmSync(file('wgpu blob half', '.pipeline.toml'));
  writeWgpuText(folder, keyOf('wgpu moved from'), TEXT);
  for (const suffix of ['.wgsl', '.wgsl.toml'])
    renameSync(file('wgpu moved from', suffix), file('wgpu moved', suffix));
  writeWgpuText(folder, keyOf('wgpu of another'), TEXT);
  writeWgpuBlob(folder, keyOf('wgpu of another'), { text: 'fn other() {}', blob: BLOB });
  const at = (text: string, suffix: string, reason: string): VerifyProblem =>
    problem(`pipeline/${keyOf(text)}${suffix}`, reason);
  return [
    at('wgpu checksum', '.wgsl', 'bad-checksum'),
    at('wgpu length', '.wgsl', 'length-mismatch'),
    at('wgpu half', '.wgsl.toml', 'half-pair'),
    at('wgpu version', '.wgsl', 'wrong-version'),
    at('wgpu blob checksum', '.pipeline.bin', 'bad-checksum'),
    at('wgpu blob length', '.pipeline.bin', 'length-mismatch'),
    at('wgpu blob half', '.pipeline.bin', 'half-pair'),
    at('wgpu moved', '.wgsl', 'key-mismatch'),
    at('wgpu of another', '.wgsl', 'sidecar-mismatch'),
  ];
}

function plantInAot(folder: string): readonly VerifyProblem[] {
  for (const text of ['aot length', 'aot half', 'aot bytes', 'aot sidecar'])
    writeAot(folder, keyOf(text), TEXT);
  appendFileSync(join(folder, `${keyOf('aot length')}.wgsl`), ' ');
  rmSync(join(folder, `${keyOf('aot half')}.toml`));
  writeFileSync(
    join(folder, `${keyOf('aot bytes')}.wgsl`),
    Buffer.concat([Buffer.from([0xc0]), Buffer.from(TEXT).subarray(1)]),
  );
  writeFileSync(join(folder, `${keyOf('aot sidecar')}.toml`), 'version = ');
  return [
    problem(`aot/${keyOf('aot length')}.wgsl`, 'length-mismatch'),
    problem(`aot/${keyOf('aot half')}.wgsl`, 'half-pair'),
    problem(`aot/${keyOf('aot bytes')}.wgsl`, 'not-utf8'),
    problem(`aot/${keyOf('aot sidecar')}.wgsl`, 'unreadable-sidecar'),
  ];
}

function plantInPtx(folder: string): readonly VerifyProblem[] {
  writePtx(folder, keyOf('ptx bytes'), Buffer.from([0x2e, 0xff, 0x0a]));
  writePtx(folder, keyOf('ptx cut'), Buffer.from('// größer').subarray(0, 6));
  return ['ptx bytes', 'ptx cut'].map((text) => {
    const key = keyOf(text);
    return problem(`ptx-source/${key.slice(0, 2)}/${key}.ptx`, 'not-utf8');
  });
}

function plantInSummaries(folder: string): readonly VerifyProblem[] {
  const sound = summaryBytes();
  const changed = (at: number, byte: number): Buffer => {
    const bytes = Buffer.from(sound);
    bytes[at] = byte;
    return bytes;
  };
  const faults: readonly (readonly [text: string, bytes: Buffer, reason: string])[] = [
    ['summary magic', changed(0, 0x76), 'bad-magic'],
    ['summary version', changed(8, 2), 'wrong-version'],
    ['summary field', changed(12 + 8 + 4, 1), 'bad-field'],
    ['summary short', sound.subarray(0, 115), 'truncated'],
    ['summary long', Buffer.concat([sound, Buffer.alloc(1)]), 'oversized'],
    ['summary empty', Buffer.alloc(0), 'truncated'],
  ];
  return faults.map(([text, bytes, reason]) => {
    const key = shortKeyOf(text);
    writeSummary(folder, key, bytes);
    return problem(`frontend-c-summary/${key.slice(0, 2)}/${key}.bin`, reason);
  });
}

function plantInAst(folder: string): readonly VerifyProblem[] {
  const tokens = tokensPieces();
  const payloads = payloadsPieces();
  const faults: readonly (readonly [name: string, pieces: readonly Buffer[], reason: string])[] = [
    [`${shortKeyOf('ast magic')}.vct`, [Buffer.from('VYRECTS2'), ...tokens.slice(1)], 'bad-magic'],
    [`${shortKeyOf('ast length')}.vct`, [Buffer.from('VYRECTS1'), u64(2n ** 64n - 1n)], 'truncated'],
    [
      `${shortKeyOf('ast four GiB')}.vct`,
      [Buffer.from('VYRECTS1'), u64(2 ** 32), ...tokens.slice(2)],
      'truncated',
    ],
    [`${shortKeyOf('ast more')}.vct`, [...tokens, Buffer.from('x')], 'trailing-bytes'],
    [`${shortKeyOf('ast magic')}.vpl`, [Buffer.from('VYREPL01'), ...payloads.slice(1)], 'bad-magic'],
    [`${shortKeyOf('ast length')}.vpl`, [Buffer.from('VYREPL02'), u64(2n ** 63n)], 'truncated'],
    [`${shortKeyOf('ast cut')}.vpl`, payloads.slice(0, 6), 'truncated'],
  ];
  return faults.map(([name, pieces, reason]) => {
    writeInto(folder, name, Buffer.concat(pieces));
    return problem(`parsed-ast/${name}`, reason);
  });
}
