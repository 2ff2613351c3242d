import { join } from 'node:path';
import type { DirectoryItem } from '../host/files.js';
import { readRegularFile } from '../host/regular-file.js';
import type { Host } from '../host/host.js';
import type { Processes } from '../host/processes.js';
import { OWNER_FILE, WORKER_PREFIX, type HomePaths } from '../layouts/vyre/home-paths.js';
import { decoding, mismatch, parseJson, Reader } from '../model/decoder.js';
import { errnoOf } from '../model/error.js';
import { ACTIVE_VARIABLE } from '../model/lifecycle.js';
import { isFingerprint, type Fingerprint } from '../model/fingerprint.js';
import { untilStaged } from './staging.js';

const SCHEMA = 'vyre-cache.owner/1';
const MAX_OWNER_BYTES = 65_536;
const WHOLE_FILE = { offset: 0, length: 1 } as const;
/** An owner of whom this process can see nothing counts as alive for a day. */
const UNSEEN_OWNER_MS = 86_400_000;
const END_TRIES = 50;
const END_WAIT_MS = 20;

/** Who compiles in a worker directory. */
export interface Owner {
  readonly pid: number;
  readonly startTicks: number | null;
  readonly host: string;
  readonly bootId: string | null;
  readonly pidNamespace: string | null;
  /** False where the platform has no locks: then the pid decides. */
  readonly locked: boolean;
  readonly fingerprint: Fingerprint;
  readonly startedAtMs: number;
}

/** The process group of a compiler. */
export interface OwnedGroup {
  /** Its number, which is the pid of its leader. */
  readonly group: number;
  /** Of the leader. */
  readonly startTicks: number | null;
}

/** The folders of a compilation in its worker directory. */
export const WORKER_FOLDERS = { outputs: 'out', home: 'home' } as const;

/** A folder in `new/` with the file that names its owner, open. */
export interface OwnedFolder {
  readonly name: string;
  readonly fd: number;
}

/** Where worker directories wait that are handed on. */
export interface WorkerStock {
  /** One that is like a new one with its folders; null where there is none. */
  take(): OwnedFolder | null;
  /** Empties a worker directory and keeps it. @returns false where that fails: it has to be removed. */
  keep(path: string, fd: number): boolean;
}

/** One compilation in flight: `worker-dir-prepare-<random>/` of a home, owned through a lock on its file `owner`. */
export interface WorkerDirectory {
  readonly path: string;
  /** The random part of its name. */
  readonly random: string;
  /**
   * Notes the process group that was started for this compilation, by its leader. Best effort: without the note its
   * members are still known by their environment.
   */
  recordGroup(leader: number): void;
  /** True when an earlier compilation handed it on: {@link WORKER_FOLDERS} are there, and empty. */
  readonly isHandedOn: boolean;
  /**
   * Hands the directory on to a next compilation, where there is a stock, else removes it. For one that was left in order
   * only: nothing that it has started runs any more, and its folders hold what was expected.
   */
  handOn(): void;
  /** Removes the directory and gives up the ownership. Best effort: what stays is swept. */
  remove(): void;
}

/**
 * Makes a worker directory. It is staged in `new/` with its owner locked and renamed into place, so that no sweep ever
 * meets one that is unlocked and alive.
 * @param stock null: it is made anew, and removed in the end.
 * @throws the errno error of the step that failed; nothing stays at the top level then.
 */
export function createWorkerDirectory(
  host: Host,
  paths: HomePaths,
  fingerprint: Fingerprint,
  stock: WorkerStock | null = null,
): WorkerDirectory {
  const { folder, isHandedOn, ownerBytes } = untilStaged(() => {
    const used = stock?.take() ?? null;
    const owned = used ?? makeOwned(host, paths);
    return {
      folder: owned,
      isHandedOn: used !== null,
      ownerBytes: putInPlace(host, paths, owned, fingerprint),
    };
  });
  const { name, fd } = folder;
  const path = paths.workerDirectory(name);
  const remove = (): void => {
    discard(host, paths, path);
    host.files.close(fd);
  };
  return {
    path,
    random: name,
    isHandedOn,
    recordGroup: (leader) => {
      recordGroup(host, { fd, position: ownerBytes }, leader);
    },
    handOn: () => {
      if (stock?.keep(path, fd) !== true) remove();
    },
    remove,
  };
}

/** A directory in `new/` with a file for its owner. */
function makeOwned(host: Host, paths: HomePaths): OwnedFolder {
  const name = host.random.hex(8);
  const staged = paths.staged(name);
  makeStaged(host, paths, staged);
  return { name, fd: host.files.open(join(staged, OWNER_FILE), 'createNew') };
}

