import { dirname, resolve } from 'node:path';
import { readFollowing } from './file-text.js';
import type { ShadowSearch } from './include-search.js';
import { membersOf, type MetafileImport } from './metafile.js';
import type { ListingRun } from './preset.js';
import { mappedPaths, type Tsconfig } from './tsconfig.js';

const DEFAULT_EXTENSIONS = ['.tsx', '.ts', '.jsx', '.js', '.css', '.json'] as const;
/** TypeScript's way: `./a.js` may mean `./a.ts`. */
const REWRITTEN: ReadonlyMap<string, readonly string[]> = new Map([
  ['.js', ['.ts', '.tsx']],
  ['.jsx', ['.ts', '.tsx']],
  ['.mjs', ['.mts']],
  ['.cjs', ['.cts']],
]);

/** Who imports, and the tsconfig.json that holds for it. */
export interface Importer {
  /** Absolute. */
  readonly path: string;
  readonly config: Tsconfig | null;
}

/**
 * Notes the files that esbuild looked for before it found what an import means, so that one of them appearing is seen.
 * The order among extensions is not followed: all of them count, which can only cost a compilation.
 */
export class EsbuildResolution {
  readonly #run: ListingRun;
  readonly #search: ShadowSearch;
  readonly #extensions: readonly string[];

  constructor(run: ListingRun, search: ShadowSearch) {
    this.#run = run;
    this.#search = search;
    const given = run.line.args.findLast((argument) => argument.startsWith('--resolve-extensions='));
    this.#extensions = given?.slice('--resolve-extensions='.length).split(',') ?? DEFAULT_EXTENSIONS;
  }

  addEntry(path: string): void {
    if (this.#search.typeOf(path) !== 'file') this.#addCandidates(path, null);
  }

  add(imported: MetafileImport, importer: Importer): void {
    // What was not found, or was not to be found, stands as it was written in `path`.
    const written = imported.original ?? (imported.external ? imported.path : '');
    const specifier = written.replace(/[?#].*$/, '');
    if (specifier === '' || /^[a-z][a-z0-9+.-]*:/i.test(specifier)) return;
    const found = imported.external ? null : resolve(this.#run.line.cwd, imported.path);
    if (specifier.startsWith('/')) this.#addCandidates(specifier, found);
    else if (/^\.\.?(?:\/|$)/.test(specifier))
      this.#addCandidates(resolve(dirname(importer.path), specifier), found);
    else this.#addPackage(specifier, importer, found);
  }

  /** An import of CSS may be relative without a dot; a package may be mapped by tsconfig.json. */
  #addPackage(specifier: string, importer: Importer, found: string | null): void {
    if (importer.path.endsWith('.css'))
      this.#addCandidates(resolve(dirname(importer.path), specifier), found);
    for (const path of importer.config === null ? [] : mappedPaths(importer.config, specifier)) {
      if (this.#addCandidates(path, found)) return;
    }
    const parts = specifier.split('/');
    const name = parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
    for (let folder = dirname(importer.path); ; folder = dirname(folder)) {
      const place = `${folder === '/' ? '' : folder}/node_modules/${name}`;
      if (this.#search.typeOf(place) !== null) {
        this.#addInPackage(place, parts.slice(name.split('/').length).join('/'), found);
        return;
      }
      this.#search.addIfAbsent(place);
      if (folder === dirname(folder)) return;
    }
  }

  #addInPackage(place: string, inner: string, found: string | null): void {
    if (inner !== '') {
      this.#addCandidates(`${place}/${inner}`, found);
      return;
    }
    const text = readFollowing(this.#run.files, `${place}/package.json`);
    for (const main of text === null ? [] : mainsOf(text)) {
      if (this.#addCandidates(resolve(place, main), found)) return;
    }
    this.#addCandidates(place, found);
  }

  /** True when one of the candidates is what was found. */
  #addCandidates(base: string, found: string | null): boolean {
    if (this.#is(base, found)) return true;
    const candidates = [
      base,
      ...rewritten(base),
      ...this.#extensions.map((extension) => base + extension),
      ...this.#extensions.map((extension) => `${base}/index${extension}`),
    ];
    for (const candidate of candidates) this.#search.addIfAbsent(candidate);
    return candidates.some((candidate) => this.#is(candidate, found));
  }

  /** Sources are named by where their links lead. */
  #is(candidate: string, found: string | null): boolean {
    if (found === null || this.#search.typeOf(candidate) !== 'file') return false;
    return candidate === found || this.#run.files.realpath(candidate) === this.#run.files.realpath(found);
  }
}

function rewritten(path: string): readonly string[] {
  const dot = path.lastIndexOf('.');
  const endings = dot < 0 ? undefined : REWRITTEN.get(path.slice(dot));
  return (endings ?? []).map((ending) => path.slice(0, dot) + ending);
}

function mainsOf(text: string): readonly string[] {
  let members: ReadonlyMap<string, unknown> | null = null;
  try {
    members = membersOf(JSON.parse(text));
  } catch {
    // Best effort: esbuild passes over a damaged package.json too.
    return [];
  }
  return ['browser', 'module', 'main'].flatMap((key) => {
    const value = members?.get(key);
    return typeof value === 'string' ? [value] : [];
  });
}
