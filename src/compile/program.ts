import { CacheError, errnoOf } from '../model/error.js';
import { statOrNull, type Files, type FileStat } from '../host/files.js';
import { readHead } from './elf.js';
import { basename, dirname, resolve } from 'node:path';

/** Where a program is looked for. */
export interface ProgramRequest {
  /** As it was typed, argument 0. */
  readonly typed: string;
  /** The value of PATH; undefined or empty finds nothing but paths. */
  readonly searchPath: string | undefined;
  /** Absolute. */
  readonly cwd: string;
  readonly files: Files;
}

/** The kernel refuses deeper chains of interpreters than four; a proxy such as `env` adds one link each. */
const MAX_INTERPRETERS = 8;
/** The kernel reads 256 bytes of a `#!` line. */
const MAX_SHEBANG_BYTES = 256;

const ELF_MAGIC = Buffer.from('\x7fELF', 'latin1');

/**
 * Shells and interpreters: the same file runs every script, so its digest says nothing about what is run. `make` and
 * its like run whatever a file in the working directory names.
 */
const INTERPRETERS: ReadonlySet<string> = new Set(
  (
    'sh bash dash zsh ksh mksh ash fish csh tcsh rbash python pypy node nodejs deno bun bunx java javaw perl ruby ' +
    'jruby php lua luajit tclsh wish expect Rscript R julia guile racket sbcl clisp ocaml ghci runghc runhaskell ' +
    'scala groovy kotlin elixir erl escript awk gawk mawk nawk sed m4 dotnet mono pwsh make gmake ninja cmake npm npx ' +
    'pnpm yarn tsx ts-node uv poetry pipx bazel cargo go gradle mvn meson scons rake just'
  ).split(' '),
);

/** Programs that start another one: their digest says nothing about the one they start. */
const PROXIES: ReadonlySet<string> = new Set(
  (
    'ccache sccache distcc icecc icecream buildcache cachepot fastbuild goma gomacc reclient rewrapper env nice ionice ' +
    'chrt time taskset numactl sudo doas su runuser nohup setsid stdbuf timeout xargs parallel strace ltrace gdb perf ' +
    'valgrind unshare nsenter chroot bwrap firejail proot fakeroot systemd-run flock setarch linux32 linux64 ' +
    'busybox toybox coreutils libtool libtoolize pkgconf qemu-x86_64 qemu-aarch64 rustup pyenv rbenv nodenv asdf mise ' +
    'volta direnv nix nix-shell docker podman ssh wine box64'
  ).split(' '),
);

/** `python3.11`, `perl5.36`, `node-20`: the name without its version. */
function withoutVersion(name: string): string {
  return name.replace(/[-_.]?[0-9][0-9.]*$/, '');
}

/** True for the base name of a program that runs code of others and so has no identity of its own. */
export function isInterpreterName(baseName: string): boolean {
  return INTERPRETERS.has(baseName) || INTERPRETERS.has(withoutVersion(baseName));
}

/** True for the base name of a program that only starts another one: `ccache`, `env`, `sudo`, `busybox`. */
export function isProxyName(baseName: string): boolean {
  return PROXIES.has(baseName) || PROXIES.has(withoutVersion(baseName));
}

/** True when somebody may execute it; whether we may is seen when it starts. */
function isExecutable(stat: FileStat): boolean {
  return stat.type === 'file' && (stat.mode & 0o111) !== 0;
}

/**
 * The absolute path of a program as a shell would find it: a name with a slash is relative to `cwd`, any other is
 * looked for in the folders of `searchPath` in order, where an empty element is `cwd`. Links are not resolved.
 * @throws CacheError `not-found` (127) or `not-executable` (126).
 */
export function resolveProgram(request: ProgramRequest): string {
  const { typed, files, cwd } = request;
  if (typed === '') throw new CacheError('not-found', 'expected a program, got ""');
  if (typed.includes('/')) return resolveTyped(typed, resolve(cwd, typed), files);
  let refused: string | null = null;
  for (const folder of searchFolders(request.searchPath, cwd)) {
    const candidate = resolve(folder, typed);
    const stat = statOrNull(files, candidate);
    if (stat === null || stat.type === 'directory') continue;
    if (isExecutable(stat)) return candidate;
    refused ??= candidate;
  }
  if (refused !== null) throw notExecutable(typed, `"${refused}" has no execute permission`);
  throw new CacheError('not-found', `expected a program on PATH, got "${typed}": it is not on PATH`, {
    hint: `Install "${typed}", add its folder to PATH, or give its path.`,
  });
}

function searchFolders(searchPath: string | undefined, cwd: string): readonly string[] {
  if (searchPath === undefined || searchPath === '') return [];
  return searchPath.split(':').map((folder) => resolve(cwd, folder));
}

/** What cannot be looked at is left to its start, which tells the user why. */
function resolveTyped(typed: string, path: string, files: Files): string {
  let stat: FileStat | null;
  try {
    stat = files.stat(path);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return path;
  }
  if (stat === null) throw new CacheError('not-found', `expected a program, got "${typed}": no such file`);
  if (stat.type === 'directory') throw notExecutable(typed, 'it is a directory');
  if (!isExecutable(stat)) throw notExecutable(typed, 'it has no execute permission');
  return path;
}

function notExecutable(typed: string, reason: string): CacheError {
  return new CacheError('not-executable', `expected an executable program, got "${typed}": ${reason}`);
}

/** What a program file is. */
export interface ProgramDescription {
  /** As it was found. */
  readonly path: string;
  /** Where its links lead. */
  readonly realPath: string;
  /** `script` is everything that is no ELF file: it needs an interpreter. */
  readonly kind: 'elf' | 'script';
  /** Absolute paths of the programs that run a script, outermost first (`/usr/bin/env`, `/usr/bin/node`). */
  readonly interpreters: readonly string[];
}

