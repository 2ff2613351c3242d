import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { dirname } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import { pathOf } from '../../compile/file-names.js';
import { statOrNull, type FileStat } from '../../host/files.js';
import { readRegularFile } from '../../host/regular-file.js';
import type { Host } from '../../host/host.js';
import { CacheError, errnoOf } from '../../model/error.js';
import { formatBytes } from '../../model/units.js';
import { printable } from '../rendering/text.js';

/** A million jobs of 256 bytes; a whole manifest is held in memory. */
const MAX_MANIFEST_BYTES = 256 * 1024 * 1024;

export interface ManifestText {
  /** For messages: quoted, or `standard input`. */
  readonly name: string;
  /** Absolute, links resolved: where `cwd` of a job begins. */
  readonly folder: string;
  readonly text: string;
}

export interface ManifestSource {
  /** A path, or `-` for standard input. */
  readonly source: string;
  /** Absolute. */
  readonly cwd: string;
  /** The standard input of this process unless a test has its own. */
  readonly stdin?: Readable;
  readonly signal?: AbortSignal;
  /** The bound, for tests. */
  readonly maxBytes?: number;
}

/**
 * Reads a manifest whole. A pipe or descriptor (`--manifest <(generate)`) belongs to no folder: its jobs begin in the current one, as
 * those of standard input do.
 * @throws CacheError `usage` for what is absent, a folder, too large or not UTF-8; `environment` for what cannot be read.
 */
export async function readManifest(host: Host, options: ManifestSource): Promise<ManifestText> {
  const { source, cwd } = options;
  const maxBytes = options.maxBytes ?? MAX_MANIFEST_BYTES;
  if (source === '-') {
    const name = 'standard input';
    const bytes = await reading(name, async () =>
      collect(options.stdin ?? process.stdin, { ...options, maxBytes }),
    );
    return { name, folder: await folderAt(host, cwd), text: decode(name, bytes, maxBytes) };
  }
  const name = `"${printable(source)}"`;
  if (source === '') throw new CacheError('usage', 'expected a file for --manifest, got ""');
  const path = pathOf(cwd, source);
  const stat = await reading(name, async () => Promise.resolve(host.files.stat(path)));
  if (stat === null) throw new CacheError('usage', `expected a manifest, found nothing at ${name}`);
  if (stat.type === 'directory')
    throw new CacheError('usage', `expected a manifest, found a directory at ${name}`);
  const bytes = await reading(name, async () => readAny(host, { ...options, path, stat, maxBytes }));
  const hasFolder = stat.type === 'file' && !isDescriptor(path);
  const folder = await folderAt(host, hasFolder ? dirname(path) : cwd);
  return { name, folder, text: decode(name, bytes, maxBytes) };
}

async function folderAt(host: Host, path: string): Promise<string> {
  return reading(`the folder "${printable(path)}"`, async () => Promise.resolve(host.files.realpath(path)));
}

/** `/dev/stdin` and its like lie beside no source. */
function isDescriptor(path: string): boolean {
  return /^\/(?:dev|proc)\//.test(path);
}

/** The file of a manifest that is the same as long as its file is; null for others. */
export function manifestFile({ files }: Host, { source, cwd }: ManifestSource): FileStat | null {
  const path = pathOf(cwd, source);
  const there = source === '-' || isDescriptor(path) ? null : statOrNull(files, path);
  return there?.type === 'file' ? there : null;
}

/** Null when there is more than the bound. */
type Bytes = Uint8Array | null;

interface Bounded {
  readonly signal?: AbortSignal;
  readonly maxBytes: number;
}

async function readAny(
  host: Host,
  file: Bounded & { readonly path: string; readonly stat: FileStat },
): Promise<Bytes> {
  const { path, stat, maxBytes } = file;
  if (stat.type !== 'file') {
    return collect(createReadStream(path), file);
  }
  const read = readRegularFile(host.files, host.files.realpath(path), maxBytes);
  if (read.ok) return read.bytes;
  if (read.reason === 'oversized') return null;
  throw new CacheError('environment', `"${printable(path)}" cannot be read (${read.reason})`);
}

/** Who interrupts us does not want to type the end of the input as well, nor wait for somebody to open a pipe. */
async function collect(input: Readable, { maxBytes, signal }: Bounded): Promise<Bytes> {
  if (signal === undefined) return collectAll(input, maxBytes);
  signal.throwIfAborted();
  addAbortSignal(signal, input);
  return new Promise((resolve, reject) => {
    // A stream that is being opened does not hear of it before somebody opens the other end.
    const onAbort = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    void collectAll(input, maxBytes)
      .then(resolve, reject)
      .finally(() => {
        signal.removeEventListener('abort', onAbort);
      });
  });
}

async function collectAll(input: Readable, maxBytes: number): Promise<Bytes> {
  const found: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of input as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) return null;
    found.push(chunk);
  }
  return Buffer.concat(found, bytes);
}

async function reading<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    throw new CacheError('environment', `${name} cannot be read (${errno})`, { cause: error });
  }
}

/** Without the mark that some editors put first. */
function decode(name: string, bytes: Bytes, maxBytes: number): string {
  if (bytes === null) {
    throw new CacheError(
      'usage',
      `expected a manifest of at most ${formatBytes(maxBytes)}, got more in ${name}`,
      {
        hint: 'Split it into several manifests.',
      },
    );
  }
  if (!isUtf8(bytes)) {
    throw new CacheError(
      'usage',
      `expected UTF-8 in ${name}, got other bytes on line ${lineOfOtherBytes(bytes)}`,
    );
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

const NEWLINE = 0x0a;

/** From 1. No character of several bytes contains the byte of a newline. */
function lineOfOtherBytes(bytes: Uint8Array): number {
  let line = 1;
  for (let start = 0; ; line += 1) {
    const newline = bytes.indexOf(NEWLINE, start);
    if (newline < 0 || !isUtf8(bytes.subarray(start, newline))) return line;
    start = newline + 1;
  }
}
