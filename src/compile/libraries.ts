import { dirname, resolve } from 'node:path';
import { statOrNull, type Files } from '../host/files.js';
import { readRegularFile } from '../host/regular-file.js';
import { decodeElfFacts, encodeElfFacts, readElf, type ElfFacts } from './elf.js';
import type { Stamps } from './stamps.js';

/** A shared library that a program loads. */
export interface Library {
  /** The name it was asked for by, with the folder of its variant: `libisl.so.23`. */
  readonly name: string;
  /** Null when the loader would not find it. */
  readonly path: string | null;
}

/** The C library's own parts: they run the compiler and have no say in what it writes. */
const LIBC: ReadonlySet<string> = new Set([
  ...'c m mvec dl pthread rt util resolv nsl anl BrokenLocale thread_db'
    .split(' ')
    .map((name) => `lib${name}`),
  'ld64',
  'linux-vdso',
  'linux-gate',
]);
const LIBC_FAMILY = /^(?:libnss_[a-z]+|ld-linux[a-z0-9-]*)$/;

const MAX_LIBRARIES = 512;
const MAX_CONFIGURATION_BYTES = 65_536;
const MAX_CONFIGURATION_FILES = 256;
const CONFIGURATION = '/etc/ld.so.conf';

const TRIPLETS: ReadonlyMap<number, string> = new Map([
  [62, 'x86_64-linux-gnu'],
  [183, 'aarch64-linux-gnu'],
]);
/** Variants for newer processors: the loader prefers them where the processor allows it. */
const VARIANTS = ['x86-64-v4', 'x86-64-v3', 'x86-64-v2'] as const;

/** True for the C library's own parts. */
export function isLibcName(soname: string): boolean {
  const end = soname.indexOf('.so');
  if (end < 0 || (soname.length > end + 3 && soname[end + 3] !== '.')) return false;
  const name = soname.slice(0, end);
  return LIBC.has(name) || ((name.startsWith('libnss_') || name.startsWith('ld-')) && LIBC_FAMILY.test(name));
}

/** What the loader finds in the process of a program. */
export interface LoaderContext {
  /** LD_LIBRARY_PATH of the program's environment. */
  readonly libraryPath: string | undefined;
  /** Working directory of the program, absolute: relative and empty folders are looked up from here. */
  readonly cwd: string;
}

interface Search {
  readonly file: ElfFacts;
  /** Folder of the file, the value of `$ORIGIN`. */
  readonly origin: string;
  /** RPATH of those who loaded it: the loader tries them too, without a RUNPATH. */
  readonly inheritedRpath: readonly string[];
}

/** Finds the shared libraries of ELF programs as the dynamic loader of glibc does. */
export class Libraries {
  readonly #files: Files;
  readonly #stamps: Stamps;
  #configured: readonly string[] | null = null;
  /** What one walk has seen, by path: the same folders are searched for every library. */
  readonly #seen = new Map<string, ElfFacts | null>();
  /** Of the same walk: where links lead, and which folders have variants. */
  readonly #realPaths = new Map<string, string | null>();
  readonly #withVariants = new Map<string, boolean>();
  /** Folders by the words that name them, for those that depend on no working directory. */
  readonly #named = new Map<string, string>();

  constructor(files: Files, stamps: Stamps) {
    this.#files = files;
    this.#stamps = stamps;
  }

  /**
   * The libraries of an ELF program, with those they need themselves, without the C library's own. Empty for static
   * programs and for files that are no ELF.
   */
  of(program: string, context: LoaderContext): readonly Library[] {
    for (const seen of [this.#seen, this.#realPaths, this.#withVariants]) seen.clear();
    const found = new Map<string, Library>();
    const queue: Search[] = [];
    const root = this.#search(program, []);
    if (root === null) return [];
    queue.push(root);
    const given = { cwd: context.cwd, folders: givenFolders(context, root.origin) };
    for (let search = queue.shift(); search !== undefined; search = queue.shift()) {
      for (const name of search.file.needed) {
        if (isLibcName(name) || found.has(name) || found.size >= MAX_LIBRARIES) continue;
        const paths = this.#find(name, search, given);
        if (paths.length === 0) found.set(name, { name, path: null });
        for (const library of paths) found.set(library.name, library);
        const main = paths.at(-1)?.path ?? null;
        const next =
          main === null ? null : this.#search(main, [...search.inheritedRpath, ...ownRpath(search)]);
        if (next !== null) queue.push(next);
      }
    }
    return [...found.values()];
  }

  #search(path: string, inheritedRpath: readonly string[]): Search | null {
    const file = this.#facts(path);
    if (file === null) return null;
    return { file, origin: dirname(this.#realPath(path) ?? path), inheritedRpath };
  }

  #realPath(path: string): string | null {
    const known = this.#realPaths.get(path);
    if (known !== undefined) return known;
    const realPath = this.#resolveLinks(path);
    this.#realPaths.set(path, realPath);
    return realPath;
  }

  #resolveLinks(path: string): string | null {
    try {
      return this.#files.realpath(path);
    } catch {
      // Best effort: what cannot be resolved cannot be loaded.
      return null;
    }
  }

  #facts(path: string): ElfFacts | null {
    const seen = this.#seen.get(path);
    if (seen !== undefined) return seen;
    // Most folders do not hold it: to look is cheaper than to resolve what is not there.
    const facts = statOrNull(this.#files, path) === null ? null : this.#read(path);
    this.#seen.set(path, facts);
    return facts;
  }

  #read(path: string): ElfFacts | null {
    const realPath = this.#realPath(path);
    const stat = realPath === null ? null : this.#files.lstat(realPath);
    if (realPath === null || stat === null || stat.type !== 'file') return null;
    const kept = this.#stamps.get('elf', realPath, stat);
    const known = kept === null ? undefined : decodeElfFacts(kept);
    if (known !== undefined) return known;
    const facts = readElf(this.#files, realPath);
    this.#stamps.set('elf', realPath, stat, encodeElfFacts(facts));
    return facts;
  }

  /** The plain library last, its variants before it. */
  #find(name: string, search: Search, given: Given): readonly Library[] {
    if (name.includes('/')) {
      const path = resolve(given.cwd, name);
      return this.#fits(path, search) ? [{ name, path }] : [];
    }
    for (const listed of this.#folders(search, given.folders)) {
      const folder = this.#folder(given.cwd, listed);
      const path = `${folder}/${name}`;
      if (!this.#fits(path, search)) continue;
      const variants = (this.#hasVariants(folder) ? VARIANTS : []).map((variant) => ({
        name: `glibc-hwcaps/${variant}/${name}`,
        path: `${folder}/glibc-hwcaps/${variant}/${name}`,
      }));
      return [...variants.filter((variant) => this.#fits(variant.path, search)), { name, path }];
    }
    return [];
  }

  #folder(cwd: string, listed: string): string {
    if (!listed.startsWith('/')) return resolve(cwd, listed);
    const folder = this.#named.get(listed) ?? resolve(listed);
    this.#named.set(listed, folder);
    return folder;
  }

