import type { Host } from '../host/host.js';
import { recognise } from '../layouts/recognition.js';
import type { HomePaths } from '../layouts/vyre/home-paths.js';
import type { Fingerprint } from '../model/fingerprint.js';
import type { Signing } from '../model/signing.js';
import type { DiskTier } from '../store/disk-tier.js';
import type { RootKind } from '../store/home.js';
import type { LockFile } from '../store/lock-file.js';
import type { EventKind, PrivateState } from '../store/private-state.js';

/** A root as the maintaining commands see it. */
export interface MaintainedRoot {
  readonly host: Host;
  /** Absolute, links resolved. */
  readonly root: string;
  readonly paths: HomePaths;
  readonly maxPayloadBytes: number;
  /** What judges records; null: no key is demanded. */
  readonly signing: Signing | null;
  kind(): RootKind;
  openStore(): DiskTier;
  /** The lock file of a home that may be written; null elsewhere, and where it is absent unless it shall be made. */
  openLock(options?: { readonly make: boolean }): LockFile | null;
  states(): readonly PrivateState[];
  /** What is kept outside of roots; null where nothing is. */
  readonly stateDirectory: string | null;
  /** What is kept about this root outside of it; it may be absent. Null where there is no state directory. */
  stateFolder(): string | null;
  /** Writes to the journal, wherever this user may keep one. Best effort, as the journal itself. */
  addEvent(event: {
    readonly kind: EventKind;
    readonly reason: string;
    readonly fingerprint: Fingerprint | null;
    readonly message: string;
  }): void;
}

/** Kinds of roots that have a store of entries. */
export const OURS: ReadonlySet<RootKind> = new Set(['home', 'newer-home', 'sections', 'store']);

/** True when a root fits a layout. @throws the errno error when it cannot be read. */
export function isRecognised(root: MaintainedRoot): boolean {
  const kind = root.kind();
  return OURS.has(kind) || (kind === 'foreign' && recognise(root.host, root.root, 'root') !== null);
}
