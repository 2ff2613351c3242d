import assert from 'node:assert/strict';
import { systemClock } from '../../src/host/clock.js';
import { JobQueue, type Priority } from '../../src/schedule/job-queue.js';
import { runLanes, type LaneOptions, type WorkEnd } from '../../src/schedule/lanes.js';
import { FakeClock } from './fake-host.js';

/** Lets everything run that waits for nothing from outside. */
export async function settled(): Promise<void> {
  await systemClock.breathe();
}

/** A clock whose sleepers wake when the test says so. */
class AlarmClock extends FakeClock {
  readonly slept: number[] = [];
  /** How many of them woke. */
  rung = 0;
  readonly #alarms: (() => void)[] = [];

  override async sleep(ms: number): Promise<void> {
    this.slept.push(ms);
    await new Promise<void>((resolve) => {
      this.#alarms.push(resolve);
    });
  }

  async ring(): Promise<void> {
    const alarms = this.#alarms.splice(0);
    assert.notEqual(alarms.length, 0, 'expected somebody who sleeps');
    this.rung += alarms.length;
    for (const alarm of alarms) alarm();
    await settled();
  }
}

export type Limits = readonly [softLimit: number, hardLimit: number];

interface Begun {
  readonly job: string;
  /** Before this one. */
  readonly running: number;
  readonly mustWait: boolean;
}

/** Lanes whose work ends when the test says so. `a` is a normal job, `A` a critical one; both have the key `a`. */
export class Yard {
  readonly queue = new JobQueue<string>();
  readonly clock = new AlarmClock();
  readonly begun: Begun[] = [];
  readonly done: string[] = [];
  readonly givenUp: string[] = [];
  readonly stop = new AbortController();
  mostRunning = 0;
  hasEnded = false;
  ended: Promise<void> = Promise.resolve();
  readonly #running = new Map<string, { resolve(end: WorkEnd): void; reject(error: Error): void }>();

  start([softLimit, hardLimit]: Limits, options: Partial<LaneOptions<string>> = {}): this {
    const given: LaneOptions<string> = {
      softLimit,
      hardLimit,
      maxDeaths: 3,
      clock: this.clock,
      signal: this.stop.signal,
      onGivenUp: (job) => this.givenUp.push(job),
      ...options,
    };
    this.ended = runLanes(this.queue, given, async (job, { mustWait }) => this.#work(job, mustWait)).finally(
      () => {
        this.hasEnded = true;
      },
    );
    this.ended.catch(() => undefined);
    return this;
  }

  async #work(job: string, mustWait: boolean): Promise<WorkEnd> {
    assert.ok(!this.#running.has(job), `expected ${job} to run once at a time`);
    this.begun.push({ job, running: this.#running.size, mustWait });
    const end = new Promise<WorkEnd>((resolve, reject) => {
      this.#running.set(job, { resolve, reject });
    });
    this.mostRunning = Math.max(this.mostRunning, this.#running.size);
    return end;
  }

  push(jobs: string): this {
    for (const job of jobs.split(' ')) {
      this.queue.push(job, { priority: priorityOf(job), key: job.toLowerCase() });
    }
    return this;
  }

  close(): this {
    this.queue.close();
    return this;
  }

  /** What runs, in the order in which it was begun. */
  get running(): string {
    return [...this.#running.keys()].join(' ');
  }

  /** All that was begun; what was begun in order to wait in brackets. */
  get order(): string {
    return this.begun.map(({ job, mustWait }) => (mustWait ? `(${job})` : job)).join(' ');
  }

  async end(job: string, how: WorkEnd | Error = 'done'): Promise<void> {
    const running = this.#running.get(job);
    assert.ok(running !== undefined, `expected ${job} to run, "${this.running}" does`);
    this.#running.delete(job);
    if (how === 'done') this.done.push(job);
    if (typeof how === 'string') running.resolve(how);
    else running.reject(how);
    await settled();
  }

  /** Ends what runs, the first first, until the lanes end. */
  async finish(): Promise<void> {
    for (let [job] = this.#running.keys(); job !== undefined; [job] = this.#running.keys())
      await this.end(job);
    assert.ok(this.hasEnded, `expected the lanes to end, ${this.queue.size} jobs wait`);
    await this.ended;
  }
}

export function priorityOf(job: string): Priority {
  return job === job.toUpperCase() ? 'critical' : 'normal';
}
