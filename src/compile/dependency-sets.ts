import { statOrNull } from '../host/files.js';
import type { Host } from '../host/host.js';
import type { HomePaths } from '../layouts/vyre/home-paths.js';
import { mismatch, Reader } from '../model/decoder.js';
import { isDigest, type Digest, type Fingerprint } from '../model/fingerprint.js';
import type { Field } from '../model/fields.js';
import { readChecked, writeChecked, type KnownDocuments } from '../store/checked-file.js';
import { pathOf } from './file-names.js';
import type { FileDigests } from './file-digests.js';

const SCHEMA = 'vyre-cache.deps/1';
/** As many variants of the same sources as are worth telling apart: branches, configurations, projects. */
const MAX_SETS = 8;
const MAX_BYTES = 16_777_216;

/** What one compilation read besides its inputs. Names as the compiler gave them, relative to the working directory. */
export interface DependencySet {
  readonly files: readonly { readonly name: string; readonly digest: Digest }[];
  /** Files that must not exist. */
  readonly absent: readonly string[];
}

/** Sets that were decoded before: sources of one project have read the same headers. */
export type KnownSets = KnownDocuments<readonly DependencySet[]>;

/** Tells of a set whether every file of it is as it was. */
export type IsCurrent = (set: DependencySet) => boolean;

/** The set of a compilation that reads nothing but what is declared. */
export const NO_DEPENDENCIES: DependencySet = { files: [], absent: [] };

/** The fields that complete a primary description; names that are declared in it are left out. */
export function dependencyFields(set: DependencySet, declared: ReadonlySet<string>): readonly Field[] {
  let fields = fieldsOfSets.get(set);
  if (fields === undefined) {
    fields = fieldsOf(set);
    fieldsOfSets.set(set, fields);
  }
  // Nearly always none of them is declared as well: then all compilations with this set share one array.
  return declared.size > 0 && fields.some((field) => declared.has(field.name))
    ? fields.filter((field) => !declared.has(field.name))
    : fields;
}

/** Many compilations have read the same files. */
const fieldsOfSets = new WeakMap<DependencySet, readonly Field[]>();

function fieldsOf(set: DependencySet): readonly Field[] {
  const fields = new Map<string, Field>();
  for (const { name, digest } of set.files)
    fields.set(`dep/${name}`, { name: `dep/${name}`, kind: 'digest', digest });
  for (const name of set.absent) {
    if (!fields.has(`dep/${name}`)) fields.set(`dep/${name}`, { name: `dep/${name}`, kind: 'absent' });
  }
  return [...fields.values()];
}

/** All fields of a compilation: those that were known before it, then what it has read. */
export function completeFields(primary: readonly Field[], set: DependencySet): readonly Field[] {
  return [...primary, ...furtherFields(primary, set)];
}

/** Those that a compilation has besides the ones that were known before it. */
function furtherFields(primary: readonly Field[], set: DependencySet): readonly Field[] {
  const declared = primary.filter(({ name }) => name.startsWith('dep/')).map(({ name }) => name);
  return dependencyFields(set, new Set(declared));
}

/**
 * Tells of a set whether every file of it is as it was, stopping at the first difference. Sets share most of their
 * files: within one pass each file is looked at once.
 */
export function currentSets(host: Host, digests: FileDigests, cwd: string): IsCurrent {
  const absent = new Map<string, boolean>();
  const isAbsent = (name: string): boolean => {
    // A path that the system refuses leads nowhere for the compiler, either.
    const answer = absent.get(name) ?? statOrNull(host.files, pathOf(cwd, name)) === null;
    absent.set(name, answer);
    return answer;
  };
  const seen = new Map<string, Digest | null>();
  const digestNow = (name: string): Digest | null => {
    let digest = seen.get(name);
    if (digest === undefined) {
      digest = digests.digestOrNull(pathOf(cwd, name))?.digest ?? null;
      seen.set(name, digest);
    }
    return digest;
  };
  return (set) =>
    set.files.every(({ name, digest }) => digestNow(name) === digest) && set.absent.every(isAbsent);
}

/** The known sets of a primary fingerprint, most recently used first. Damaged or absent: none. */
export function readSets(
  host: Host,
  paths: HomePaths,
  primary: Fingerprint,
  known?: KnownSets,
): readonly DependencySet[] {
  const file = {
    path: paths.dependencies(primary),
    maxBytes: MAX_BYTES,
    ...(known === undefined ? {} : { known }),
  };
  return readChecked(host, file, decodeSets) ?? [];
}

/** Puts a set in front and drops the least recently used ones. Best effort: a lost set costs a compilation. */
export function rememberSet(host: Host, paths: HomePaths, primary: Fingerprint, set: DependencySet): void {
  const text = JSON.stringify(set);
  const others = readSets(host, paths, primary).filter((known) => JSON.stringify(known) !== text);
  const file = {
    path: paths.dependencies(primary),
    folder: paths.dependencySets,
    staged: paths.staged(host.random.hex(8)),
  };
  writeChecked(host, file, { schema: SCHEMA, sets: [set, ...others].slice(0, MAX_SETS) });
}

function decodeSets(reader: Reader): readonly DependencySet[] {
  if (reader.text('schema') !== SCHEMA) mismatch('unknown schema');
  const sets = reader.list('sets', (value, path) => {
    const item = new Reader(value, path);
    const set = { files: item.list('files', decodeFile), absent: item.list('absent', decodeName) };
    item.end();
    return set;
  });
  reader.end();
  return sets;
}

function decodeFile(value: unknown, path: string): { readonly name: string; readonly digest: Digest } {
  const item = new Reader(value, path);
  const name = item.text('name');
  const digest = item.text('digest');
  item.end();
  return isDigest(digest) ? { name, digest } : mismatch(`${path}.digest is not 64 lowercase hex digits`);
}

function decodeName(value: unknown, path: string): string {
  return typeof value === 'string' ? value : mismatch(`${path} is not a string`);
}
