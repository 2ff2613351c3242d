import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSession, type CacheSession } from '../../src/compile/session.js';
import type { Host } from '../../src/host/host.js';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import type { Fingerprint } from '../../src/model/fingerprint.js';
import { encodeRecord } from '../../src/model/record.js';
import { openHome } from '../../src/store/home.js';
import { LockFile } from '../../src/store/lock-file.js';
import type { Artifact } from '../../src/store/tier.js';
import { entryBytes, hashOf } from './artifacts.js';
import { fakeHost } from './fake-host.js';
import { temporaryFolder, type Cleanup } from './temporary-folder.js';

/** A home in a temporary folder, as a process that maintains it sees it. */
export class TestHome {
  readonly paths: HomePaths;
  readonly root: string;
  readonly stateDirectory: string;
  readonly #t: Cleanup;

  constructor(t: Cleanup) {
    const folder = temporaryFolder(t);
    this.#t = t;
    this.root = join(folder, 'vyre');
    this.stateDirectory = join(folder, 'state');
    this.paths = new HomePaths(this.root);
    assert.ok(openHome(fakeHost(), this.paths).ok);
    this.lock();
  }

  entry(fingerprint: Fingerprint): string {
    return join(this.paths.store, `${fingerprint}.bin`);
  }

  record(fingerprint: Fingerprint): string {
    return join(this.paths.store, `${fingerprint}.json`);
  }

  /** Puts an artifact in place as another process would have published it. */
  place(artifact: Artifact): void {
    writeFileSync(this.entry(artifact.fingerprint), entryBytes(artifact.payload), { mode: 0o600 });
    if (artifact.record === null) return;
    writeFileSync(this.record(artifact.fingerprint), encodeRecord(artifact.record, hashOf), { mode: 0o600 });
  }

  /** A descriptor of its own for the lock file, as another process would have it. */
  lock(host: Host = fakeHost()): LockFile {
    const lock = new LockFile(host, join(this.paths.private, 'lock'));
    this.#t.after(() => {
      lock.close();
    });
    return lock;
  }

  session(host: Host = fakeHost()): CacheSession {
    return sessionOf(this.#t, this.root, { host, stateDirectory: this.stateDirectory });
  }
}

export function sessionOf(
  t: Cleanup,
  root: string,
  options: {
    readonly host?: Host;
    readonly stateDirectory?: string | null;
    readonly maxPayloadBytes?: number;
  } = {},
): CacheSession {
  const session = openSession({
    host: options.host ?? fakeHost(),
    root,
    stateDirectory: options.stateDirectory ?? null,
    maxPayloadBytes: options.maxPayloadBytes ?? 1_000_000,
  });
  t.after(() => {
    session.openLock()?.close();
  });
  return session;
}