/** Locks and names the owner and brings the directory to the top level. @returns the bytes of the owner's line. */
function putInPlace(
  host: Host,
  paths: HomePaths,
  { name, fd }: OwnedFolder,
  fingerprint: Fingerprint,
): number {
  const { files, locks } = host;
  const staged = paths.staged(name);
  const line = Buffer.from(`${JSON.stringify(ownerDocument(host, fingerprint))}\n`, 'utf8');
  try {
    locks.tryLock(fd, WHOLE_FILE);
    files.writeAt(fd, line, 0);
    // Without the group of the compilation before.
    files.truncate(fd, line.byteLength);
    files.rename(staged, paths.workerDirectory(name));
    return line.byteLength;
  } catch (error) {
    files.close(fd);
    removeQuietly(host, staged);
    throw error;
  }
}

/** One write behind the line of the owner. */
function recordGroup(
  host: Host,
  owner: { readonly fd: number; readonly position: number },
  leader: number,
): void {
  const group: OwnedGroup = { group: leader, startTicks: host.processes.info(leader)?.startTicks ?? null };
  try {
    host.files.writeAt(owner.fd, Buffer.from(`${JSON.stringify(group)}\n`, 'utf8'), owner.position);
  } catch (error) {
    // Best effort, see above: a full disk must not end a compilation.
    if (errnoOf(error) === null) throw error;
  }
}

function makeStaged(host: Host, paths: HomePaths, staged: string): void {
  try {
    host.files.makeDirectory(staged);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    // Private state may be deleted at any time.
    host.files.makeDirectories(paths.staging);
    host.files.makeDirectory(staged);
  }
}

function ownerDocument(host: Host, fingerprint: Fingerprint): Owner & { readonly schema: string } {
  const { processes, locks, clock } = host;
  return {
    schema: SCHEMA,
    pid: processes.pid,
    startTicks: ownStartTicks(processes),
    ...processes.place,
    locked: locks.available,
    fingerprint,
    startedAtMs: clock.nowMs(),
  };
}

const knownTicks = new WeakMap<Processes, number | null>();

/** Of this process: they never change. */
function ownStartTicks(processes: Processes): number | null {
  const known = knownTicks.get(processes);
  if (known !== undefined) return known;
  const ticks = processes.info(processes.pid)?.startTicks ?? null;
  knownTicks.set(processes, ticks);
  return ticks;
}

/** Renamed back to `new/` first: a process killed while it removes leaves no directory without owner at the top level. */
function discard(host: Host, paths: HomePaths, path: string): void {
  let left = path;
  try {
    const staged = paths.staged(host.random.hex(8));
    host.files.rename(path, staged);
    left = staged;
  } catch {
    // Best effort: removed where it is.
  }
  removeQuietly(host, left);
}

export function removeQuietly(host: Host, path: string): void {
  try {
    host.files.removeTree(path);
  } catch {
    // Best effort: the next sweep tries again.
  }
}

/** A worker directory as another process finds it. */
export interface FoundWorker {
  readonly path: string;
  readonly random: string;
  /** Null when the owner file does not decode: its process was killed while it wrote it. */
  readonly owner: Owner | null;
  /** Null before the compiler was started. */
  readonly group: OwnedGroup | null;
}

/** Every worker directory of ours at the top level of a home. A folder of that name without `owner` is not ours. */
export function findWorkers(host: Host, paths: HomePaths): readonly FoundWorker[] {
  const found: FoundWorker[] = [];
  for (const item of topLevel(host, paths)) {
    if (item.type !== 'directory' || !item.name.startsWith(WORKER_PREFIX)) continue;
    const path = join(paths.root, item.name);
    const read = readRegularFile(host.files, join(path, OWNER_FILE), MAX_OWNER_BYTES);
    if (!read.ok) continue;
    const [first = '', second = ''] = read.bytes.toString('utf8').split('\n');
    const random = item.name.slice(WORKER_PREFIX.length);
    found.push({ path, random, owner: decodeOwner(first), group: decodeGroup(second) });
  }
  return found;
}

function topLevel(host: Host, paths: HomePaths): readonly DirectoryItem[] {
  try {
    return host.files.readDirectory(paths.root);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return [];
  }
}

function decodeOwner(line: string): Owner | null {
  const decoded = decoding(() => {
    const reader = new Reader(parseJson(line), 'owner');
    if (reader.text('schema') !== SCHEMA) mismatch('unknown schema');
    const fingerprint = reader.text('fingerprint');
    if (!isFingerprint(fingerprint)) return mismatch('no fingerprint');
    return {
      pid: reader.count('pid'),
      startTicks: reader.countOrNull('startTicks'),
      host: reader.text('host'),
      bootId: reader.textOrNull('bootId'),
      pidNamespace: reader.textOrNull('pidNamespace'),
      locked: reader.flag('locked'),
      fingerprint,
      startedAtMs: reader.count('startedAtMs'),
    };
  });
  return decoded.ok ? decoded.value : null;
}

