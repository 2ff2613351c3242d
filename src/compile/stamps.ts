import type { FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import type { HomePaths } from '../layouts/vyre/home-paths.js';
import { mismatch, Reader } from '../model/decoder.js';
import type { Signing } from '../model/signing.js';
import { readChecked, writeChecked } from '../store/checked-file.js';

const SCHEMA = 'vyre-cache.stamps/1';
/** Some 200 bytes a stamp: the file stays below 1 MiB. */
const MAX_STAMPS = 4096;
const MAX_BYTES = 4_194_304;
/** A file younger than this may change again without a change of its times: never memoised. */
const MIN_AGE_MS = 2000;

interface Stamp {
  readonly key: string;
  readonly value: string;
}

/** The state of a file for which a memoised fact holds. */
function stampKey(kind: string, realPath: string, stat: FileStat): string {
  return `${kind}\0${realPath}\0${stat.device}\0${stat.inode}\0${stat.bytes}\0${stat.mtimeMs}\0${stat.ctimeMs}`;
}

/** True when the file has been as it is for so long that its times would show a change. */
export function isSettled(stat: FileStat, nowMs: number): boolean {
  return nowMs - Math.max(stat.mtimeMs, stat.ctimeMs) >= MIN_AGE_MS;
}

/**
 * Facts about files that are costly to find out (digest of a compiler, the libraries it names), kept as long as
 * (path, device, inode, size, mtime, ctime) stay the same. The file may be deleted at any time and is rewritten whole;
 * of two processes that write at once the last one wins, which costs the other's facts a second look.
 */
export class Stamps {
  readonly #host: Host;
  /** Null: kept for this process only. */
  readonly #paths: HomePaths | null;
  /** Whoever may write a stamp decides what the files are taken for: with a key only those count that one has signed. */
  readonly #signing: Signing | null;
  readonly #stamps: Map<string, string>;
  #changed = false;

  constructor(host: Host, paths: HomePaths | null, signing: Signing | null = null) {
    this.#host = host;
    this.#paths = paths;
    this.#signing = signing;
    this.#stamps = paths === null ? new Map<string, string>() : load(host, { paths, signing });
  }

  get(kind: string, realPath: string, stat: FileStat): string | null {
    return this.#stamps.get(stampKey(kind, realPath, stat)) ?? null;
  }

  /** Ignored for files that may still change unseen. */
  set(kind: string, realPath: string, stat: FileStat, value: string): void {
    if (!isSettled(stat, this.#host.clock.nowMs())) return;
    this.#stamps.set(stampKey(kind, realPath, stat), value);
    this.#changed = true;
  }

  /** Writes what was learned. Best effort: without it the next process looks at the files again. */
  save(): void {
    if (this.#paths === null || !this.#changed) return;
    const stamps = [...this.#stamps].slice(-MAX_STAMPS).map(([key, value]) => ({ key, value }));
    const file = {
      path: pathOf(this.#paths, this.#signing),
      folder: this.#paths.staging,
      staged: this.#paths.staged(this.#host.random.hex(8)),
      signing: this.#signing,
    };
    this.#changed = !writeChecked(this.#host, file, { schema: SCHEMA, stamps });
  }
}

/** Two files: those who have no key could not read the signed one, and would write theirs in its place. */
function pathOf(paths: HomePaths, signing: Signing | null): string {
  return signing === null ? paths.stamps : paths.signedStamps;
}

function load(
  host: Host,
  { paths, signing }: { readonly paths: HomePaths; readonly signing: Signing | null },
): Map<string, string> {
  const file = { path: pathOf(paths, signing), maxBytes: MAX_BYTES, signing };
  const stamps = readChecked(host, file, readStamps) ?? [];
  return new Map(stamps.map((stamp) => [stamp.key, stamp.value]));
}

function readStamps(reader: Reader): readonly Stamp[] {
  if (reader.text('schema') !== SCHEMA) mismatch('unknown schema');
  const stamps = reader.list('stamps', (value, path) => {
    const item = new Reader(value, path);
    const stamp = { key: item.text('key'), value: item.text('value') };
    item.end();
    return stamp;
  });
  reader.end();
  return stamps;
}
