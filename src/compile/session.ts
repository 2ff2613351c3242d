import { MemoryTier, MEMORY_DEFAULTS, type MemoryBudget } from '../store/memory-tier.js';
import { DiskTier } from '../store/disk-tier.js';
import { lockProblem, openHome, readableStore, rootKind, type RootKind } from '../store/home.js';
import { KnownDocuments } from '../store/checked-file.js';
import { hasWorkers, type HomeProblem } from '../store/usable-home.js';
import { LayeredStore } from '../store/layered-store.js';
import { LockFile } from '../store/lock-file.js';
import { NotedSavings, type Saving } from '../store/savings.js';
import { PrivateState, type EventKind } from '../store/private-state.js';
import { foreignStateFolder } from '../store/state-folders.js';
import { statOrNull } from '../host/files.js';
import { HomePaths, StorePaths } from '../layouts/vyre/home-paths.js';
import { SingleFlight } from '../schedule/single-flight.js';
import { Tally, tallyOfHits } from '../model/counters.js';
import { errnoOf } from '../model/error.js';
import type { Fingerprint } from '../model/fingerprint.js';
import type { Signing } from '../model/signing.js';
import type { Host } from '../host/host.js';
import type { KnownSets } from './dependency-sets.js';
import type { WorkerStock } from '../store/worker-directory.js';
import { FileDigests } from './file-digests.js';
import type { Produced } from './product.js';
import type { Trouble } from './request.js';
import { Stamps } from './stamps.js';

export interface SessionOptions {
  readonly host: Host;
  /** Absolute, links resolved (`resolveRoot`). */
  readonly root: string;
  /** `$XDG_STATE_HOME/vyre-cache` or its default; null when neither is known: then nothing is counted for foreign roots. */
  readonly stateDirectory: string | null;
  readonly maxPayloadBytes: number;
  /** What signs and judges records; null or left out: no key is demanded. */
  readonly signing?: Signing | null;
  /** Of the memory tier; vyre's unless set. */
  readonly memory?: MemoryBudget;
  /** Run at the end of a session that published something. Never throws. */
  readonly care?: (session: CacheSession) => Promise<void>;
  /** Run once, before the first compilation in a home. */
  readonly sweep?: (
    host: Host,
    home: { readonly paths: HomePaths; readonly lock: LockFile },
  ) => Promise<{ readonly workers: number }>;
}

/** A home that may be published into. */
export interface Home {
  readonly paths: HomePaths;
  readonly lock: LockFile;
  readonly state: PrivateState;
  readonly memory: MemoryTier;
  readonly disk: DiskTier;
  /** Memory, then disk. */
  readonly store: LayeredStore;
}

export type HomeAccess =
  | { readonly ok: true; readonly home: Home }
  | { readonly ok: false; readonly problem: HomeProblem };

/** The counters of a batch are written this often, so that one that is killed loses little. */
const COUNTERS_MS = 10_000;
/** Some 10 KiB each. */
const MAX_KNOWN_SETS = 256;

/**
 * What one process keeps while it works on one root: the opened home, what it learned about files and compilers, what
 * it counted. `close` writes the counters: without it they are lost, and nothing else.
 */
