import { join } from 'node:path';
import { lstatOrNull, readRegularFile, withFile, writeNewFile, type FileStat } from '../host/files.js';
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
 * @returns the name of the folder. @throws the errno error of the step that failed.
 */
export function moveIntoQuarantine(
  host: Host,
  home: HomePaths,
  artifact: { readonly folder: string; readonly stats: readonly (FileStat | null)[]; readonly why: Reason },
): string {
  const { folder, stats, why } = artifact;
  const { format, stem } = why;
  const id = `${stem.slice(0, STEM_CHARACTERS)}-${host.random.hex(4)}`;
  const { files } = host;
  const staged = home.staged(host.random.hex(8));
  files.makeDirectories(home.quarantine);
  files.makeDirectory(staged);
  writeNewFile(files, join(staged, REASON_FILE), [encodeReason(why)]);
  files.rename(staged, home.quarantined(id));
  for (const part of format.removal) {
    const stat = stats[part] ?? null;
    const name = partName(format, part, stem);
    if (stat !== null)
      moveJudged(host, { from: join(folder, name), to: join(home.quarantined(id), name), stat });
  }
  if (files.readDirectory(home.quarantined(id)).length === 1) files.removeTree(home.quarantined(id));
  return id;
}

interface Move {
  readonly from: string;
  readonly to: string;
}

/** Moves the very file that was judged: one that has taken its place meanwhile is put back. */
function moveJudged(host: Host, { from, to, stat }: Move & { readonly stat: FileStat }): void {
  try {
    move(host, { from, to }, stat);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return;
  }
  const moved = lstatOrNull(host.files, to);
  if (moved?.device === stat.device && moved.inode !== stat.inode)
    moveWithoutReplacing(host, { from: to, to: from });
}

function move(host: Host, { from, to }: Move, stat: FileStat): void {
  try {
    host.files.rename(from, to);
  } catch (error) {
    if (errnoOf(error) !== 'EXDEV' || stat.type !== 'file') throw error;
    copy(host, { from, to });
    host.files.unlink(from);
  }
}

/** To another file system: whole and durable before the original goes. */
function copy({ files }: Host, { from, to }: Move): void {
  withFile(files, { path: from, flags: 'read' }, (source) => {
    withFile(files, { path: to, flags: 'createNew' }, (target) => {
      const buffer = Buffer.allocUnsafe(COPY_BYTES);
      for (let position = 0, count = COPY_BYTES; count === COPY_BYTES; position += count) {
        count = files.readAt(source, buffer, COPY_BYTES, position);
        files.write(target, buffer.subarray(0, count));
      }
      const { atimeMs, mtimeMs } = files.fstat(source);
      files.setTimes(target, atimeMs, mtimeMs);
      files.sync(target);
    });
  });
}

/** @throws an error with the code EEXIST when something lies there. */
function moveWithoutReplacing(host: Host, { from, to }: Move): void {
  const { files } = host;
  const stat = files.lstat(from);
  if (stat === null) return;
  try {
    // A folder cannot be linked; one that is renamed replaces nothing but an empty folder.
    if (stat.type === 'directory') files.rename(from, to);
    else files.link(from, to);
  } catch (error) {
    if (errnoOf(error) !== 'EXDEV' || stat.type !== 'file') throw error;
    copy(host, { from, to });
  }
  if (stat.type !== 'directory') files.unlink(from);
}

export interface Quarantined {
  readonly id: string;
  readonly why: Reason;
}

/** The names of the folders in a quarantine. */
export function quarantineIds(host: Host, home: HomePaths): readonly string[] {
  if (lstatOrNull(host.files, home.quarantine)?.type !== 'directory') return [];
  return host.files
    .readDirectory(home.quarantine)
    .filter(({ type }) => type === 'directory')
    .map(({ name }) => name)
    .toSorted();
}

/**
 * Finds what lies in a quarantine under a name or its beginning.
 * @throws CacheError usage when nothing or several things begin so, environment when its reason cannot be read.
 */
export function findQuarantined(host: Host, home: HomePaths, given: string): Quarantined {
  const ids = quarantineIds(host, home);
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
 * Moves an artifact back to where it came from, the parts in the opposite order of removal. Replaces nothing.
 * @returns its path. @throws CacheError environment when something lies there; the errno error of a failed step.
 */
export function restoreQuarantined(host: Host, home: HomePaths, { id, why }: Quarantined): string {
  const { format, stem, folder } = why;
  const root = why.root ?? home.root;
  const names = format.removal.toReversed().map((part) => partName(format, part, stem));
  const target = folder === '' ? root : join(root, folder);
  const inTheWay = names.find((name) => lstatOrNull(host.files, join(target, name)) !== null);
  if (inTheWay !== undefined) {
    throw new CacheError('environment', `expected nothing at "${join(target, inTheWay)}", found a file`, {
      hint: 'It was made again since; remove it first if the old one is wanted.',
    });
  }
  host.files.makeDirectories(target);
  const source = home.quarantined(id);
  for (const name of names) moveWithoutReplacing(host, { from: join(source, name), to: join(target, name) });
  host.files.removeTree(source);
  return join(target, names.at(-1) ?? '');
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
  if (stem === '' || stem.includes('/')) mismatch('a stem that is no name');
  if (!isInside(folder)) mismatch('a folder outside of the root');
  if (root !== null && !root.startsWith('/')) mismatch('a root that is not absolute');
  const atMs = Date.parse(reader.text('at'));
  return { root, folder, format, stem, reason: reader.text('reason'), atMs };
}

function isInside(folder: string): boolean {
  if (folder === '') return true;
  return folder.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}
