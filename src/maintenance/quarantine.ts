import { join } from 'node:path';
import { lstatOrNull, withFile, writeNewFile, type Files, type FileStat } from '../host/files.js';
import { readRegularFile } from '../host/regular-file.js';
import type { Host } from '../host/host.js';
import { partName } from '../layouts/examination.js';
import { FORMATS } from '../layouts/formats.js';
import type { Format } from '../layouts/layout.js';
import type { HomePaths } from '../layouts/vyre/home-paths.js';
import { decoding, mismatch, parseJson, Reader } from '../model/decoder.js';
import { CacheError, errnoOf } from '../model/error.js';

const SCHEMA = 'vyre-cache.quarantine/1';
/** What lies in a folder of the quarantine beside the files of the artifact. */
export const REASON_FILE = 'reason.json';
const MAX_REASON_BYTES = 65_536;
/** Of the stem, in the name of a folder of the quarantine. */
const STEM_CHARACTERS = 16;
const COPY_BYTES = 262_144;

/** Why and from where an artifact was moved into the quarantine. */
export interface Reason {
  /** Null: the home whose quarantine it is. Else the absolute path of the root. */
  readonly root: string | null;
  /** Of the artifact, below the root. */
  readonly folder: string;
  readonly format: Format;
  readonly stem: string;
  readonly reason: string;
  readonly atMs: number;
}

/**
 * Moves the files of an artifact into a folder of the quarantine that tells the reason: the reason first, so that a crash
 * in between leaves nothing unexplained.
 * @returns the name of the folder; null when none of the files was in its place any more. @throws the errno error of the
 * step that failed.
 */
export function moveIntoQuarantine(
  host: Host,
  home: HomePaths,
  artifact: { readonly folder: string; readonly stats: readonly (FileStat | null)[]; readonly why: Reason },
): string | null {
  const { folder, stats, why } = artifact;
  const { format, stem } = why;
  const id = `${stem.slice(0, STEM_CHARACTERS)}-${host.random.hex(4)}`;
  const { files } = host;
  const staged = home.staged(host.random.hex(8));
  demandQuarantine(host, home);
  files.makeDirectory(staged);
  writeNewFile(files, join(staged, REASON_FILE), [encodeReason(why)]);
  files.rename(staged, home.quarantined(id));
  try {
    for (const part of format.removal) {
      const stat = stats[part] ?? null;
      const name = partName(format, part, stem);
      if (stat !== null)
        moveJudged(host, { from: join(folder, name), to: join(home.quarantined(id), name), stat });
    }
  } catch (error) {
    dropIfEmpty(files, home.quarantined(id));
    throw error;
  }
  return dropIfEmpty(files, home.quarantined(id)) ? null : id;
}

/** Makes the quarantine. @throws CacheError environment where something else lies there, such as a link. */
function demandQuarantine({ files }: Host, home: HomePaths): void {
  if (lstatOrNull(files, home.quarantine) === null) files.makeDirectories(home.quarantine);
  if (lstatOrNull(files, home.quarantine)?.type === 'directory') return;
  throw new CacheError('environment', `expected a directory at "${home.quarantine}", found something else`);
}

/** Removes a folder with nothing in it but a reason. @returns true when it did. */
function dropIfEmpty(files: Files, folder: string): boolean {
  if (files.readDirectory(folder).length > 1) return false;
  files.removeTree(folder);
  return true;
}

interface Move {
  readonly from: string;
  readonly to: string;
}

/** Moves the very file that was judged: one that has taken its place meanwhile stays, or is put back. */
function moveJudged(host: Host, { from, to, stat }: Move & { readonly stat: FileStat }): void {
  const { files } = host;
  try {
    files.rename(from, to);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return;
    if (errno !== 'EXDEV' || stat.type !== 'file') throw error;
    const copied = copy(host, { from, to });
    const isJudged = isSameFile(stat, copied) && isSameFile(stat, files.lstat(from));
    files.unlink(isJudged ? from : to);
    return;
  }
  const moved = lstatOrNull(files, to);
  if (moved !== null && !isSameFile(stat, moved)) moveWithoutReplacing(host, { from: to, to: from });
}

