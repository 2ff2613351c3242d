import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CacheError, openCache, type Cache, type CompileResult } from '../../../src/index.js';
import { failingFiles, fakeHost } from '../../support/fake-host.js';
import type { Tally } from '../experiment.js';
import { damageFile, type Damage } from './damages.js';
import type { HomeImage } from './home-image.js';
import { EXPECTED_OUTCOMES, type UsedHome, type UsedRequest } from './used-home.js';

/** What a request gave before anything was damaged. */
interface Given {
  readonly outcome: CompileResult['outcome'];
  readonly fingerprint: CompileResult['fingerprint'];
  /** Status, both streams and every output. */
  readonly bytes: string;
}

/** One session of everything that a user does, and what came of it. */
interface Seen {
  readonly given: ReadonlyMap<string, Given>;
  /** By fingerprint; null for a miss. */
  readonly payloads: ReadonlyMap<string, Buffer | null>;
  /** Paths that `verify` calls damaged. */
  readonly damaged: readonly string[];
  /** What `verify` says of the directory of another program, whose digests are sealed. */
  readonly foreignDamage: number;
  readonly troubles: readonly string[];
  readonly errors: readonly unknown[];
}

/** Nobody cuts the power of the disk on which the damage is made. */
const HOST = fakeHost({ files: failingFiles({ sync: () => undefined, syncBeside: async () => undefined }) });

/** Damages one file at a time of a used home, and judges the two sessions that follow. */
export class DamageJudge {
  readonly #home: UsedHome;
  readonly #image: HomeImage;
  readonly #tally: Tally;
  #before: Seen | null = null;

  constructor(home: UsedHome, image: HomeImage, tally: Tally) {
    this.#home = home;
    this.#image = image;
    this.#tally = tally;
  }

  async judge(path: string, damage: Damage): Promise<void> {
    this.#before ??= await this.#healthy();
    this.#image.restore();
    damageFile(path, damage);
    this.#tally.addPoint();
    const title = `${path.slice(this.#home.bench.folder.length + 1)}: ${damage.name}`;
    const first = await look(this.#home, this.#before.payloads.keys());
    this.#judgeBytes(title, first);
    this.#judgeOthers(title, path, first);
    for (const error of first.errors) {
      if (!(error instanceof CacheError)) this.#tally.addFailedNextRun(`${title}: ${String(error)}`);
    }
    const second = await look(this.#home, this.#before.payloads.keys());
    this.#judgeBytes(`${title}, second run`, second);
    this.#judgeHealed(title, path, second);
  }

  async #healthy(): Promise<Seen> {
    this.#image.restore();
    const seen = await look(this.#home, this.#home.payloads().keys());
    const isWell = seen.errors.length + seen.troubles.length + seen.damaged.length === 0;
    const outcomes = [...seen.given.values()].map(({ outcome }) => outcome);
    if (!isWell || outcomes.join() !== EXPECTED_OUTCOMES.join()) {
      throw new Error(
        `expected a home without damage to serve everything: ${JSON.stringify([seen, outcomes])}`,
      );
    }
    return seen;
  }

  #judgeBytes(title: string, seen: Seen): void {
    for (const [name, { bytes, fingerprint }] of seen.given) {
      const before = this.#before?.given.get(name);
      if (bytes !== before?.bytes) this.#tally.addWrongBytes(`${title}: ${name}`);
      // Another one is made of facts that the damage has changed: somebody believed them.
      if (fingerprint !== null && fingerprint !== before?.fingerprint)
        this.#tally.addFailedNextRun(`${title}: ${name} has another fingerprint`);
    }
    for (const [fingerprint, payload] of seen.payloads) {
      const right = this.#before?.payloads.get(fingerprint) ?? null;
      if (payload !== null && right?.equals(payload) !== true)
        this.#tally.addWrongBytes(`${title}: get ${fingerprint}`);
    }
    if (seen.foreignDamage > 0)
      this.#tally.addFailedNextRun(`${title}: good artifacts of others are called damaged`);
  }

  /** What was not damaged is there. */
  #judgeOthers(title: string, path: string, seen: Seen): void {
    for (const [fingerprint, payload] of seen.payloads) {
      if (payload === null && !path.includes(fingerprint)) this.#tally.addLost(`${title}: ${fingerprint}`);
    }
  }

  /** All is as before, but for an entry that nobody has asked to compile again. */
  #judgeHealed(title: string, path: string, seen: Seen): void {
    const wrong = [
      ...[...seen.given].flatMap(([name, { outcome }]) =>
        outcome === this.#before?.given.get(name)?.outcome ? [] : [`${name} is ${outcome}`],
      ),
      ...seen.damaged.filter((each) => !path.includes(each.slice(0, -'.bin'.length))),
      ...seen.troubles,
      ...seen.errors.map(String),
    ];
    if (wrong.length > 0) this.#tally.addFailedNextRun(`${title}: not healed: ${wrong.join('; ')}`);
  }
}

async function look(home: UsedHome, fingerprints: Iterable<string>): Promise<Seen> {
  const errors: unknown[] = [];
  const cache = openCache({ root: home.bench.root, stateDirectory: stateDirectoryOf(home), host: HOST });
  const attempt = async <T>(work: () => Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      errors.push(error);
      return null;
    }
  };
  const payloads = new Map<string, Buffer | null>();
  for (const fingerprint of fingerprints) {
    const read = await attempt(async () => cache.get(fingerprint));
    payloads.set(fingerprint, read?.hit === true ? read.payload : null);
  }
  const given = new Map<string, Given>();
  for (const each of home.requests) given.set(each.name, await give(home, cache, each));
  await attempt(async () => cache.stats());
  await attempt(async () => cache.flush());
  await attempt(async () => cache.prune({ ttlMs: 1e12 }));
  const report = await attempt(async () => cache.verify());
  const foreignDamage = (await attempt(async () => verifyForeign(home))) ?? 0;
  await attempt(async () => cache.close());
  const troubles = cache.troubles().map(({ kind, message }) => `${kind}: ${message}`);
  return {
    given,
    payloads,
    damaged: (report?.problems ?? []).map(({ path }) => path),
    foreignDamage,
    troubles,
    errors,
  };
}

async function give(home: UsedHome, cache: Cache, { request }: UsedRequest): Promise<Given> {
  const paths = request.outputs.map((path) => home.bench.path(path));
  for (const path of paths) rmSync(path, { force: true });
  const { outcome, fingerprint, exitCode, stdout, stderr } = await cache.compile(request);
  const bytes = [
    String(exitCode),
    Buffer.from(stdout).toString('base64'),
    Buffer.from(stderr).toString('base64'),
    ...paths.map(contentOf),
  ];
  return { outcome, fingerprint, bytes: bytes.join('\n') };
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'base64');
  } catch {
    return 'none';
  }
}

async function verifyForeign(home: UsedHome): Promise<number> {
  const cache = openCache({ root: home.foreignRoot, stateDirectory: stateDirectoryOf(home), host: HOST });
  const { damaged } = await cache.verify();
  await cache.close();
  return damaged;
}

function stateDirectoryOf({ bench }: UsedHome): string {
  return join(bench.stateHome, 'vyre-cache');
}
