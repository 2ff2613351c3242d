import { lstatOrNull } from '../host/files.js';
import type { Host } from '../host/host.js';
import { readRegularFile, withRegularFile } from '../host/regular-file.js';
import { HomePaths, StorePaths } from '../layouts/vyre/home-paths.js';
import { mismatch, Reader } from '../model/decoder.js';
import { CacheError, errnoOf } from '../model/error.js';
import { FOOTER_BYTES, splitEntry } from '../model/entry.js';
import { isFingerprint, type Fingerprint } from '../model/fingerprint.js';
import { decodeDocument } from '../store/checked-file.js';
import { markEntryUsed } from '../store/entry-file.js';
import { LockFile } from '../store/lock-file.js';
import { HitLog } from '../store/hit-log.js';
import type { Saving } from '../store/savings.js';
import { hasWorkers, isUsable } from '../store/usable-home.js';
import { DeliveryError, type DeliveryOptions } from './delivery.js';
import { deliverAll } from './handover.js';
import { answerOf, isAsSeen, type Looks } from './looks.js';
import type { PlannedOutput } from './plan.js';
import { productOf, stdoutFor, type Product } from './product.js';
import { unpackOutputs } from './stored-outputs.js';

const SHORTCUT_SCHEMA = 'vyre-cache.shortcut/2';
const NO_BYTES = new Uint8Array(0);
/** Some 100 bytes for each header. */
export const MAX_SHORTCUT_BYTES = 4_194_304;
/** Now and then a call goes the long way, so that what it reads there counts as used. */
const MAX_AGE_MS = 7 * 86_400_000;
const WRITABLE_BY_OTHERS = 0o022;

/** A call of the program as it was typed, and where. */
export interface TypedCall {
  /** Of the program: what it makes of the same files may change with it. */
  readonly version: string;
  readonly argv: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
}

export interface ShortOutput extends PlannedOutput {
  readonly executable: boolean;
}

/** An artifact that was verified, and what a hit needs of its record. */
export interface KnownArtifact {
  readonly fingerprint: Fingerprint;
  readonly outputs: readonly ShortOutput[];
  /** As {@link answerOf} sees the record of the artifact; what it says follows. */
  readonly record: string;
  /** Of the whole file of the entry, which was verified then: its {@link Host.checksum}. */
  readonly entryChecksum: string;
  /** Of the compiler. */
  readonly wallSeconds: number;
  /** What the compiler printed, in base64. */
  readonly stdout: string;
  readonly stderr: string;
}

/** What a call came to, and everything that was looked at on the way: it comes to the same while all of that is as it was. */
export interface Shortcut extends KnownArtifact, Looks {
  /** Milliseconds since 1970. */
  readonly leftAtMs: number;
  readonly maxPayloadBytes: number;
}

/** What make and shells change from call to call; no preset and no setting asks for them. */
export const CHANGING_VARIABLES: ReadonlySet<string> = new Set([
  '_',
  'CARGO_MAKEFLAGS',
  'MAKEFLAGS',
  'MAKELEVEL',
  'MFLAGS',
  'OLDPWD',
  'PWD',
  'SHLVL',
]);

/** The name under which the shortcut of a call on a root lies. @param schema what it is written in. */
export function shortcutName(host: Host, root: string, call: TypedCall, schema = SHORTCUT_SCHEMA): string {
  const { machine, user } = host;
  const { version, argv, cwd, environment } = call;
  const names: string[] = [];
  for (const name of Object.keys(environment)) if (!CHANGING_VARIABLES.has(name)) names.push(name);
  const variables: (readonly [string, string | undefined])[] = [];
  for (const name of names.toSorted()) variables.push([name, environment[name]]);
  const { platform, arch } = machine;
  const caller = [schema, version, platform, arch, user.uid, host.groups()];
  const text = JSON.stringify([...caller, root, cwd, argv, variables]);
  return host.checksum(Buffer.from(text));
}

