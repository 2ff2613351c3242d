import { dirname, resolve } from 'node:path';
import type { Files } from '../../host/files.js';
import { readFollowing } from './file-text.js';
import { membersOf } from './metafile.js';

/** A tsconfig.json with what it extends, as far as it steers the resolution of imports. */
export interface Tsconfig {
  /** Absolute paths of all files of the chain. */
  readonly files: readonly string[];
  /** Absolute folder of `baseUrl`, or null. */
  readonly baseUrl: string | null;
  /** Patterns and their targets, absolute. */
  readonly paths: ReadonlyMap<string, readonly string[]>;
}

/** Deeper chains are not followed, and their compilations not cached. */
const MAX_CHAIN = 16;

/**
 * Reads a tsconfig.json and what it extends. Null when a part of it is missing, is no JSON with comments, or extends a
 * package by name: then what decided the result is not known.
 */
export function readTsconfig(files: Files, path: string, depth = 0): Tsconfig | null {
  const text = depth > MAX_CHAIN ? null : readFollowing(files, path);
  const members = text === null ? null : membersOf(parseJsonc(text));
  if (members === null) return null;
  const parents: Tsconfig[] = [];
  for (const name of extendedNames(members.get('extends'))) {
    const parent = extendedPath(files, path, name);
    const read = parent === null ? null : readTsconfig(files, parent, depth + 1);
    if (read === null) return null;
    parents.push(read);
  }
  const options = membersOf(members.get('compilerOptions'));
  const baseUrl = options?.get('baseUrl');
  const own = typeof baseUrl === 'string' ? resolve(dirname(path), baseUrl) : null;
  return {
    files: [...parents.flatMap((parent) => parent.files), path],
    baseUrl: own ?? parents.findLast((parent) => parent.baseUrl !== null)?.baseUrl ?? null,
    paths: new Map([
      ...parents.flatMap((parent) => Array.from(parent.paths)),
      ...pathsOf(options?.get('paths'), own ?? dirname(path)),
    ]),
  };
}

function extendedNames(value: unknown): readonly string[] {
  const names = Array.isArray(value) ? value : [value];
  return names.filter((name): name is string => typeof name === 'string');
}

/** `./base`, `../base.json`, or a file in a package of node_modules. */
function extendedPath(files: Files, from: string, name: string): string | null {
  const isFile = (path: string): boolean => files.stat(path)?.type === 'file';
  const endings = ['', '.json', '/tsconfig.json'];
  if (name.startsWith('.') || name.startsWith('/')) {
    const base = resolve(dirname(from), name);
    return endings.map((ending) => base + ending).find(isFile) ?? null;
  }
  for (let folder = dirname(from); ; folder = dirname(folder)) {
    const base = `${folder === '/' ? '' : folder}/node_modules/${name}`;
    const found = endings.map((ending) => base + ending).find(isFile);
    if (found !== undefined) return found;
    if (folder === dirname(folder)) return null;
  }
}

function pathsOf(value: unknown, folder: string): readonly (readonly [string, readonly string[]])[] {
  const members = membersOf(value);
  if (members === null) return [];
  return [...members].map(([pattern, targets]) => [
    pattern,
    extendedNames(targets).map((target) => resolve(folder, target)),
  ]);
}

/** Where `paths` and `baseUrl` send an import that is not relative: absolute paths without extension, in order. */
export function mappedPaths(config: Tsconfig, specifier: string): readonly string[] {
  const mapped: string[] = [];
  for (const [pattern, targets] of config.paths) {
    const star = pattern.indexOf('*');
    if (star < 0) {
      if (pattern === specifier) mapped.push(...targets);
      continue;
    }
    const [start, end] = [pattern.slice(0, star), pattern.slice(star + 1)];
    if (specifier.length < start.length + end.length) continue;
    if (!specifier.startsWith(start) || !specifier.endsWith(end)) continue;
    const middle = specifier.slice(start.length, specifier.length - end.length);
    mapped.push(...targets.map((target) => target.replace('*', () => middle)));
  }
  if (config.baseUrl !== null) mapped.push(resolve(config.baseUrl, specifier));
  return mapped;
}

/** JSON with comments and trailing commas; undefined when it is none. */
function parseJsonc(text: string): unknown {
  const plain = text
    .replace(/^\uFEFF/, '')
    .replace(/"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (match) =>
      match.startsWith('"') ? match : ' ',
    )
    .replace(/"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])/g, (match) => (match === ',' ? '' : match));
  try {
    const value: unknown = JSON.parse(plain);
    return value;
  } catch {
    // Best effort: what esbuild would report is not cached.
    return undefined;
  }
}
