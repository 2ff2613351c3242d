import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { blake3 } from '@noble/hashes/blake3.js';
import { findTool } from './tools.js';

/** What the zstd program makes of this content, with these options; level 3 and no checksum as wasmtime writes. */
export function zstd(content: Uint8Array, ...options: readonly string[]): Buffer {
  const { status, stdout, stderr } = spawnSync(
    findTool('zstd') ?? 'zstd',
    ['-q', '-c', '--no-check', ...options],
    { input: content, maxBuffer: 2 ** 31 - 1 },
  );
  if (status !== 0) throw new Error(`zstd: ${stderr.toString()}`);
  return stdout;
}

export function blake3Hex(content: Uint8Array): string {
  return Buffer.from(blake3(content)).toString('hex');
}

/** 64 hex digits that belong to this text. */
export function hexOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A name as wasmtime gives it to a module. */
export function moduleName(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/** Bytes like those of machine code: the same for the same text, neither random nor a mere repetition. */
export function codeBytes(text: string, bytes: number): Buffer {
  const words = Array.from({ length: 64 }, (_, index) =>
    createHash('sha256')
      .update(`${text} ${index}`)
      .digest()
      .subarray(0, 3 + (index % 9)),
  );
  const chunks: Buffer[] = [];
  let made = 0;
  for (let state = 1; made < bytes;) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const word = words[(state >>> 16) % words.length] ?? Buffer.alloc(1);
    chunks.push(word);
    made += word.length;
  }
  return Buffer.concat(chunks).subarray(0, bytes);
}

interface WasmtimeModule {
  /** What its name is made of. */
  readonly code: string;
  readonly content?: Buffer;
  /** Null: no statistics beside it. */
  readonly usages?: number | null;
  /** Folder below `modules`. */
  readonly compiler?: string;
}

const WASMTIME_MODULES: readonly WasmtimeModule[] = [
  { code: 'first', usages: 1 },
  { code: 'second', usages: 300 },
  { code: 'third', usages: null, compiler: 'wasmtime-cranelift-36.0.2-1712345678901' },
];

/** A directory of wasmtime: its modules with their statistics, and the certificate of a cleanup. Paths of the modules. */
export function writeWasmtime(
  folder: string,
  modules: readonly WasmtimeModule[] = WASMTIME_MODULES,
): readonly string[] {
  mkdirSync(join(folder, 'modules'), { recursive: true });
  writeFileSync(join(folder, '.cleanup.wip-4711'), '');
  return modules.map(({ code, content, usages = 1, compiler = 'cranelift-31.0.0' }) => {
    const place = join(folder, 'modules', compiler);
    mkdirSync(place, { recursive: true });
    const path = join(place, moduleName(code));
    writeFileSync(path, zstd(content ?? codeBytes(code, 40_000)));
    if (usages !== null)
      writeFileSync(
        `${path}.stats`,
        `usages = ${usages}\noptimized-compression = ${usages > 256 ? 20 : 3}\n`,
      );
    return path;
  });
}

/** A `pvf-artifacts`: an artifact of each kind of name, and a worker's folder. Paths of the artifacts. */
export function writePvf(folder: string): readonly string[] {
  mkdirSync(join(folder, 'worker-dir-prepare-Xy12Ab'), { recursive: true });
  writeFileSync(join(folder, 'worker-dir-prepare-Xy12Ab', 'tmp-artifact'), '');
  const content = codeBytes('persistent', 30_000);
  const names = [
    [`0x${hexOf('a')}${hexOf('b')}.pvf`, codeBytes('current', 50_000)],
    [`1.0.0-abc1234_0x${hexOf('code')}_0x${hexOf('params')}_0x${blake3Hex(content)}`, content],
    [`wasmtime_v8.0.1_0x${hexOf('code')}_0x${hexOf('params')}`, codeBytes('old', 20_000)],
  ] as const;
  return names.map(([name, bytes]) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  });
}

/** An artifact of wasmer's own kind: magic, metadata header, payload. */
export function wasmerArtifact(
  payload: Uint8Array,
  header: { readonly version?: number; readonly bytes?: number; readonly magic?: string } = {},
): Buffer {
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32LE(header.version ?? 11, 0);
  numbers.writeUInt32LE(header.bytes ?? payload.length, 4);
  return Buffer.concat([Buffer.from(`wasmer-universal${header.magic ?? 'WASMER\0\0'}`), numbers, payload]);
}

/** A directory of wasmer's FileSystemCache: an artifact with a header, one without, an empty one. Their paths. */
export function writeWasmer(folder: string): readonly string[] {
  mkdirSync(folder, { recursive: true });
  const names = [
    [blake3Hex(Buffer.from('first')), wasmerArtifact(codeBytes('first', 10_000))],
    [blake3Hex(Buffer.from('second')), codeBytes('second', 10_000)],
    [blake3Hex(Buffer.from('failed')), Buffer.alloc(0)],
  ] as const;
  return names.map(([name, bytes]) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  });
}

/** A directory of wasix's runtime: two modules in the folder of an engine, one beside it. Their paths. */
export function writeWasix(folder: string): readonly string[] {
  const engine = join(folder, 'cranelift-x86_64-wasmer-universal-v11');
  mkdirSync(engine, { recursive: true });
  const paths = [
    join(engine, '0123456789ABCDEF.bin'),
    join(engine, 'FEDCBA9876543210.bin'),
    join(folder, '00112233445566FF.bin'),
  ];
  for (const path of paths) writeFileSync(path, wasmerArtifact(codeBytes(path, 10_000)));
  return paths;
}
