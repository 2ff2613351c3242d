import type { FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';
import { digestField, type Field } from '../model/fields.js';
import type { FileDigests } from './file-digests.js';
import type { Libraries, LoaderContext } from './libraries.js';

/** A file of a compiler and its name in the fingerprint, without `compiler/`. */
export interface CompilerFile {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  /** The libraries that it loads belong to it. */
  readonly withLibraries: boolean;
}

export interface FileFields {
  readonly fields: readonly Field[];
  /** A file that may be executed and not read, or null. */
  readonly unreadable: string | null;
  /** When the files were last looked at, by the clock that never runs backwards. */
  readonly checkedAtMs: number;
}

interface Collection extends Omit<FileFields, 'checkedAtMs'> {
  /** The files in the state for which the fields hold. */
  readonly states: readonly { readonly path: string; readonly stat: FileStat }[];
}

interface Kept {
  readonly collection: Collection;
  /** As of {@link FileFields}. */
  readonly checkedAtMs: number;
}

/**
 * How long a look at the files of a compiler holds for the requests that follow. Worst effect: a compiler that is
 * replaced within this time is taken for its predecessor, as one that is replaced between the look and its start.
 */
const CHECKED_MS = 20;

/**
 * The fields of compiler files. One process asks for the same compiler thousands of times: the answer is kept while
 * every file that was hashed is as it was. A library that appears in an earlier folder during the process is not seen.
 */
export class IdentityFields {
  readonly #host: Host;
  readonly #digests: FileDigests;
  readonly #libraries: Libraries;
  readonly #kept = new Map<string, Kept>();

  constructor(host: Host, digests: FileDigests, libraries: Libraries) {
    this.#host = host;
    this.#digests = digests;
    this.#libraries = libraries;
  }

  of(compiler: readonly CompilerFile[], context: LoaderContext): FileFields {
    const { libraryPath, cwd } = context;
    const key = JSON.stringify([libraryPath, cwd, compiler.map(({ name, path }) => [name, path])]);
    const kept = this.#kept.get(key);
    const nowMs = this.#host.clock.monotonicMs();
    if (kept !== undefined && this.#holds(kept, nowMs)) {
      const isRenewed = nowMs - kept.checkedAtMs >= CHECKED_MS;
      const checkedAtMs = isRenewed ? nowMs : kept.checkedAtMs;
      if (isRenewed) this.#kept.set(key, { ...kept, checkedAtMs });
      return { ...kept.collection, checkedAtMs };
    }
    const collected = new Collected(this.#digests);
    for (const file of compiler) {
      if (!collected.add(file.name, file.path) || !file.withLibraries) continue;
      for (const { name, path } of this.#libraries.of(file.path, context))
        collected.add(`library/${name}`, path);
    }
    const collection = collected.result;
    if (collected.settled) this.#kept.set(key, { collection, checkedAtMs: nowMs });
    return { ...collection, checkedAtMs: nowMs };
  }

  #holds(kept: Kept, nowMs: number): boolean {
    return (
      nowMs - kept.checkedAtMs < CHECKED_MS ||
      kept.collection.states.every(({ path, stat }) => this.#isSame(path, stat))
    );
  }

  #isSame(path: string, before: FileStat): boolean {
    const now = this.#host.files.stat(path);
    return (
      now !== null &&
      now.inode === before.inode &&
      now.ctimeMs === before.ctimeMs &&
      now.mtimeMs === before.mtimeMs &&
      now.bytes === before.bytes &&
      now.device === before.device
    );
  }
}

/** Fields under distinct names, whoever brings them. */
class Collected {
  readonly #digests: FileDigests;
  readonly #fields = new Map<string, Field>();
  /** Path behind each name: a second file of one name gets another name. */
  readonly #paths = new Map<string, string | null>();
  readonly #states: { readonly path: string; readonly stat: FileStat }[] = [];
  #unreadable: string | null = null;
  /** False when a file is so young, or missing, that its state proves nothing. */
  settled = true;

  constructor(digests: FileDigests) {
    this.#digests = digests;
  }

  get result(): Collection {
    return { fields: [...this.#fields.values()], states: this.#states, unreadable: this.#unreadable };
  }

  /** False when this file stands there already. A null path is a file that is not there. */
  add(name: string, path: string | null): boolean {
    let unique = name;
    for (let number = 2; this.#paths.has(unique); number += 1) {
      if (this.#paths.get(unique) === path) return false;
      unique = `${name}#${number}`;
    }
    this.#paths.set(unique, path);
    const field = `compiler/${unique}`;
    this.#fields.set(field, this.#fieldOf(field, path));
    return true;
  }

  #fieldOf(name: string, path: string | null): Field {
    try {
      const found = path === null ? null : this.#digests.digest(path);
      this.settled &&= found?.settled === true;
      if (found === null) return { name, kind: 'absent' };
      this.#states.push({ path: found.path, stat: found.stat });
      return digestField(name, found.digest);
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      this.settled = false;
      this.#unreadable ??= path;
      return { name, kind: 'absent' };
    }
  }
}