/** True for a folder that is the user's alone. */
export function isOwnFolder({ files, user }: Host, folder: string): boolean {
  const stat = lstatOrNull(files, folder);
  return stat?.type === 'directory' && stat.uid === user.uid && (stat.mode & WRITABLE_BY_OTHERS) === 0;
}

/** Null where there is none, where it is damaged or old, and where others may write. */
export function readShortcut(host: Host, folder: string, name: string): Shortcut | null {
  if (!isOwnFolder(host, folder)) return null;
  const file = { path: `${folder}/${name}`, maxBytes: MAX_SHORTCUT_BYTES };
  const text = withRegularFile(host.files, file, (read) => (read.ok ? checkedText(host, read.bytes) : null));
  const shortcut = text === null ? null : decodeDocument(text, decode);
  return shortcut !== null && isYoung(host, shortcut) ? shortcut : null;
}

/** False from the day on when the long way is gone once more. */
export function isYoung({ clock }: Host, { leftAtMs }: Pick<Shortcut, 'leftAtMs'>): boolean {
  const ageMs = clock.nowMs() - leftAtMs;
  return ageMs >= 0 && ageMs < MAX_AGE_MS;
}

/** A shortcut as it lies in its file: a line of JSON, and the checksum of that line. */
export function shortcutBytes(host: Host, shortcut: Shortcut): Uint8Array {
  return withChecksum(host, JSON.stringify({ schema: SHORTCUT_SCHEMA, ...shortcut }));
}

/** A text, and its checksum on a line of its own. */
export function withChecksum(host: Host, text: string): Buffer {
  const bytes = Buffer.from(`${text}\n`);
  return Buffer.concat([bytes, Buffer.from(host.checksum(bytes.subarray(0, -1)))]);
}

/** The text; null where it is not what was written. */
export function checkedText(host: Host, bytes: Buffer): string | null {
  const text = bytes.toString();
  const end = text.lastIndexOf('\n');
  if (end < 0) return null;
  // A checksum has as many bytes as characters.
  const line = bytes.subarray(0, bytes.byteLength - (text.length - end));
  return host.checksum(line) === text.slice(end + 1) ? text.slice(0, end) : null;
}

function decode(reader: Reader): Shortcut {
  if (reader.text('schema') !== SHORTCUT_SCHEMA) mismatch('unknown schema');
  const shortcut = {
    leftAtMs: reader.count('leftAtMs'),
    maxPayloadBytes: reader.count('maxPayloadBytes'),
    ...decodeArtifact(reader),
    ...decodeLooks(reader),
  };
  reader.end();
  return shortcut;
}

export function decodeArtifact(reader: Reader): KnownArtifact {
  const fingerprint = reader.text('fingerprint');
  if (!isFingerprint(fingerprint)) mismatch('the fingerprint is none');
  return {
    fingerprint,
    outputs: reader.list('outputs', decodeOutput),
    record: reader.text('record'),
    entryChecksum: reader.text('entryChecksum'),
    wallSeconds: reader.amount('wallSeconds'),
    stdout: reader.text('stdout'),
    stderr: reader.text('stderr'),
  };
}

export function decodeLooks(reader: Reader): Looks {
  return { looks: withoutNul(reader.text('looks')), states: reader.values('states') };
}

function withoutNul(paths: string): string {
  return paths.includes('\0') ? mismatch('a path contains NUL') : paths;
}

function decodeOutput(value: unknown, path: string): ShortOutput {
  const item = new Reader(value, path);
  const output = {
    name: withoutNul(item.text('name')),
    path: withoutNul(item.text('path')),
    isStdout: item.flag('isStdout'),
    executable: item.flag('executable'),
  };
  item.end();
  return output;
}

/** What a call needs to take a shortcut. */
export interface ShortcutCall extends DeliveryOptions {
  readonly startedAtMs: number;
  /** Removes from the home what dead processes have left in it. */
  sweep(): Promise<void>;
  /** Counts a hit where the log of the home takes none. */
  countElsewhere(hit: Saving): Promise<void>;
}