/**
 * To another file system: whole and durable before the original goes, or not at all.
 * @returns the state of what was copied.
 */
function copy({ files }: Host, { from, to }: Move): FileStat {
  return withFile(files, { path: from, flags: 'read' }, (source) => {
    const stat = files.fstat(source);
    const target = files.open(to, 'createNew');
    try {
      copyContent(files, source, target);
      files.chmod(target, stat.mode);
      files.setTimes(target, stat.atimeMs, stat.mtimeMs);
      files.sync(target);
    } catch (error) {
      files.unlink(to);
      throw error;
    } finally {
      files.close(target);
    }
    return stat;
  });
}

function copyContent(files: Files, source: number, target: number): void {
  const buffer = Buffer.allocUnsafe(COPY_BYTES);
  for (let position = 0, count = COPY_BYTES; count === COPY_BYTES; position += count) {
    count = files.readAt(source, buffer, COPY_BYTES, position);
    files.write(target, buffer.subarray(0, count));
  }
}

/** @throws an error with the code EEXIST when something lies there. */
function moveWithoutReplacing(host: Host, { from, to }: Move): void {
  const { files } = host;
  const stat = files.lstat(from);
  if (stat === null) return;
  if (isSameFile(stat, files.lstat(to))) {
    // Whoever did this before was killed between the two steps.
    files.unlink(from);
    return;
  }
  try {
    // A folder cannot be linked; one that is renamed replaces nothing but an empty folder.
    if (stat.type === 'directory') files.rename(from, to);
    else files.link(from, to);
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    // A file system without hard links: what appears at this very moment would be replaced.
    if (WITHOUT_LINKS.has(errno) && files.lstat(to) === null) {
      files.rename(from, to);
      return;
    }
    if (errno !== 'EXDEV' || stat.type !== 'file') throw error;
    copy(host, { from, to });
  }
  if (stat.type !== 'directory') files.unlink(from);
}

const WITHOUT_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK']);

function isSameFile(one: FileStat, other: FileStat | null): boolean {
  return other?.device === one.device && other.inode === one.inode;
}

export interface Quarantined {
  readonly id: string;
  readonly why: Reason;
}

/** The names of the folders in a quarantine that tell a reason: others are not ours. */
export function quarantineIds(host: Host, home: HomePaths): readonly string[] {
  return foldersIn(host, home).filter((name) => holdsReason(host.files, home.quarantined(name)));
}

function foldersIn({ files }: Host, home: HomePaths): readonly string[] {
  if (lstatOrNull(files, home.quarantine)?.type !== 'directory') return [];
  return files
    .readDirectory(home.quarantine)
    .filter(({ type }) => type === 'directory')
    .map(({ name }) => name)
    .toSorted();
}

function holdsReason(files: Files, folder: string): boolean {
  return lstatOrNull(files, join(folder, REASON_FILE))?.type === 'file';
}

/**
 * Finds what lies in a quarantine under a name or its beginning.
 * @throws CacheError usage when nothing or several things begin so, environment when its reason cannot be read.
 */
export function findQuarantined(host: Host, home: HomePaths, given: string): Quarantined {
  const ids = foldersIn(host, home);
  const found = ids.includes(given) ? [given] : ids.filter((id) => given !== '' && id.startsWith(given));
  const [id] = found;
  if (id === undefined || found.length > 1) {
    const what = found.length > 1 ? `several: ${found.join(', ')}` : 'nothing';
    throw new CacheError(
      'usage',
      `expected the name of one thing in "${home.quarantine}", "${given}" names ${what}`,
      {
        hint: ids.length === 0 ? 'The quarantine is empty.' : `There are: ${ids.slice(0, 20).join(', ')}.`,
      },
    );
  }
  const why = readReason(host, join(home.quarantined(id), REASON_FILE));
  if (why !== null) return { id, why };
  throw new CacheError('environment', `"${home.quarantined(id)}" has no ${REASON_FILE} that can be read`, {
    hint: 'Move its files back by hand, or remove the folder.',
  });
}

