import { dirname } from 'node:path';
import type { FileStat } from '../../host/files.js';
import { resolvedFrom } from '../file-names.js';
import type { CInclude } from './c-source.js';
import type { MissingPaths, PathLook } from './missing-paths.js';

/** The folders in which a preprocessor looks, in order. Relative ones are relative to `cwd`. */
export interface IncludeFolders {
  readonly cwd: string;
  /** For `"name"` only, behind the folder of the including file (-iquote). */
  readonly quoted: readonly string[];
  readonly folders: readonly string[];
}

/**
 * Finds the files that would be read instead of those that were, if they existed: the same name in an earlier folder.
 * A folder that has the name of a header is passed over by compilers; that it becomes a file is not noticed.
 */
export class ShadowSearch {
  readonly #look: PathLook;
  readonly #include: IncludeFolders;
  /** All of them, and how the resolved paths of the files in each begin. */
  readonly #folders: readonly string[];
  readonly #prefixes: readonly string[];
  /** Absolute paths of the files that were read. */
  readonly #listed: ReadonlySet<string>;
  /** Those to which a directive leads. */
  readonly #explained = new Set<string>();
  readonly #absent = new Set<string>();

  constructor(missing: MissingPaths, include: IncludeFolders, listed: readonly string[]) {
    this.#look = missing.look(include.cwd);
    this.#include = include;
    this.#folders = [...include.quoted, ...include.folders];
    this.#prefixes = this.#folders.map((folder) => this.#prefix(folder));
    this.#listed = new Set(listed.map((path) => resolvedFrom(include.cwd, path)));
  }

  /** What was found so far; a missing folder stands for all that would be in it. */
  get absent(): readonly string[] {
    return [...this.#absent];
  }

  /** A directive in `includer`. One whose name leads to no file that was read was not reached, and adds nothing. */
  addDirective(include: CInclude, includer: string): void {
    const missing: string[] = [];
    let reached = 0;
    for (const candidate of this.#candidates(include, includer)) {
      const absolute = resolvedFrom(this.#include.cwd, candidate);
      if (this.#listed.has(absolute)) {
        this.#explained.add(absolute);
        reached = missing.length;
        if (!include.next) break;
      } else {
        const part = this.#look.missingPart(candidate);
        if (part !== null) missing.push(part);
      }
    }
    for (const part of missing.slice(0, reached)) this.#absent.add(part);
  }

  /** True when a directive that was added leads to a file. */
  explains(path: string): boolean {
    return this.#explained.has(resolvedFrom(this.#include.cwd, path));
  }

  /**
   * The first include of a source may find a precompiled header `name.gch` beside or before each candidate. Returns
   * those that are there.
   */
  addPrecompiled(include: CInclude, includer: string): readonly string[] {
    const found: string[] = [];
    for (const candidate of this.#candidates(include, includer)) {
      const precompiled = `${candidate}.gch`;
      if (!this.addIfAbsent(precompiled)) found.push(precompiled);
      if (this.#listed.has(resolvedFrom(this.#include.cwd, candidate))) break;
    }
    return found;
  }

  /** An operand of `__has_include`: returns the files that may answer it. */
  addProbe(include: CInclude, includer: string): readonly string[] {
    const found: string[] = [];
    for (const candidate of this.#candidates(include, includer)) {
      if (this.addIfAbsent(candidate) || this.typeOf(candidate) !== 'file') continue;
      found.push(candidate);
      // Behind which folder `__has_include_next` begins is not known.
      if (!include.next) break;
    }
    return found;
  }

  /** A file that was read and whose directive is not known: every earlier folder counts, and those in `besides`. */
  addRead(path: string, besides: readonly string[]): void {
    const absolute = resolvedFrom(this.#include.cwd, path);
    for (const [index, prefix] of this.#prefixes.entries()) {
      if (!absolute.startsWith(prefix)) continue;
      const name = absolute.slice(prefix.length);
      for (const earlier of besides) this.addIfAbsent(join(earlier, name));
      for (const earlier of this.#folders.slice(0, index)) this.addIfAbsent(join(earlier, name));
    }
  }

  /** Marks a path as one that must stay empty, by its shallowest missing part. @returns false when something is there. */
  addIfAbsent(path: string): boolean {
    const part = this.#look.missingPart(path);
    if (part !== null) this.#absent.add(part);
    return part !== null;
  }

  #prefix(folder: string): string {
    const absolute = resolvedFrom(this.#include.cwd, folder);
    return absolute === '/' ? '/' : `${absolute}/`;
  }

  *#candidates(include: CInclude, includer: string): Generator<string> {
    if (include.name.startsWith('/')) {
      yield include.name;
      return;
    }
    if (include.quoted) {
      yield join(dirname(includer), include.name);
      for (const folder of this.#include.quoted) yield join(folder, include.name);
    }
    for (const folder of this.#include.folders) yield join(folder, include.name);
  }

  /** What lies at a path, links followed; null when nothing does. */
  typeOf(path: string): FileStat['type'] | null {
    return this.#look.typeOf(path);
  }
}

/** As compilers join: nothing is resolved, so that links and `..` mean what they mean to them. */
function join(folder: string, name: string): string {
  if (folder === '.' || folder === '') return name;
  return folder.endsWith('/') ? `${folder}${name}` : `${folder}/${name}`;
}