function decodeGroup(line: string): OwnedGroup | null {
  const decoded = decoding(() => {
    const reader = new Reader(parseJson(line), 'group');
    return { group: reader.count('group'), startTicks: reader.countOrNull('startTicks') };
  });
  return decoded.ok ? decoded.value : null;
}

/** True when the owner of a worker directory is gone. */
export async function isDead(host: Host, worker: FoundWorker): Promise<boolean> {
  return whileDead(host, worker, () => true);
}

/**
 * Ends what a dead owner left running and removes its directory. Does nothing while the owner lives. Where nobody can tell
 * now what still runs, the directory stays, for a day: without it nobody would know of them.
 * @returns true when the directory was dead and is gone.
 */
export async function reclaimIfDead(host: Host, paths: HomePaths, worker: FoundWorker): Promise<boolean> {
  return whileDead(host, worker, async () => {
    if (!(await endLeftovers(host, worker))) return false;
    discard(host, paths, worker.path);
    return true;
  });
}

/** Runs `work` in the place of a dead owner, so that only one process does it. @returns false while the owner lives. */
async function whileDead(
  host: Host,
  worker: FoundWorker,
  work: () => boolean | Promise<boolean>,
): Promise<boolean> {
  const fd = openOwner(host, worker);
  if (fd === null) return false;
  try {
    if (!host.locks.tryLock(fd, WHOLE_FILE)) return false;
    if (ownerLives(host, worker.owner)) return false;
    return await work();
  } finally {
    host.files.close(fd);
  }
}

function openOwner(host: Host, worker: FoundWorker): number | null {
  try {
    return host.files.open(join(worker.path, OWNER_FILE), 'readWrite');
  } catch (error) {
    // Gone since it was found, or not ours to judge.
    if (errnoOf(error) === null) throw error;
    return null;
  }
}

/** Called with the lock of the owner file in hand: whoever was locked and lives would hold it. */
function ownerLives(host: Host, owner: Owner | null): boolean {
  if (owner === null) return false;
  const { place } = host.processes;
  const sameKernel = owner.bootId !== null && owner.bootId === place.bootId;
  if (sameKernel && owner.locked && host.locks.available) return false;
  if (sameKernel && owner.pidNamespace === place.pidNamespace) {
    const process = host.processes.info(owner.pid);
    return process !== null && !process.zombie && process.startTicks === owner.startTicks;
  }
  if (!sameKernel && owner.host === place.host && owner.bootId !== null && place.bootId !== null)
    return false;
  return host.clock.nowMs() - owner.startedAtMs < UNSEEN_OWNER_MS;
}

/**
 * Ends every process that carries this worker in its environment, and nobody else: first those of the compiler's group,
 * which may start others, then what left the group. A group number may have been given away since, so it alone proves
 * nothing. @returns false where these processes cannot be told now, and will be later.
 */
async function endLeftovers(host: Host, { owner, group, random }: FoundWorker): Promise<boolean> {
  const { processes, clock } = host;
  if (owner === null) return true;
  const { bootId, pidNamespace } = processes.place;
  const isOld = clock.nowMs() - owner.startedAtMs >= UNSEEN_OWNER_MS;
  // What of ours cannot be read now may be the owner's as well.
  if ((bootId === null && owner.bootId !== null) || (pidNamespace === null && owner.pidNamespace !== null))
    return isOld;
  if (owner.bootId !== bootId || owner.pidNamespace !== pidNamespace) return true;
  const isInGroup = (pid: number): boolean => group !== null && processes.info(pid)?.group === group.group;
  for (let attempt = 0; attempt < END_TRIES; attempt += 1) {
    const left = membersIfTold(host, activeMark(owner.fingerprint, random));
    if (left === null) return isOld;
    if (left.length === 0) return true;
    const inGroup = left.filter(isInGroup);
    for (const pid of new Set([...inGroup, ...left])) processes.kill(pid, 'SIGKILL');
    await clock.sleep(END_WAIT_MS);
  }
  return true;
}

function membersIfTold(host: Host, mark: string): readonly number[] | null {
  try {
    return membersOf(host, mark);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return null;
  }
}

/** How a child names the compilation that started it. */
export function activeMark(fingerprint: Fingerprint, random: string): string {
  return `${fingerprint}/${random}`;
}

/**
 * The living processes that were started by a compilation, wherever they went.
 * @throws the errno error when they cannot be told now.
 */
export function membersOf(host: Host, mark: string): readonly number[] {
  const { processes } = host;
  return processes
    .list()
    .filter((process) => !process.zombie && process.pid !== processes.pid)
    .filter(
      (process) => processes.variableOf(process.pid, ACTIVE_VARIABLE)?.split(':').includes(mark) === true,
    )
    .map((process) => process.pid);
}