export class CacheSession {
  readonly host: Host;
  readonly root: string;
  readonly maxPayloadBytes: number;
  readonly signing: Signing | null;
  readonly paths: HomePaths;
  readonly stateDirectory: string | null;
  readonly tally = new Tally();
  readonly flights = new SingleFlight<Produced | 'deferred'>();
  readonly knownSets: KnownSets = new KnownDocuments(MAX_KNOWN_SETS);
  readonly #savings = new NotedSavings();
  /** Called once per kind of trouble. */
  onTrouble: ((trouble: Trouble) => void) | null = null;
  /** Called once per note: what a user should know about a miss. */
  onNote: ((line: string) => void) | null = null;
  /** Takes the worker directories that compilations hand on; null while nobody does, who removes them in the end. */
  workerStock: WorkerStock | null = null;
  readonly #options: SessionOptions;
  readonly #troubles = new Map<string, Trouble>();
  readonly #notes = new Set<string>();
  #hasPublished = false;
  #access: Promise<HomeAccess> | null = null;
  #swept: Promise<void> | null = null;
  #digests: FileDigests | null = null;
  #store: DiskTier | null = null;
  /** True once its marker was read. */
  #wasHome = false;
  #countedAtMs: number;
  /** Undefined until it is asked for. */
  #lock: LockFile | null | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.host = options.host;
    this.root = options.root;
    this.maxPayloadBytes = options.maxPayloadBytes;
    this.signing = options.signing ?? null;
    this.paths = new HomePaths(options.root);
    this.stateDirectory = options.stateDirectory;
    this.#countedAtMs = options.host.clock.monotonicMs();
  }

  /** What is known about files. Read when the first is hashed. */
  get digests(): FileDigests {
    this.#digests ??= new FileDigests(this.host, new Stamps(this.host, this.paths, this.signing));
    return this.#digests;
  }

  get troubles(): readonly Trouble[] {
    return [...this.#troubles.values()];
  }

  /** Remembers trouble: shown once per kind, kept in the journal where one can be written. */
  addTrouble(trouble: Trouble, fingerprint: Fingerprint | null = null): void {
    if (this.#troubles.has(trouble.kind)) return;
    this.#troubles.set(trouble.kind, trouble);
    this.onTrouble?.(trouble);
    this.addEvent({ kind: 'trouble', reason: trouble.kind, fingerprint, message: trouble.message });
  }

  /** The cache could not be used for a call: counted, and shown once per kind. */
  addDegraded(problem: HomeProblem): void {
    this.tally.add('degraded');
    this.tally.add(`degraded:${problem.reason}`);
    this.addTrouble({ kind: problem.reason, message: `${problem.message}; compiled without the cache` });
  }

  addEvent(event: {
    readonly kind: EventKind;
    readonly reason: string;
    readonly fingerprint: Fingerprint | null;
    readonly message: string;
  }): void {
    for (const { state, lock } of this.#writableStates()) {
      lock.close();
      if (state.addEvent({ atMs: this.host.clock.nowMs(), ...event })) return;
    }
  }

  /** Notes that a hit has saved something: written with the counters. */
  addSaving(fingerprint: Fingerprint, savedMs: number): void {
    this.#savings.add({ fingerprint, savedMs, hits: 1 });
  }

  /** Counts a hit that was answered without this session. */
  addHit(saving: Saving): void {
    this.tally.addAll(tallyOfHits([saving]));
    if (saving.savedMs > 0) this.addSaving(saving.fingerprint, saving.savedMs);
  }

  addNote(line: string): void {
    if (this.#notes.has(line)) return;
    this.#notes.add(line);
    this.onNote?.(line);
  }

  /** The home, made if need be, without what dead processes left in it; or why this user cannot publish into it. */
  async openHome(): Promise<HomeAccess> {
    this.#access ??= this.#openHome();
    return this.#access;
  }

  /** {@link openHome} for a batch: null where the cache cannot be used. */
  async homeOrNull(): Promise<Home | null> {
    try {
      const access = await this.openHome();
      return access.ok ? access.home : null;
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return null;
    }
  }

  async #openHome(): Promise<HomeAccess> {
    const opened = openHome(this.host, this.paths);
    if (!opened.ok) return opened;
    this.#wasHome = true;
    const { paths } = opened;
    const state = new PrivateState(this.host, paths.private);
    this.#lock ??= this.#openLock(state.lockPath);
    const lock = this.#lock;
    if (lock === null) return { ok: false, problem: lockProblem(this.host, state.lockPath) };
    const disk = new DiskTier(this.host, {
      paths: new StorePaths(paths.store),
      maxPayloadBytes: this.maxPayloadBytes,
      lock,
      signing: this.signing,
    });
    const memory = new MemoryTier(this.host.hash, this.#options.memory ?? MEMORY_DEFAULTS);
    const store = new LayeredStore([memory, disk]);
    const home: Home = { paths, lock, state, memory, disk, store };
    // What a killed process left is removed even where all that follows are hits.
    if (hasWorkers(this.host, paths)) await this.sweep(home);
    return { ok: true, home };
  }

  /** Sweeps the home, once per process. Called before something is made in it. */
  async sweep(home: Home): Promise<void> {
    this.#swept ??= this.#sweep(home);
    return this.#swept;
  }

  async #sweep({ paths, lock, state }: Home): Promise<void> {
    const swept = await this.#options.sweep?.(this.host, { paths, lock });
    if (swept === undefined || swept.workers === 0) return;
    const { workers } = swept;
    const what = workers === 1 ? 'a worker directory' : `${workers} worker directories`;
    const message = `${what} of dead processes removed`;
    const atMs = this.host.clock.nowMs();
    state.addEvent({ atMs, kind: 'swept', reason: 'dead-owner', fingerprint: null, message });
  }

  #openLock(path: string): LockFile | null {
    try {
      return new LockFile(this.host, path);
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return null;
    }
  }

  /** What the root is, for commands that only read. @throws the errno error when it cannot be read. */
  kind(): RootKind {
    const kind = rootKind(this.host, this.paths);
    this.#wasHome ||= kind === 'home';
    return kind;
  }

  /** The store of the root for reading. @throws CacheError environment where it is a link. */
  openStore(): DiskTier {
    this.#store ??= this.#openStore();
    return this.#store;
  }

  #openStore(): DiskTier {
    return new DiskTier(this.host, {
      paths: new StorePaths(readableStore(this.host, this.paths, this.#wasHome ? 'home' : this.kind())),
      maxPayloadBytes: this.maxPayloadBytes,
      lock: this.openLock(),
      signing: this.signing,
    });
  }

  /**
   * The lock file of a home that may be written; null elsewhere: then nothing can be locked. Opened once. Who only reads
   * makes none, nor does root in a home of somebody else: where it is absent, nobody holds a lock.
   */
  openLock(options: { readonly make: boolean } = { make: false }): LockFile | null {
    if (this.#lock === undefined) {
      const path = this.paths.lock;
      const isHome = this.#isHome();
      const mayMake = options.make && this.#isOwner();
      if (isHome && !mayMake && this.host.files.lstat(path) === null) return null;
      this.#lock = isHome ? this.#openLock(path) : null;
    }
    return this.#lock;
  }

  /** What is kept about this root outside of it; null where there is no state directory. */
  stateFolder(): string | null {
    const { stateDirectory } = this;
    return stateDirectory === null ? null : foreignStateFolder(this.host, stateDirectory, this.root);
  }

  /** Where counters of this root may lie: in the home, and under the state directory. */
  states(): readonly PrivateState[] {
    const outside = this.stateFolder();
    const states = [new PrivateState(this.host, this.paths.private)];
    return outside === null ? states : [...states, new PrivateState(this.host, outside)];
  }

  /** The state folders that this user may write, best first; that of the home only where there is one of their own. */
  *#writableStates(): Generator<{ readonly state: PrivateState; readonly lock: LockFile }> {
    const [inHome, foreign] = this.states();
    if (inHome !== undefined && this.#isHome() && this.#isOwner()) {
      const lock = this.#openLock(inHome.lockPath);
      if (lock !== null) yield { state: inHome, lock };
    }
    if (foreign === undefined || !this.#makeFolder(foreign.folder)) return;
    const lock = this.#openLock(foreign.lockPath);
    if (lock !== null) yield { state: foreign, lock };
  }

  /** A home that was removed meanwhile has no folder for a lock file: who opens that finds out. */
  #isHome(): boolean {
    try {
      return this.#wasHome || this.kind() === 'home';
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return false;
    }
  }

  /** A file of root's in the home of somebody else would lock its owner out. */
  #isOwner(): boolean {
    const { files, user } = this.host;
    return [this.paths.root, this.paths.private].every((path) => statOrNull(files, path)?.uid === user.uid);
  }

  #makeFolder(folder: string): boolean {
    try {
      this.host.files.makeDirectories(folder);
      return true;
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return false;
    }
  }

  /** Writes counters and stamps. Best effort: a cache that cannot be written loses the figures of this process. */
  async close(): Promise<void> {
    const access = await this.#access;
    if (access?.ok === true) this.#digests?.stamps.save();
    await this.saveCounters();
    if (this.#hasPublished) await this.#options.care?.(this);
    this.#hasPublished = false;
    await this.saveCounters();
    this.#lock?.close();
  }

  /** True for a batch that should write its counters now. */
  get mustSaveCounters(): boolean {
    return this.host.clock.monotonicMs() - this.#countedAtMs >= COUNTERS_MS;
  }

  /** Adds what was counted since the last time to the counters of the root. */
  async saveCounters(): Promise<void> {
    this.#countedAtMs = this.host.clock.monotonicMs();
    if (this.tally.isEmpty) return;
    this.#hasPublished ||= this.tally.values.has('puts');
    const taken = this.tally.take();
    const savings = this.#savings.take();
    for (const { state, lock } of this.#writableStates()) {
      try {
        // Somebody has stopped while they held it: the next folder counts.
        if (await state.addToCounters(taken, lock, savings)) return;
      } catch (error) {
        // No space, or a file system that became read-only: likewise.
        if (errnoOf(error) === null) throw error;
      } finally {
        lock.close();
      }
    }
  }
}

export function openSession(options: SessionOptions): CacheSession {
  return new CacheSession(options);
}
