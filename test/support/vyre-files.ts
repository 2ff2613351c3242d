import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { blake3 } from '@noble/hashes/blake3.js';

/*
 * Files as vyre's writers write them, byte by byte. Each writer gets the folder of its section and makes what is missing
 * of it; keys are hex digits.
 */

export const ADAPTER = 'Vulkan:00001234:00005678:driver:info';
export const LOWERING_CONTRACT = 'vyre-wgpu-lowering-contract:v16:region-phi-named-carrier';
export const POLICY = 'ulp=Some(7):wg=Some([8, 16, 32])';

export function blake3Hex(bytes: Uint8Array | string): string {
  return Buffer.from(blake3(Buffer.from(bytes))).toString('hex');
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** Makes the folder where it is missing. @returns the path of the file. */
export function writeInto(folder: string, name: string, bytes: Uint8Array | string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function writeIntoShard(folder: string, name: string, bytes: Uint8Array | string): string {
  return writeInto(join(folder, name.slice(0, 2)), name, bytes);
}

/** `pipelines/<2hex>/<64hex>.bin`. `store` is the folder of the flat entries. */
export function writeDriverPipeline(store: string, key: string, blob: Uint8Array | string): string {
  return writeIntoShard(store, `${key}.bin`, blob);
}

/** `ptx-source/<2hex>/<64hex>.ptx`. */
export function writePtx(folder: string, key: string, text: Uint8Array | string): string {
  return writeIntoShard(folder, `${key}.ptx`, text);
}

/** The lines of a TOML file by their keys; each value is TOML. */
export type TomlLines = Readonly<Record<string, string>>;

/** The keys of `changes` replaced; those that are null left out. */
export function tomlOf(lines: TomlLines, changes: Readonly<Record<string, string | null>> = {}): string {
  return Object.entries({ ...lines, ...changes })
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key} = ${value}\n`)
    .join('');
}

/** 32 bytes as vyre writes them. */
function byteArray(hex: string): string {
  return `[${Array.from(Buffer.from(hex, 'hex')).join(', ')}]`;
}

export function wgpuTextSidecar(key: string, text: Uint8Array | string): TomlLines {
  return {
    version: '5',
    cache_key: byteArray(key),
    wgsl_bytes: String(Buffer.byteLength(text)),
    adapter_fingerprint: byteArray(blake3Hex(ADAPTER)),
    program_abi_version: '3',
    naga_version: '"29.0.1"',
    wgsl_lowering_contract: `"${LOWERING_CONTRACT}"`,
    policy: `"${POLICY}"`,
    wgsl_blake3: `"${blake3Hex(text)}"`,
  };
}

export function wgpuBlobSidecar(
  key: string,
  text: Uint8Array | string,
  blob: Uint8Array | string,
): TomlLines {
  return {
    version: '5',
    cache_key: byteArray(key),
    adapter_fingerprint: byteArray(blake3Hex(ADAPTER)),
    wgsl_blake3: `"${blake3Hex(text)}"`,
    program_abi_version: '3',
    naga_version: '"29.0.1"',
    blob_bytes: String(Buffer.byteLength(blob)),
    blob_blake3: `"${blake3Hex(blob)}"`,
  };
}

/** `pipeline/<64hex>.wgsl` and its sidecar. */
export function writeWgpuText(folder: string, key: string, text: Uint8Array | string): void {
  writeInto(folder, `${key}.wgsl`, text);
  writeInto(folder, `${key}.wgsl.toml`, tomlOf(wgpuTextSidecar(key, text)));
}

/** `pipeline/<64hex>.pipeline.bin` and its sidecar; the blob was made of `text`. */
export function writeWgpuBlob(
  folder: string,
  key: string,
  { text, blob }: { readonly text: Uint8Array | string; readonly blob: Uint8Array | string },
): void {
  writeInto(folder, `${key}.pipeline.bin`, blob);
  writeInto(folder, `${key}.pipeline.toml`, tomlOf(wgpuBlobSidecar(key, text, blob)));
}

/** Both pairs under one key. vyre gives each pair a key of its own: {@link writeWgpuText}, {@link writeWgpuBlob}. */
export function writeWgpu(
  folder: string,
  key: string,
  { text, blob }: { readonly text: Uint8Array | string; readonly blob: Uint8Array | string },
): void {
  writeWgpuText(folder, key, text);
  writeWgpuBlob(folder, key, { text, blob });
}

export function aotSidecar(text: Uint8Array | string): TomlLines {
  return {
    version: '1',
    spec_hash: `"${blake3Hex('a program')}"`,
    backend_fingerprint: '"wgpu:auto:cached-device:0.6.2"',
    created_unix_ms: '1780000000000',
    wgsl_bytes: String(Buffer.byteLength(text)),
  };
}

/** `aot/<64hex>.wgsl` and its sidecar. */
export function writeAot(folder: string, key: string, text: Uint8Array | string): void {
  writeInto(folder, `${key}.wgsl`, text);
  writeInto(folder, `${key}.toml`, tomlOf(aotSidecar(text)));
}

/** The thirteen numbers of a summary, in their order. */
export const SUMMARY_NUMBERS = [1234, 5, 678, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18] as const;

export function summaryBytes(numbers: readonly (number | bigint)[] = SUMMARY_NUMBERS): Buffer {
  return Buffer.concat([Buffer.from('VYREFCPS'), u32(1), ...numbers.map((number) => u64(number))]);
}

/** `frontend-c-summary/<2hex>/<32hex>.bin`. */
export function writeSummary(folder: string, key: string, bytes: Uint8Array = summaryBytes()): string {
  return writeIntoShard(folder, `${key}.bin`, bytes);
}

/** A C file as vyre's preprocessor knows it. */
export interface ParsedSource {
  readonly path: string;
  /** As it was read. */
  readonly source: string;
  /** Without comments and spliced lines. */
  readonly kept: string;
  readonly tokens: number;
}

export const PARSED_SOURCE: ParsedSource = {
  path: '/usr/include/vyre/h.h',
  source: '#define A 1 /* one */\nint a = A;\n',
  kept: '#define A 1  \nint a = A;\n',
  tokens: 9,
};

function hash128(bytes: string): Buffer {
  return Buffer.from(blake3(Buffer.from(bytes))).subarray(0, 16);
}

/** A `.vct` file in pieces: after each of them it could have been cut. */
export function tokensPieces({
  path,
  source,
  kept,
  tokens,
}: ParsedSource = PARSED_SOURCE): readonly Buffer[] {
  const column = Array.from({ length: tokens }, (_, index) => u32(index));
  return [
    Buffer.from('VYRECTS1'),
    u64(Buffer.byteLength(path)),
    Buffer.from(path),
    u64(Buffer.byteLength(source)),
    hash128(source),
    ...[0, 1, 2, 3].flatMap(() => [u64(tokens), Buffer.concat(column)]),
    u64(Buffer.byteLength(kept)),
    Buffer.from(kept),
  ];
}

/** Nothing, an `#undef OLD`, an `#endif`. */
export const PAYLOADS: readonly Buffer[] = [
  Buffer.from([0]),
  Buffer.concat([Buffer.from([2]), u64(3), Buffer.from('OLD')]),
  Buffer.from([7]),
];

/** A `.vpl` file in pieces. */
export function payloadsPieces(
  { path, source }: ParsedSource = PARSED_SOURCE,
  payloads: readonly Buffer[] = PAYLOADS,
): readonly Buffer[] {
  return [
    Buffer.from('VYREPL02'),
    u64(Buffer.byteLength(path)),
    Buffer.from(path),
    u64(Buffer.byteLength(source)),
    hash128(source),
    // Of no macro at all.
    Buffer.from(blake3(u64(0))).subarray(0, 16),
    u64(payloads.length),
    ...payloads,
  ];
}

/** `parsed-ast/<32hex>.vct` and `.vpl`. vyre gives each a key of its own. */
export function writeAst(folder: string, key: string, parsed: ParsedSource = PARSED_SOURCE): void {
  writeInto(folder, `${key}.vct`, Buffer.concat(tokensPieces(parsed)));
  writeInto(folder, `${key}.vpl`, Buffer.concat(payloadsPieces(parsed)));
}
