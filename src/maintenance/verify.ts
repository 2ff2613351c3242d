import { relative as relativePath } from 'node:path';
import { isExpiredFailure } from '../model/failure.js';
import type { Fingerprint } from '../model/fingerprint.js';
import { EntryChecker, type EntryCheck } from '../store/entry-check.js';
import type { DiskTier } from '../store/disk-tier.js';
import { fingerprintByte, type LockFile } from '../store/lock-file.js';
import { layoutOf, type MaintainedRoot } from './maintained-root.js';
import type { VerifyProblem, VerifyReport } from './reports.js';
import { walk, type WalkedFile } from './walk.js';

/** How often a verdict is repeated while somebody publishes under the same fingerprint. */
const REPEATS = 20;
const REPEAT_WAIT_MS = 50;

export interface VerifyOptions {
  /** Null: everything below the root. */
  readonly fingerprints: readonly Fingerprint[] | null;
  onProgress?(progress: { readonly files: number; readonly bytes: number }): void;
}

type Tallied = 'valid' | 'damaged' | 'unverifiable' | 'litter' | 'aliens' | 'unreadable';

/** What is counted while a verification runs. */
class Findings {
  readonly counts: Record<Tallied, number> = {
    valid: 0,
    damaged: 0,
    unverifiable: 0,
    litter: 0,
    aliens: 0,
    unreadable: 0,
  };
  readonly problems: VerifyProblem[] = [];
  files = 0;
  bytes = 0;
}

interface Passed {
  readonly kind: 'valid' | 'gone';
  readonly bytes: number;
}

interface Failed {
  readonly kind: 'damaged' | 'unreadable';
  readonly reason: string;
  readonly bytes: number;
}

type Verdict = Passed | Failed;

/**
 * Checks every byte of every artifact. Reads only, and is safe while others write: a verdict that speaks against an
 * artifact is repeated while nobody publishes it.
 */
export async function verify(root: MaintainedRoot, options: VerifyOptions): Promise<VerifyReport> {
  const startMs = root.host.clock.monotonicMs();
  const findings = new Findings();
  const verifier = new Verifier(root, findings, options);
  if (options.fingerprints === null) await verifier.all();
  else for (const fingerprint of options.fingerprints) await verifier.named(fingerprint);
  const { counts } = findings;
  return {
    root: root.root,
    artifacts: counts.valid + counts.damaged + counts.unverifiable,
    ...counts,
    quarantined: 0,
    bytes: findings.bytes,
    seconds: (root.host.clock.monotonicMs() - startMs) / 1000,
    problems: findings.problems,
  };
}

class Verifier {
  readonly #root: MaintainedRoot;
  readonly #findings: Findings;
  readonly #options: VerifyOptions;
  readonly #checker: EntryChecker;
  readonly #store: DiskTier;
  readonly #lock: LockFile | null;
  readonly #layoutName: string;

  constructor(root: MaintainedRoot, findings: Findings, options: VerifyOptions) {
    this.#root = root;
    this.#findings = findings;
    this.#options = options;
    this.#checker = new EntryChecker(root.host, root.maxPayloadBytes);
    this.#store = root.openStore();
    this.#lock = root.openLock();
    this.#layoutName = layoutOf(root.kind())?.name ?? 'vyre';
  }

  async all(): Promise<void> {
    const layout = layoutOf(this.#root.kind());
    if (layout === null) return;
    await walk(this.#root.host, this.#root.root, layout, {
      file: async (file) => this.#file(file),
      unreadable: (relative, errno) => {
        this.#problem({ path: relative, fingerprint: null, reason: errno }, 'unreadable');
      },
    });
  }

  async named(fingerprint: Fingerprint): Promise<void> {
    const path = this.#relativeEntry(fingerprint);
    const verdict = await this.#judge(fingerprint);
    if (verdict.kind === 'gone') this.#problem({ path, fingerprint, reason: 'absent' }, 'damaged');
    else this.#conclude(fingerprint, path, verdict);
  }

  #relativeEntry(fingerprint: Fingerprint): string {
    return relativePath(this.#root.root, this.#store.paths.entry(fingerprint));
  }