/**
 * Delivers what a shortcut leads to, and counts a hit. Null where that is no more what the call comes to, or something is
 * wrong on the way: then nothing was counted, and the long way finds out.
 * @returns what the compiler printed.
 */
export async function takeShortcut(
  place: { readonly host: Host; readonly root: string },
  shortcut: Shortcut,
  call: ShortcutCall,
): Promise<Pick<Product, 'stdout' | 'stderr'> | null> {
  const { host, root } = place;
  const paths = new HomePaths(root);
  const opened: { lock: LockFile | null } = { lock: null };
  const openLock = (): LockFile => (opened.lock ??= new LockFile(host, paths.lock));
  try {
    if (!isUsable(host, paths) || !isAsSeen(host.files, shortcut)) return null;
    for (const { path } of shortcut.outputs) if (!isPlain(host, path)) return null;
    if (hasWorkers(host, paths)) await call.sweep();
    return await take({ host, paths, openLock }, shortcut, call);
  } catch (error) {
    const isCacheError = error instanceof CacheError;
    const isRefused = error instanceof DeliveryError || (isCacheError && error.code === 'usage');
    if (isRefused || (!isCacheError && errnoOf(error) !== null)) return null;
    throw error;
  } finally {
    opened.lock?.close();
  }
}

interface OpenedHome {
  readonly host: Host;
  readonly paths: HomePaths;
  /** What is in place already needs none. */
  readonly openLock: () => LockFile;
}

async function take(
  home: OpenedHome,
  shortcut: Shortcut,
  call: ShortcutCall,
): Promise<Pick<Product, 'stdout' | 'stderr'> | null> {
  const { host, paths } = home;
  const { outputs } = shortcut;
  const product = productAt(host, new StorePaths(paths.store), shortcut, shortcut.maxPayloadBytes);
  if (product === null) return null;
  const request = { plan: { outputs, inWorker: true }, options: call };
  await deliverAll(home, request, product);
  const tookMs = host.clock.monotonicMs() - call.startedAtMs;
  const savedMs = Math.max(0, Math.round(product.compileSeconds * 1000 - tookMs));
  const hit = { fingerprint: shortcut.fingerprint, savedMs, hits: 1 };
  if (!new HitLog(host, paths.private).add(hit)) await call.countElsewhere(hit);
  return { stdout: stdoutFor(shortcut, product), stderr: product.stderr };
}

/** What a shortcut leads to, verified; null where entry and record are not what they were when it was left. */
export function productAt(
  host: Host,
  store: StorePaths,
  known: KnownArtifact,
  maxPayloadBytes: number,
): Product | null {
  const { fingerprint, wallSeconds, stdout, stderr } = known;
  const path = store.entry(fingerprint);
  const entry = readRegularFile(host.files, path, maxPayloadBytes + FOOTER_BYTES);
  if (!entry.ok || host.checksum(entry.bytes) !== known.entryChecksum) return null;
  if (answerOf('lstat', host.files.lstat(store.record(fingerprint))) !== known.record) return null;
  const outputs = unpackOutputs(splitEntry(entry.bytes).payload, known);
  if (outputs === null) return null;
  markEntryUsed(host, path, entry.stat.mtimeMs);
  const record = {
    stdout: bytesOf(stdout),
    stderr: bytesOf(stderr),
    cost: { wallSeconds },
  };
  return productOf({ tier: 'disk', fingerprint, outputs, record });
}

/** Most compilers say nothing. */
function bytesOf(base64: string): Uint8Array {
  return base64 === '' ? NO_BYTES : Buffer.from(base64, 'base64');
}

/** Nothing or a file: what is delivered there may be delivered once more by the long way, which nobody would notice. */
function isPlain({ files }: Host, path: string): boolean {
  const there = files.lstat(path);
  return there === null || there.type === 'file';
}
