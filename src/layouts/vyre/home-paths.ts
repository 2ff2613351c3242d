import { resolve } from 'node:path';
import type { Fingerprint } from '../../model/fingerprint.js';

/** The store of a home: vyre-runtime's DiskCache reads and writes the same folder. */
export const STORE_FOLDER = 'pipelines';
/** Our private state; its presence with a `home.json` makes a directory a home. */
export const PRIVATE_FOLDER = '.vyre-cache';
export const CACHE_TAG = 'CACHEDIR.TAG';
export const WORKER_PREFIX = 'worker-dir-prepare-';
/** What `verify --quarantine` moved out of the way. */
export const QUARANTINE_FOLDER = 'quarantine';
export const OWNER_FILE = 'owner';

/** vyre's writers and the folders they fill below `~/.cache/vyre`. */
export const VYRE_SECTIONS = [
  STORE_FOLDER,
  'pipeline',
  'aot',
  'ptx-source',
  'ptx-cache',
  'frontend-c-summary',
  'parsed-ast',
  'cuda-jit',
] as const;

/** Every path below a home. Nothing else joins names to a root. */
export class HomePaths {
  /** Absolute, links resolved. */
  readonly root: string;
  readonly store: string;
  readonly private: string;
  readonly dependencySets: string;

  constructor(root: string) {
    this.root = root;
    this.store = resolve(root, STORE_FOLDER);
    this.private = resolve(root, PRIVATE_FOLDER);
    this.dependencySets = `${this.private}/deps`;
  }

  get cacheTag(): string {
    return resolve(this.root, CACHE_TAG);
  }

  get marker(): string {
    return `${this.private}/home.json`;
  }

  get lock(): string {
    return `${this.private}/lock`;
  }

  get pending(): string {
    return `${this.private}/pending`;
  }

  /** A pending list that a flush took away; it lies here until all its entries are durable. */
  takenPending(random: string): string {
    return `${this.pending}.${random}`;
  }

  get stamps(): string {
    return `${this.private}/stamps`;
  }

  /** The stamps of those who demand a key. */
  get signedStamps(): string {
    return `${this.private}/stamps.signed`;
  }

  /** Its mtime is the last time of automatic care. */
  get care(): string {
    return `${this.private}/care`;
  }

  /** Marks of compilations that ended without an entry. */
  get unstored(): string {
    return `${this.private}/unstored`;
  }

  /** Slots in which who writes a claimed output announces it. */
  get claims(): string {
    return `${this.private}/claims`;
  }

  /** Half-made things, each under a random name; what lies here for a day is litter. */
  get staging(): string {
    return `${this.private}/new`;
  }

  get requests(): string {
    return `${this.private}/requests`;
  }

  get quarantine(): string {
    return resolve(this.root, QUARANTINE_FOLDER);
  }

  quarantined(id: string): string {
    return `${this.quarantine}/${id}`;
  }

  staged(random: string): string {
    return `${this.staging}/${random}`;
  }

  request(shape: string): string {
    return `${this.requests}/${shape}`;
  }

  dependencies(primary: Fingerprint): string {
    return `${this.dependencySets}/${primary}`;
  }

  workerDirectory(random: string): string {
    return resolve(this.root, `${WORKER_PREFIX}${random}`);
  }
}

/** The paths of a flat folder of entries: a home's store, or any folder that a vyre-runtime fills. */
export class StorePaths {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** The folder is absolute and resolved: `join` would normalise it again for each of a million names. */
  entry(fingerprint: Fingerprint): string {
    return `${this.folder}/${entryName(fingerprint)}`;
  }

  record(fingerprint: Fingerprint): string {
    return `${this.folder}/${recordName(fingerprint)}`;
  }
}

function entryName(fingerprint: Fingerprint): string {
  return `${fingerprint}.bin`;
}

function recordName(fingerprint: Fingerprint): string {
  return `${fingerprint}.json`;
}
