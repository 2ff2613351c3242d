import type { Host } from '../host/host.js';
import type { Layout } from '../layouts/layout.js';
import type { HomePaths } from '../layouts/vyre/home-paths.js';
import { storeLayout, vyreLayout } from '../layouts/vyre/vyre-layout.js';
import type { Fingerprint } from '../model/fingerprint.js';
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
  kind(): RootKind;
  openStore(): DiskTier;
  /** The lock file of a home that may be written; null elsewhere, and where it is absent unless it shall be made. */
  openLock(options?: { readonly make: boolean }): LockFile | null;
  states(): readonly PrivateState[];
  /** Writes to the journal, wherever this user may keep one. Best effort, as the journal itself. */
  addEvent(event: {
    readonly kind: EventKind;
    readonly reason: string;
    readonly fingerprint: Fingerprint | null;
    readonly message: string;
  }): void;
}

/** The layout of a root; null where nothing is recognised. */
export function layoutOf(kind: RootKind): Layout | null {
  switch (kind) {
    case 'home':
    case 'sections':
    case 'newer-home':
      return vyreLayout;
    case 'store':
      return storeLayout;
    case 'absent':
    case 'empty':
    case 'foreign':
    case 'not-a-directory':
      return null;
    default:
      return kind satisfies never;
  }
}
