import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, posix } from 'node:path';

import { type ImportSite, scanSource } from './source-scan.js';

/** Sources by their path from the project's folder, such as `src/model/units.ts`. */
export type SourceTree = ReadonlyMap<string, string>;

export interface Violation {
  readonly file: string;
  /** From 1; 0 where the whole file is meant. */
  readonly line: number;
  readonly message: string;
}

const LAYERS = [
  'model',
  'host',
  'layouts',
  'store',
  'schedule',
  'compile',
  'maintenance',
  'cluster',
  'cli',
] as const;
type Layer = (typeof LAYERS)[number];

/** Where a module stands: in a layer, or it is the library's face. */
type Place = Layer | 'index';

/** What each place may import, apart from {@link EXCEPTIONS}. Everything points downwards. */
const ARROWS: Readonly<Record<Place, readonly Place[]>> = {
  model: ['model'],
  host: ['model', 'host'],
  layouts: ['model', 'host', 'layouts'],
  // The paths of a root are built in one module per layout, so stores ask the layouts.
  store: ['model', 'host', 'layouts', 'store'],
  schedule: ['model', 'host', 'schedule'],
  compile: ['model', 'host', 'layouts', 'store', 'schedule', 'compile'],
  maintenance: ['model', 'host', 'layouts', 'store', 'schedule', 'maintenance'],
  cluster: LAYERS.filter((layer) => layer !== 'cli'),
  cli: [...LAYERS, 'index'],
  index: LAYERS.filter((layer) => layer !== 'cli'),
};

/** Single modules that a layer may import beyond its arrows. */
const EXCEPTIONS: readonly { readonly from: Layer; readonly to: string; readonly reason: string }[] = [
  { from: 'compile', to: 'src/maintenance/sweep.ts', reason: 'the sweep before the first compilation' },
];

/** The layers that may import each package. */
const PACKAGES: Readonly<Record<string, readonly Layer[]>> = {
  commander: ['cli'],
  chalk: ['cli'],
  ora: ['cli'],
  'cli-table3': ['cli'],
  'smol-toml': ['layouts', 'cli'],
  tinyglobby: ['cli'],
  valibot: ['cli'],
  fzstd: ['layouts'],
  '@noble/hashes': ['host'],
  '@napi-rs/blake-hash': ['host'],
  'fs-native-extensions': ['host'],
  'bun:ffi': ['host'],
};

/** Pure: bytes in memory, nothing of the outside. */
const BUILTINS_OF_MODEL: readonly string[] = ['node:buffer'];

function isLayer(name: string): name is Layer {
  return LAYERS.some((layer) => layer === name);
}

function placeOf(file: string): Place | null {
  if (file === 'src/index.ts') return 'index';
  const [, folder, ...rest] = file.split('/');
  return folder !== undefined && rest.length > 0 && isLayer(folder) ? folder : null;
}

function isRelative(specifier: string): boolean {
  return /^\.{0,2}\//.test(specifier) || specifier === '.' || specifier === '..';
}

/** The source that a relative specifier names; it may be absent. */
function targetOf(file: string, specifier: string): string {
  return posix.join(posix.dirname(file), specifier).replace(/\.js$/, '.ts');
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

const NO_PLACE = `src/ has the layers ${LAYERS.join(', ')} and index.ts, nothing else`;

function arrowRule(from: Place, target: string): string | null {
  const to = placeOf(target);
  if (to === null) return NO_PLACE;
  if (ARROWS[from].includes(to)) return null;
  if (EXCEPTIONS.some((exception) => exception.from === from && exception.to === target)) return null;
  return `${from} may import only ${ARROWS[from].join(', ')}`;
}

function relativeRule(tree: SourceTree, file: string, from: Place, site: ImportSite): string | null {
  const target = targetOf(file, site.specifier ?? '');
  const isModule = site.form === 'static' || site.form === 'dynamic';
  // Data beside the sources (a package.json) may be named by a URL or require.
  if (!isModule && !tree.has(target)) return null;
  if (!target.startsWith('src/')) return 'imports stay inside src/';
  const rule = arrowRule(from, target);
  if (rule !== null) return rule;
  return tree.has(target) ? null : `expected the module ${target}, found none`;
}

function builtinRule(from: Place, specifier: string): string | null {
  const name = specifier.startsWith('node:') ? specifier : `node:${specifier}`;
  if (name === 'node:process') return 'the global `process` is used as it is, so that its uses can be found';
  if (from !== 'model' || BUILTINS_OF_MODEL.includes(name)) return null;
  return `model may import no builtin but ${BUILTINS_OF_MODEL.join(', ')}`;
}

function packageRule(from: Place, specifier: string): string | null {
  const name = packageOf(specifier);
  const owner = Object.hasOwn(PACKAGES, name) ? PACKAGES[name] : undefined;
  if (owner === undefined) return `no rule says which layer may import the package ${name}`;
  return owner.some((layer) => layer === from)
    ? null
    : `only ${owner.join(' and ')} may import the package ${name}`;
}

function ruleBroken(tree: SourceTree, file: string, from: Place, site: ImportSite): string | null {
  const { specifier } = site;
  if (specifier === null)
    return 'an import() names its module by a literal, else nobody can check or bundle it';
  if (isRelative(specifier)) return relativeRule(tree, file, from, site);
  if (site.form === 'url') return null;
  return isBuiltin(specifier) ? builtinRule(from, specifier) : packageRule(from, specifier);
}

function wrongImportsOf(tree: SourceTree, file: string, text: string): Violation[] {
  const from = placeOf(file);
  if (from === null) return [{ file, line: 0, message: `lies in no layer: ${NO_PLACE}` }];
  return scanSource(text).imports.flatMap((site) => {
    const rule = ruleBroken(tree, file, from, site);
    if (rule === null) return [];
    const what = site.specifier === null ? 'a computed module' : `"${site.specifier}"`;
    return [{ file, line: site.line, message: `imports ${what}: ${rule}` }];
  });
}

/** Every import that points the wrong way, and every file that stands nowhere. */
export function wrongImports(tree: SourceTree): Violation[] {
  return Array.from(tree).flatMap(([file, text]) => wrongImportsOf(tree, file, text));
}

function modulesImportedBy(tree: SourceTree, file: string): string[] {
  return scanSource(tree.get(file) ?? '')
    .imports.filter(({ form, specifier }) => form !== 'url' && specifier !== null && isRelative(specifier))
    .map(({ specifier }) => targetOf(file, specifier ?? ''))
    .filter((target) => tree.has(target));
}

/** Modules that import themselves by way of others; imports of types count, workers do not. */
export function importCycles(tree: SourceTree): Violation[] {
  const graph = new Map(Array.from(tree.keys(), (file) => [file, modulesImportedBy(tree, file)]));
  const violations: Violation[] = [];
  const finished = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (finished.has(file)) return;
    const start = path.indexOf(file);
    if (start >= 0) {
      const message = `imports itself: ${[...path.slice(start), file].join(' → ')}`;
      violations.push({ file, line: 0, message });
      return;
    }
    for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
    finished.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return violations;
}

/** One line per violation; empty where there is none. */
export function describeViolations(violations: readonly Violation[]): string {
  return violations
    .map(({ file, line, message }) => `${file}${line > 0 ? `:${line}` : ''} ${message}`)
    .join('\n');
}

/** Every source below `folder` of the project at `root`. */
export function readSourceTree(root: string, folder: string): SourceTree {
  return new Map(
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.[cm]?[jt]sx?$/.test(name))
      .toSorted()
      .map((name) => [posix.join(folder, name), readFileSync(join(root, folder, name), 'utf8')]),
  );
}