  #hasVariants(folder: string): boolean {
    const answer =
      this.#withVariants.get(folder) ?? statOrNull(this.#files, `${folder}/glibc-hwcaps`) !== null;
    this.#withVariants.set(folder, answer);
    return answer;
  }

  /** The loader skips libraries of another machine. */
  #fits(path: string, search: Search): boolean {
    return this.#facts(path)?.machine === search.file.machine;
  }

  #folders(search: Search, given: readonly string[]): readonly string[] {
    const own = search.file.runpath.length > 0 ? [] : [...search.file.rpath, ...search.inheritedRpath];
    const triplet = TRIPLETS.get(search.file.machine);
    const multiarch = triplet === undefined ? [] : [`/lib/${triplet}`, `/usr/lib/${triplet}`];
    this.#configured ??= configuredFolders(this.#files);
    return [
      ...own.map((folder) => expandOrigin(folder, search.origin)),
      ...given,
      ...search.file.runpath.map((folder) => expandOrigin(folder, search.origin)),
      ...this.#configured,
      ...multiarch,
      '/lib64',
      '/usr/lib64',
      '/lib',
      '/usr/lib',
    ];
  }
}

/** Of the environment of one process. */
interface Given {
  readonly cwd: string;
  /** Of LD_LIBRARY_PATH. */
  readonly folders: readonly string[];
}

/** As glibc: an empty variable names nothing, an empty element names the working directory. */
function givenFolders({ libraryPath }: LoaderContext, origin: string): readonly string[] {
  if (libraryPath === undefined || libraryPath === '') return [];
  return libraryPath.split(/[:;]/).map((folder) => expandOrigin(folder, origin));
}

function ownRpath(search: Search): readonly string[] {
  return search.file.runpath.length > 0
    ? []
    : search.file.rpath.map((folder) => expandOrigin(folder, search.origin));
}

function expandOrigin(folder: string, origin: string): string {
  return folder.replace(/\$(?:ORIGIN\b|\{ORIGIN\})/g, () => origin);
}

/** The folders of `/etc/ld.so.conf` and of what it includes, in order. */
function configuredFolders(files: Files): readonly string[] {
  const folders: string[] = [];
  const queue = [CONFIGURATION];
  for (let count = 0; count < MAX_CONFIGURATION_FILES; count += 1) {
    const path = queue.shift();
    if (path === undefined) break;
    for (const line of configurationLines(files, path)) {
      const included = /^include\s+(.+)$/.exec(line)?.[1];
      if (included === undefined) folders.push(line);
      else queue.push(...includedFiles(files, included));
    }
  }
  return folders;
}

function configurationLines(files: Files, path: string): readonly string[] {
  const read = readRegularFile(files, path, MAX_CONFIGURATION_BYTES);
  if (!read.ok) return [];
  const lines = read.bytes.toString('utf8').split('\n');
  return lines.map((line) => (line.split('#', 1)[0] ?? '').trim()).filter((line) => line !== '');
}

/** Patterns with `*` in their last part only, as distributions write them. */
function includedFiles(files: Files, words: string): readonly string[] {
  return words.split(/\s+/).flatMap((word) => {
    const pattern = word.startsWith('/') ? word : `/etc/${word}`;
    if (!pattern.includes('*')) return [pattern];
    const folder = dirname(pattern);
    const escaped = pattern.slice(folder.length + 1).replace(/[.+?^${}()|[\]\\]/g, '\\$&');
    const expression = new RegExp(`^${escaped.replaceAll('*', '.*')}$`);
    return namesIn(files, folder)
      .filter((name) => expression.test(name))
      .toSorted()
      .map((name) => `${folder}/${name}`);
  });
}

function namesIn(files: Files, folder: string): string[] {
  try {
    return files.readNames(folder);
  } catch {
    // Best effort: a folder that cannot be read configures nothing for the loader either.
    return [];
  }
}
