import { basename, dirname } from 'node:path';
import { lstatOrNull, statOrNull, withFile } from '../host/files.js';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';
import type { Held, LockFile } from '../store/lock-file.js';
import type { Plan } from './plan.js';
import type { CacheSession } from './session.js';

/** Whoever writes outputs. */
export type Claimant = Pick<CacheSession, 'host' | 'paths' | 'openLock'>;

/** Outputs have bytes of their own in the lock file, beyond those of the fingerprints (2^20 to 2^20 + 2^48). */
const FIRST_OUTPUT_BYTE = 2 ** 49;
/** Slots of random numbers: who writes an output that somebody else has claimed changes its slot first. */
const SLOTS = 4096;
const SLOT_BYTES = 8;

/** What is known about the outputs of a request while work writes them. */
export interface Claim {
  /** True when somebody else was writing one of them when the work began, or has announced to do so since. */
  isContested(): boolean;
}

const UNSHARED: Claim = { isContested: () => false };

/** The same for work whose outputs nobody reads back: it does not ask who else has written them. */
export async function claimingQuietly<T>(
  session: Claimant,
  plan: Pick<Plan, 'outputs'>,
  work: () => Promise<T>,
): Promise<T> {
  const lock = session.openLock();
  if (lock === null) return work();
  return hold(session, { lock, bytes: bytesOf(session, plan), held: [], isRead: false }, work);
}

/** {@link claimingQuietly} for work that ends at once. Not held where somebody else has claimed one: that is announced. */
export function claimingNow<T>(session: Claimant, plan: Pick<Plan, 'outputs'>, work: () => T): Held<T> {
  const lock = session.openLock();
  if (lock === null) return { held: true, value: work() };
  return lock.tryHoldAllNow(bytesOf(session, plan), work);
}

/**
 * Runs work that writes the outputs of a request. A compilation at the real places is read from there, so bytes that
 * another process put there meanwhile must not be stored under its fingerprint. Nobody waits for anybody: who finds an
 * output claimed says so in its slot and goes on, as two bare compilers would; who has the claim looks at the slot
 * before it stores anything. Two outputs of one slot cost a result that is not stored.
 */
export async function claimingOutputs<T>(
  session: Claimant,
  plan: Plan,
  work: (claim: Claim) => Promise<T>,
): Promise<T> {
  const lock = session.openLock();
  if (lock === null) return work(UNSHARED);
  return hold(session, { lock, bytes: bytesOf(session, plan), held: [], isRead: true }, work);
}

function bytesOf(session: Claimant, plan: Pick<Plan, 'outputs'>): readonly number[] {
  const bytes: number[] = [];
  for (const { path } of plan.outputs) {
    for (const byte of outputBytes(session.host, path)) if (!bytes.includes(byte)) bytes.push(byte);
  }
  return bytes;
}

async function hold<T>(
  session: Claimant,
  claiming: {
    readonly lock: LockFile;
    readonly bytes: readonly number[];
    readonly held: readonly number[];
    /** True where the work will be asked whether it is contested. */
    readonly isRead: boolean;
  },
  work: (claim: Claim) => Promise<T>,
): Promise<T> {
  const { lock, bytes, held, isRead } = claiming;
  const byte = bytes[held.length];
  if (byte === undefined) return work(isRead ? claimOf(session, bytes) : UNSHARED);
  let isBegun = false;
  try {
    const tried = await lock.tryHold(byte, async () => {
      isBegun = true;
      return hold(session, { ...claiming, held: [...held, byte] }, work);
    });
    if (tried.held) return tried.value;
  } catch (error) {
    // What cannot be locked may be claimed by anybody.
    if (isBegun || errnoOf(error) === null) throw error;
  }
  announce(session, bytes);
  return work({ isContested: () => true });
}

function claimOf(session: Claimant, bytes: readonly number[]): Claim {
  const before = slotsOf(session, bytes);
  return { isContested: () => slotsOf(session, bytes) !== before };
}

function slotAt(byte: number): number {
  return (byte % SLOTS) * SLOT_BYTES;
}

/** Best effort: where not even this can be written, the claim of the other one is stored unwarned. */
function announce(session: Claimant, bytes: readonly number[]): void {
  const { files, random } = session.host;
  try {
    withFile(files, { path: session.paths.claims, flags: 'createReadWrite' }, (fd) => {
      for (const byte of bytes) files.writeAt(fd, Buffer.from(random.hex(SLOT_BYTES), 'hex'), slotAt(byte));
    });
  } catch (error) {
    if (errnoOf(error) === null) throw error;
  }
}

function slotsOf(session: Claimant, bytes: readonly number[]): string {
  const { files } = session.host;
  const slot = Buffer.alloc(SLOT_BYTES);
  try {
    return withFile(files, { path: session.paths.claims, flags: 'read' }, (fd) =>
      bytes
        .map((byte) => slot.toString('hex', 0, files.readAt(fd, slot, SLOT_BYTES, slotAt(byte))))
        .join(' '),
    );
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return '';
  }
}

/** The bytes of the file that a path leads to: of its place and of what lies there; none for devices and pipes. */
function outputBytes(host: Host, path: string): readonly number[] {
  const own = lstatOrNull(host.files, path);
  const there = own?.type === 'link' ? statOrNull(host.files, path) : own;
  if (there !== null && there.type !== 'file') return [];
  const names = [own?.type === 'link' ? placeOf(host, path) : plainPlaceOf(host, path)];
  if (there !== null) names.push(`${there.device}:${there.inode}`);
  return names.map((name) => FIRST_OUTPUT_BYTE + hashOf(name));
}

/**
 * 42 bits of FNV-1a over the characters of a name. Names that share them exclude each other, which costs a result that is
 * not stored; a cryptographic hash would have to be loaded first.
 */
function hashOf(name: string): number {
  let low = 0x811c_9dc5;
  let high = 0;
  for (let index = 0; index < name.length; index += 1) {
    low = Math.imul(low ^ name.charCodeAt(index), 0x0100_0193);
    high = (high * 31 + low) | 0;
  }
  return (high & 0x3ff) * 2 ** 32 + (low >>> 0);
}

/** Of what is no link itself: its name in its folder, whatever the folder is called. */
function plainPlaceOf({ files }: Host, path: string): string {
  const folder = statOrNull(files, dirname(path));
  // A path that cannot be followed: the write itself will say what is wrong.
  return folder === null ? path : `${folder.device}:${folder.inode}/${basename(path)}`;
}

/** The place of a path, links followed even where they lead to nothing yet. */
function placeOf(host: Host, path: string, depth = 0): string {
  const { files } = host;
  try {
    const isLink = lstatOrNull(files, path)?.type === 'link';
    if (isLink && depth < MAX_LINKS) {
      const target = files.readLink(path);
      const folder = files.realpath(dirname(path));
      return placeOf(host, target.startsWith('/') ? target : `${folder}/${target}`, depth + 1);
    }
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return path;
  }
  return plainPlaceOf(host, path);
}

/** As many as the kernel follows. */
const MAX_LINKS = 40;