/** Where the interpreters of a script are looked for. */
export interface DescribeRequest {
  readonly files: Files;
  /** The PATH that the script will have. */
  readonly searchPath: string | undefined;
  readonly cwd: string;
}

/** Describes the program at an absolute path. Interpreters that cannot be found end the chain. */
export function describeProgram(path: string, request: DescribeRequest): ProgramDescription {
  const realPath = realPathOf(request.files, path);
  const head = readHead(request.files, realPath, MAX_SHEBANG_BYTES);
  if (isElf(head)) return { path, realPath, kind: 'elf', interpreters: [] };
  const interpreters: string[] = [];
  collectInterpreters(head, request, interpreters);
  return { path, realPath, kind: 'script', interpreters };
}

function realPathOf(files: Files, path: string): string {
  try {
    return files.realpath(path);
  } catch {
    // Best effort: what cannot be resolved is not read either; starting it tells the user why.
    return path;
  }
}

function isElf(head: Buffer | null): boolean {
  return head !== null && head.subarray(0, 4).equals(ELF_MAGIC);
}

function collectInterpreters(head: Buffer | null, request: DescribeRequest, found: string[]): void {
  const words = shebangWords(head);
  const first = words[0];
  if (first === undefined) return;
  appendInterpreter(resolve(request.cwd, first), request, found);
  if (basename(first) !== 'env') return;
  const name = envProgram(words.slice(1));
  if (name === null) return;
  const path = findQuietly(name, request);
  if (path !== null) appendInterpreter(path, request, found);
}

/** Adds an interpreter and, if it is a script itself (pyenv's shims), what runs it. */
function appendInterpreter(path: string, request: DescribeRequest, found: string[]): void {
  if (found.length >= MAX_INTERPRETERS) return;
  found.push(path);
  const head = readHead(request.files, realPathOf(request.files, path), MAX_SHEBANG_BYTES);
  if (head !== null && !isElf(head)) collectInterpreters(head, request, found);
}

function findQuietly(typed: string, request: DescribeRequest): string | null {
  try {
    return resolveProgram({ typed, searchPath: request.searchPath, cwd: request.cwd, files: request.files });
  } catch (error) {
    if (error instanceof CacheError) return null;
    throw error;
  }
}

/** The interpreter and its words; a script without `#!` is run by the shell, as execvp does. */
function shebangWords(head: Buffer | null): readonly string[] {
  if (head === null || head.byteLength === 0) return [];
  const text = head.toString('utf8');
  if (!text.startsWith('#!')) return ['/bin/sh'];
  const end = text.indexOf('\n');
  const line = text.slice(2, end < 0 ? undefined : end).trim();
  return line === '' ? [] : line.split(/[ \t]+/);
}

/** The program that `env` starts: behind its options (`-S`, `-i`, `-u NAME`) and assignments. */
function envProgram(words: readonly string[]): string | null {
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index];
    if (word === undefined) return null;
    if (word === '-u' || word === '-C' || word === '--unset' || word === '--chdir') index += 1;
    else if (word.startsWith('-S') && word.length > 2) return word.slice(2);
    else if (!word.startsWith('-') && !/^[A-Za-z_][A-Za-z0-9_]*=/.test(word)) return word;
  }
  return null;
}

/**
 * The folders that the child's PATH needs so that it finds what runs a script: those of its interpreters, but not that
 * of `env`, which would put other versions of the interpreter before it.
 */
export function interpreterFolders(description: ProgramDescription): readonly string[] {
  return description.interpreters.filter((path) => basename(path) !== 'env').map((path) => dirname(path));
}

/**
 * Of the folders that the caller searches, those where the interpreters of a script were found, in the caller's order:
 * whoever searches these first finds the same interpreters as the caller.
 */
export function searchedInterpreterFolders(
  description: ProgramDescription,
  search: { readonly searchPath: string | undefined; readonly cwd: string },
): readonly string[] {
  const found = new Set(interpreterFolders(description));
  return searchFolders(search.searchPath, search.cwd).filter((folder) => found.has(folder));
}

/** True when two descriptions name the same programs behind one script. */
export function hasSameInterpreters(a: ProgramDescription, b: ProgramDescription): boolean {
  return (
    a.interpreters.length === b.interpreters.length &&
    a.interpreters.every((path, index) => path === b.interpreters[index])
  );
}

/** True when the bytes of the program say what it does: no script, no interpreter, nothing that starts another one. */
export function hasOwnIdentity(program: ProgramDescription): boolean {
  if (program.kind !== 'elf') return false;
  return [basename(program.path), basename(program.realPath)].every(
    (name) => !isInterpreterName(name) && !isProxyName(name),
  );
}

/**
 * Descriptions of ELF programs, kept for one process while the file behind the path stays the same. Scripts are read
 * each time: what runs them depends on PATH.
 */
export class ProgramMemo {
  readonly #known = new Map<string, { readonly stat: FileStat; readonly description: ProgramDescription }>();

  /** As {@link describeProgram}. */
  describe(path: string, request: DescribeRequest): ProgramDescription {
    const stat = statOrNull(request.files, path);
    const known = this.#known.get(path);
    if (known !== undefined && stat !== null && isSameFile(stat, known.stat)) return known.description;
    const description = describeProgram(path, request);
    if (stat !== null && description.kind === 'elf') this.#known.set(path, { stat, description });
    return description;
  }
}

function isSameFile(a: FileStat, b: FileStat): boolean {
  return a.inode === b.inode && a.device === b.device && a.ctimeMs === b.ctimeMs && a.bytes === b.bytes;
}