/**
 * Moves what there is of an artifact back to where it came from, the parts in the opposite order of removal. Replaces
 * nothing, and follows no link below the root.
 * @returns its path. @throws CacheError environment when something lies there, or nothing is in the quarantine; the errno
 * error of a failed step.
 */
export function restoreQuarantined(host: Host, home: HomePaths, { id, why }: Quarantined): string {
  const { files } = host;
  const { format, stem, folder } = why;
  const source = home.quarantined(id);
  const target = folder === '' ? (why.root ?? home.root) : join(why.root ?? home.root, folder);
  const moves = format.removal
    .toReversed()
    .map((part) => ({ part, name: partName(format, part, stem) }))
    .map(({ part, name }) => ({ part, from: join(source, name), to: join(target, name) }))
    .filter(({ from }) => files.lstat(from) !== null);
  const [first] = moves.toSorted((a, b) => a.part - b.part);
  if (first === undefined) {
    throw new CacheError('environment', `expected an artifact in "${source}", found none of its files`, {
      hint: 'Nothing was moved there, or it was brought back already; remove the folder.',
    });
  }
  demandFolders(host, why.root ?? home.root, folder);
  for (const { from, to } of moves) demandFree(host, from, to);
  files.makeDirectories(target);
  for (const each of moves) moveWithoutReplacing(host, each);
  dropReason(files, source);
  return first.to;
}

/** Removes a folder of the quarantine, unless somebody has put something into it. */
function dropReason(files: Files, folder: string): void {
  files.unlink(join(folder, REASON_FILE));
  try {
    files.removeDirectory(folder);
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY') throw error;
  }
}

/** @throws CacheError environment when something else than a folder lies on the way to a folder. */
function demandFolders({ files }: Host, root: string, folder: string): void {
  let path = root;
  for (const segment of folder.split('/')) {
    path = join(path, segment);
    const stat = lstatOrNull(files, path);
    if (stat === null) return;
    if (stat.type === 'directory') continue;
    const found = stat.type === 'link' ? 'a link' : 'a file';
    throw new CacheError('environment', `expected a directory at "${path}", found ${found}`, {
      hint: 'Below a cache directory no link is followed.',
    });
  }
}

/** @throws CacheError environment when something lies in the place of a file that is to be brought back. */
function demandFree({ files }: Host, from: string, to: string): void {
  const there = lstatOrNull(files, to);
  const stat = files.lstat(from);
  if (there === null || (stat !== null && isSameFile(stat, there))) return;
  throw new CacheError('environment', `expected nothing at "${to}", found a file`, {
    hint: 'It was made again since; remove it first if the old one is wanted.',
  });
}

function encodeReason({ root, folder, format, stem, reason, atMs }: Reason): Buffer {
  const at = new Date(atMs).toISOString();
  const document = { schema: SCHEMA, reason, at, root, folder, format: format.name, stem };
  return Buffer.from(`${JSON.stringify(document, null, 2)}\n`, 'utf8');
}

/** Null for what is absent or damaged, or names a file outside of its root. */
export function readReason(host: Host, path: string): Reason | null {
  const read = readRegularFile(host.files, path, MAX_REASON_BYTES);
  if (!read.ok) return null;
  const decoded = decoding(() =>
    decodeReason(new Reader(parseJson(read.bytes.toString('utf8')), 'document')),
  );
  return decoded.ok ? decoded.value : null;
}

function decodeReason(reader: Reader): Reason {
  if (reader.text('schema') !== SCHEMA) mismatch('another schema');
  const name = reader.text('format');
  const format = FORMATS.find((each) => each.name === name) ?? mismatch('an unknown format');
  const stem = reader.text('stem');
  const folder = reader.text('folder');
  const root = reader.textOrNull('root');
  if (!isName(stem)) mismatch('a stem that is no name');
  if (!isInside(folder)) mismatch('a folder outside of the root');
  if (root !== null && (!root.startsWith('/') || root.includes('\0')))
    mismatch('a root that is not absolute');
  const atMs = Date.parse(reader.text('at'));
  return { root, folder, format, stem, reason: reader.text('reason'), atMs };
}

function isInside(folder: string): boolean {
  if (folder === '') return true;
  return folder.split('/').every((segment) => isName(segment));
}

function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
}
