import { readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { systemHost } from '../../src/host/host.js';
import { HomePaths, StorePaths } from '../../src/layouts/vyre/home-paths.js';
import { Tally, tallyOfHits } from '../../src/model/counters.js';
import { isFingerprint, type Fingerprint } from '../../src/model/fingerprint.js';
import { DiskTier } from '../../src/store/disk-tier.js';
import { openHome } from '../../src/store/home.js';
import { HitLog } from '../../src/store/hit-log.js';
import { fingerprintByte, LockFile } from '../../src/store/lock-file.js';
import { notePending } from '../../src/store/pending-list.js';
import { PrivateState } from '../../src/store/private-state.js';
import { IdleWorkers } from '../../src/store/idle-workers.js';
import { createWorkerDirectory, WORKER_FOLDERS } from '../../src/store/worker-directory.js';
import { makeArtifact } from './artifacts.js';

/** What a test lets another process do: each task talks in lines, and waits where it reads one. */

const host = systemHost();
const FOREVER = { timeoutMs: 600_000 };
const stdin = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

async function wait(): Promise<void> {
  await stdin.next();
}

function fingerprintOf(text: string): Fingerprint {
  if (!isFingerprint(text)) throw new Error(`expected a fingerprint, got "${text}"`);
  return text;
}

const TASKS = {
  /** Holds a byte from the line `held` until it is told to go on. */
  hold: async (path: string, byte: string) => {
    const lock = new LockFile(host, path);
    await lock.hold(Number(byte), FOREVER, async () => {
      say('held');
      await wait();
    });
    say('released');
  },
  /** Adds one to the number in a file, many times, each time under the lock. */
  increment: async (path: string, file: string, times: string) => {
    const lock = new LockFile(host, path);
    for (let done = 0; done < Number(times); done += 1) {
      await lock.hold(7, FOREVER, () => {
        writeFileSync(file, String(Number(readFileSync(file, 'utf8')) + 1));
      });
    }
  },
  /** Counts one hit after the other, and says so after each. */
  count: async (folder: string, times: string) => {
    const state = new PrivateState(host, folder);
    const lock = new LockFile(host, state.lockPath);
    say('ready');
    await wait();
    for (let done = 1; done <= Number(times); done += 1) {
      const tally = new Tally();
      tally.add('lookups');
      tally.add('hits');
      tally.add('evictedBytes', 1000);
      await state.addToCounters(tally, lock);
      say(String(done));
    }
  },
  /** Logs hits, as who takes a shortcut does: where the log is full it counts itself. */
  logHits: async (folder: string, times: string) => {
    const state = new PrivateState(host, folder);
    const lock = new LockFile(host, state.lockPath);
    const hit = { fingerprint: fingerprintOf('ab'.repeat(32)), savedMs: 3, hits: 1 };
    say('ready');
    await wait();
    for (let done = 0; done < Number(times); done += 1) {
      if (new HitLog(host, folder).add(hit)) continue;
      await state.addToCounters(tallyOfHits([hit]), lock, [hit]);
    }
  },
  openHome: async (root: string) => {
    say('ready');
    await wait();
    const opened = openHome(host, new HomePaths(root));
    say(opened.ok ? 'ok' : opened.problem.reason);
  },
  worker: async (root: string, fingerprint: string) => {
    const worker = createWorkerDirectory(host, new HomePaths(root), fingerprintOf(fingerprint));
    say(worker.path);
    await wait();
    worker.remove();
  },
  /** Compiles nothing twice in one worker directory. */
  twoWorkers: async (root: string, first: string, second: string) => {
    const paths = new HomePaths(root);
    const idle = new IdleWorkers(host, paths);
    const worker = createWorkerDirectory(host, paths, fingerprintOf(first), idle);
    for (const folder of Object.values(WORKER_FOLDERS)) host.files.makeDirectory(join(worker.path, folder));
    worker.handOn();
    say(createWorkerDirectory(host, paths, fingerprintOf(second), idle).path);
    await wait();
  },
  /** Replaces one entry over and over, each time with other bytes. */
  publish: async (root: string, fingerprint: string, seed: string, times: string) => {
    const paths = new HomePaths(root);
    const lock = new LockFile(host, join(paths.private, 'lock'));
    const store = new StorePaths(paths.store);
    const tier = new DiskTier(host, { paths: store, maxPayloadBytes: 1_000_000, lock });
    const key = fingerprintOf(fingerprint);
    for (let done = 0; done < Number(times); done += 1) {
      const artifact = makeArtifact(key, `${seed}-${done} `.repeat(8192));
      await lock.hold(fingerprintByte(key), FOREVER, async () => {
        const worker = createWorkerDirectory(host, paths, key);
        await tier.publish(artifact, {
          staging: worker.path,
          replace: true,
          beforeRename: async () => undefined,
        });
        worker.remove();
      });
    }
  },
  /** Notes a fingerprint as pending, many times. */
  note: async (root: string, fingerprint: string, times: string) => {
    const paths = new HomePaths(root);
    const lock = new LockFile(host, join(paths.private, 'lock'));
    for (let done = 0; done < Number(times); done += 1) {
      await notePending(host, { paths, lock }, fingerprintOf(fingerprint));
    }
  },
} as const;

export type ChildTask = keyof typeof TASKS;

function isTask(name: string): name is ChildTask {
  return Object.hasOwn(TASKS, name);
}

async function main(name = '', ...args: string[]): Promise<void> {
  if (!isTask(name)) throw new Error(`expected one of ${Object.keys(TASKS).join(', ')}, got "${name}"`);
  const task: (...given: string[]) => Promise<void> = TASKS[name];
  await task(...args);
  process.stdin.destroy();
}

await main(...process.argv.slice(2));