  async #file(file: WalkedFile): Promise<void> {
    const { classified, relative } = file;
    switch (classified.kind) {
      case 'entry':
        this.#conclude(classified.fingerprint, relative, await this.#judge(classified.fingerprint));
        return;
      case 'record':
        if (await this.#isOrphan(classified.fingerprint)) this.#findings.counts.litter += 1;
        return;
      case 'unverifiable':
      case 'litter':
        this.#findings.counts[classified.kind] += 1;
        return;
      case 'alien':
        this.#findings.counts.aliens += 1;
        return;
      case 'private':
        return;
      default:
        classified satisfies never;
    }
  }

  #conclude(fingerprint: Fingerprint, path: string, verdict: Verdict): void {
    const { counts } = this.#findings;
    this.#findings.files += 1;
    this.#findings.bytes += verdict.bytes;
    this.#options.onProgress?.({ files: this.#findings.files, bytes: this.#findings.bytes });
    if ('reason' in verdict) this.#problem({ path, fingerprint, reason: verdict.reason }, verdict.kind);
    else if (verdict.kind === 'valid') counts.valid += 1;
  }

  #problem(problem: Omit<VerifyProblem, 'layout'>, kind: 'damaged' | 'unreadable'): void {
    this.#findings.counts[kind] += 1;
    this.#findings.problems.push({ ...problem, layout: this.#layoutName });
  }

  async #judge(fingerprint: Fingerprint): Promise<Verdict> {
    const first = this.#judgeOnce(fingerprint);
    if (first.kind !== 'damaged') return first;
    return this.#undisturbed(fingerprint, () => this.#judgeOnce(fingerprint));
  }

  /** Repeats a look while the fingerprint's lock is free, so that no publisher stands in between. */
  async #undisturbed<T>(fingerprint: Fingerprint, look: () => T): Promise<T> {
    const { clock } = this.#root.host;
    for (let attempt = 0; this.#lock !== null && attempt < REPEATS; attempt += 1) {
      const held = await this.#lock.tryHold(fingerprintByte(fingerprint), look);
      if (held.held) return held.value;
      await clock.sleep(REPEAT_WAIT_MS);
    }
    return look();
  }

  #judgeOnce(fingerprint: Fingerprint): Verdict {
    const check = this.#checker.check(this.#store.paths.entry(fingerprint));
    if (check.verdict === 'absent') return { kind: 'gone', bytes: 0 };
    if (check.verdict === 'unreadable') return { kind: 'unreadable', reason: check.errno, bytes: 0 };
    if (check.verdict === 'damaged') return { kind: 'damaged', reason: check.reason, bytes: check.bytes };
    return this.#judgeRecord(fingerprint, check);
  }

  /** An entry whose record tells of another one was exchanged; a record that does not decode is damage, too. */
  #judgeRecord(fingerprint: Fingerprint, check: EntryCheck & { readonly verdict: 'valid' }): Verdict {
    const bytes = check.stat.bytes;
    const read = this.#store.readRecord(fingerprint);
    if (!read.ok) {
      if (read.reason === 'unreadable') return { kind: 'damaged', reason: 'unreadable-record', bytes };
      return { kind: 'valid', bytes };
    }
    const { record } = read;
    const belongs =
      record.fingerprint === fingerprint &&
      record.payloadDigest === check.digest &&
      record.payloadBytes === check.payloadBytes;
    return belongs ? { kind: 'valid', bytes } : { kind: 'damaged', reason: 'record-mismatch', bytes };
  }

  /** A record without an entry, unless it is a failure that still counts; not merely one whose entry is about to appear: whoever publishes holds the lock. */
  async #isOrphan(fingerprint: Fingerprint): Promise<boolean> {
    const { files } = this.#root.host;
    const isAlone = (): boolean =>
      files.lstat(this.#store.paths.entry(fingerprint)) === null &&
      files.lstat(this.#store.paths.record(fingerprint)) !== null &&
      !this.#isLiveFailure(fingerprint);
    if (!isAlone()) return false;
    if (this.#lock === null) return true;
    const held = await this.#lock.tryHold(fingerprintByte(fingerprint), isAlone);
    return held.held && held.value;
  }

  #isLiveFailure(fingerprint: Fingerprint): boolean {
    const record = this.#store.readFailure(fingerprint);
    return record !== null && !isExpiredFailure(record.failure, this.#root.host.clock.nowMs());
  }
}
