import { dirname, resolve } from 'node:path';
import { EsbuildResolution } from './esbuild-resolution.js';
import { readFollowing } from './file-text.js';
import { ShadowSearch } from './include-search.js';
import { membersOf, type MetafileInput } from './metafile.js';
import type { ListingRun } from './preset.js';
import { readTsconfig, type Tsconfig } from './tsconfig.js';

/** Prefixes of inputs that are no files of their own. */
const NO_FILE = /^(?:<[a-z]+:|<stdin>$|<runtime>$|data:|https?:)/;
const PLUG_AND_PLAY = ['.pnp.data.json', '.pnp.cjs', '.pnp.js'] as const;

/**
 * What a build of esbuild reads. strace showed what the metafile leaves out: tsconfig.json and what it extends,
 * package.json of every folder above a source, the source maps of sources and their sources, the plug'n'play files,
 * and every folder that it looked through for a package or an extension.
 */
export class EsbuildReads {
  readonly #run: ListingRun;
  readonly #search: ShadowSearch;
  readonly #resolution: EsbuildResolution;
  readonly #files = new Set<string>();
  readonly #visited = new Set<string>();
  readonly #tsconfigs = new Map<string, Tsconfig | null>();
  #problem: string | null = null;

  constructor(run: ListingRun) {
    this.#run = run;
    this.#search = new ShadowSearch(run.missing, { cwd: run.line.cwd, quoted: [], folders: [] }, []);
    this.#resolution = new EsbuildResolution(run, this.#search);
  }

  get files(): readonly string[] {
    return [...this.#files];
  }

  get absent(): readonly string[] {
    return this.#search.absent;
  }

  /** Why the list cannot be complete, or null. */
  get problem(): string | null {
    return this.#problem;
  }

  addInput(input: MetafileInput): void {
    if (NO_FILE.test(input.path)) return;
    const name = input.path.replace(/^\([a-z-]+\):/, '').replace(/[?#].*$/, '');
    const path = resolve(this.#run.line.cwd, name);
    if (this.#search.typeOf(path) !== 'file') {
      this.#problem ??= `"${input.path}" stands for files that are not listed`;
      return;
    }
    this.#files.add(name);
    this.#visitFolders(dirname(path));
    this.#addSourceMap(path);
    const config = this.#tsconfigOf(dirname(path));
    for (const imported of input.imports) {
      // `import('./pages/' + name)` takes whatever lies in a folder.
      if (imported.external && /^\.\.?\/.*\*/.test(imported.path)) {
        this.#problem ??= `"${name}" imports whatever fits "${imported.path}"`;
      }
      this.#resolution.add(imported, { path, config });
    }
  }

  /** Files that options name. */
  addOptions(): void {
    const { line } = this.#run;
    this.#visitFolders(line.cwd);
    for (const argument of line.args) {
      if (!argument.startsWith('-'))
        this.#resolution.addEntry(resolve(line.cwd, argument.replace(/^[^=./]+=/, '')));
      const file = /^--(?:tsconfig|inject|footer|banner)[:=](.+)$/.exec(argument)?.[1];
      if (file !== undefined && this.#search.typeOf(file) === 'file') this.#files.add(file);
    }
    if ((line.environment['NODE_PATH'] ?? '') !== '')
      this.#problem ??= 'NODE_PATH names folders that are searched';
  }

  /** package.json, tsconfig.json and the plug'n'play files of a folder and all above it. */
  #visitFolders(start: string): void {
    for (let folder = start; !this.#visited.has(folder); folder = dirname(folder)) {
      this.#visited.add(folder);
      this.#addFile(join(folder, 'package.json'));
      for (const name of PLUG_AND_PLAY) {
        const path = join(folder, name);
        if (this.#search.typeOf(path) !== null) this.#problem ??= `"${path}" takes the place of node_modules`;
        this.#search.addIfAbsent(path);
      }
    }
    this.#tsconfigOf(start);
  }

  #addFile(path: string): void {
    if (this.#search.typeOf(path) === 'file') this.#files.add(path);
    else this.#search.addIfAbsent(path);
  }

  /** The nearest tsconfig.json counts, or the one of --tsconfig; with --tsconfig-raw none. */
  #tsconfigOf(folder: string): Tsconfig | null {
    const { args, cwd } = this.#run.line;
    if (args.some((argument) => argument.startsWith('--tsconfig-raw='))) return null;
    const given = args
      .findLast((argument) => argument.startsWith('--tsconfig='))
      ?.slice('--tsconfig='.length);
    if (given !== undefined) return this.#readTsconfig(resolve(cwd, given));
    for (let place = folder; ; place = dirname(place)) {
      for (const name of ['tsconfig.json', 'jsconfig.json']) {
        const path = join(place, name);
        if (this.#search.typeOf(path) === 'file') return this.#readTsconfig(path);
        this.#search.addIfAbsent(path);
      }
      if (place === dirname(place)) return null;
    }
  }

  #readTsconfig(path: string): Tsconfig | null {
    const known = this.#tsconfigs.get(path);
    if (known !== undefined) return known;
    const config = readTsconfig(this.#run.files, path);
    this.#tsconfigs.set(path, config);
    if (config === null) this.#problem ??= `what "${path}" extends is not known`;
    for (const file of config?.files ?? []) this.#files.add(file);
    return config;
  }

  /** With --sourcemap esbuild reads the map that a source names, and the sources that the map does not contain. */
  #addSourceMap(path: string): void {
    const { args } = this.#run.line;
    if (!args.some((argument) => argument.startsWith('--sourcemap')) || !/\.[cm]?[jt]sx?$|\.css$/.test(path))
      return;
    const text = readFollowing(this.#run.files, path) ?? '';
    for (const match of text.matchAll(/[#@]\s*sourceMappingURL=([^\s'"*]+)/g)) {
      const url = match[1] ?? '';
      if (/^[a-z]+:/i.test(url)) continue;
      const map = resolve(dirname(path), decodeQuietly(url));
      this.#addFile(map);
      this.#addMapSources(map);
    }
  }

  #addMapSources(map: string): void {
    const text = readFollowing(this.#run.files, map);
    if (text === null) return;
    let members: ReadonlyMap<string, unknown> | null = null;
    try {
      members = membersOf(JSON.parse(text));
    } catch {
      // Best effort: esbuild passes over a damaged map too.
      return;
    }
    const sources = members?.get('sources');
    const root = members?.get('sourceRoot');
    if (!Array.isArray(sources)) return;
    for (const source of sources) {
      if (typeof source !== 'string' || /^[a-z]+:/i.test(source)) continue;
      this.#addFile(resolve(dirname(map), typeof root === 'string' ? root : '', decodeQuietly(source)));
    }
  }
}

function decodeQuietly(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Best effort: a path with a lone percent sign is itself.
    return text;
  }
}

function join(folder: string, name: string): string {
  return folder === '/' ? `/${name}` : `${folder}/${name}`;
}
