import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { JobQueue, type Priority, type Taken, type Wanted } from '../../src/schedule/job-queue.js';
import { checkProperty } from '../support/properties.js';

/** `a` is a normal job, `A` a critical one; both have the key `a`. `a2` has it, too. */
function fill(jobs: string, queue = new JobQueue<string>()): JobQueue<string> {
  for (const job of jobs.split(' ')) queue.push(job, { priority: priorityOf(job), key: keyOf(job) });
  return queue;
}

function priorityOf(job: string): Priority {
  return job === job.toUpperCase() ? 'critical' : 'normal';
}

function keyOf(job: string): string {
  return job.charAt(0).toLowerCase();
}

function take(queue: JobQueue<string>, wanted: Wanted = {}): Taken<string> {
  const taken = queue.next(wanted);
  assert.ok(taken !== null, 'expected a job, the queue is empty');
  return taken;
}

/** What the queue hands out until it is empty; those that must wait in brackets. */
function drain(queue: JobQueue<string>, wanted: Wanted = {}): string {
  const jobs: string[] = [];
  for (let taken = queue.next(wanted); taken !== null; taken = queue.next(wanted)) {
    jobs.push(taken.mustWait ? `(${taken.job})` : taken.job);
  }
  return jobs.join(' ');
}

describe('a job queue', () => {
  const orders: readonly { readonly pushed: string; readonly handedOut: string; readonly why: string }[] = [
    { why: 'first in first out', pushed: 'a b c', handedOut: 'a b c' },
    { why: 'critical ones first, each class in order', pushed: 'a B c D', handedOut: 'B D a c' },
    { why: 'two jobs of one key in order', pushed: 'a b a2', handedOut: 'a b a2' },
    { why: 'a raised job before the one that raised it', pushed: 'a b B', handedOut: 'b B a' },
    { why: 'a raised job behind the critical ones that were there', pushed: 'a b C B', handedOut: 'C b B a' },
    { why: 'all jobs of the key raised, in order', pushed: 'b a b2 b3 B', handedOut: 'b b2 b3 B a' },
    { why: 'a raised job raised once', pushed: 'a b B C B2', handedOut: 'b B C B2 a' },
    { why: 'no raise by a normal job', pushed: 'a b b2', handedOut: 'a b b2' },
    { why: 'no raise of who comes later', pushed: 'a B b', handedOut: 'B a b' },
  ];
  for (const { why, pushed, handedOut } of orders) {
    it(`hands out ${why}`, () => {
      assert.equal(drain(fill(pushed)), handedOut);
    });
  }

  it('hands out nothing when it is empty', () => {
    assert.equal(new JobQueue<string>().next(), null);
    assert.equal(drain(fill('a')), 'a');
  });

  it('lets normal jobs wait while critical ones keep coming', () => {
    const queue = fill('a');
    for (let round = 0; round < 100; round += 1) {
      fill('B', queue);
      assert.equal(take(queue).job, 'B');
    }
    assert.equal(drain(queue), 'a');
  });

  it('knows how many wait, and whether a critical one does', () => {
    const queue = fill('a b');
    assert.deepEqual([queue.size, queue.hasCritical], [2, false]);
    fill('A', queue);
    assert.deepEqual([queue.size, queue.hasCritical], [3, true]);
    const taken = [take(queue), take(queue)];
    assert.deepEqual([queue.size, queue.hasCritical], [1, false]);
    for (const job of taken) queue.setAside(job);
    assert.deepEqual([queue.size, queue.hasCritical], [3, true]);
    drain(queue);
    assert.deepEqual([queue.size, queue.hasCritical], [0, false]);
  });

  it('hands out a raised job as critical', () => {
    const queue = fill('a A');
    assert.deepEqual(take(queue), { job: 'a', key: 'a', priority: 'critical', mustWait: false, deaths: 0 });
  });

  it('raises no job that was handed out', () => {
    const queue = fill('a b');
    const a = take(queue);
    fill('A', queue);
    queue.pushFront(a);
    assert.equal(drain(queue), 'A a b');
  });

  it('hands out critical jobs only to who asks for these', () => {
    const queue = fill('a B c D');
    assert.equal(drain(queue, { onlyCritical: true }), 'B D');
    assert.equal(drain(queue), 'a c');
  });
});

describe('a job whose lane died', () => {
  it('is the next of its class', () => {
    const queue = fill('a b C D');
    const c = take(queue);
    queue.pushFront(c);
    assert.equal(drain(queue, { onlyCritical: true }), 'C D');
    const a = take(queue);
    fill('E', queue);
    queue.pushFront(a);
    assert.equal(drain(queue), 'E a b');
  });

  it('stays critical when it was raised', () => {
    const queue = fill('a B A');
    const b = take(queue);
    const a = take(queue);
    queue.pushFront(b);
    queue.pushFront(a);
    assert.equal(drain(queue, { onlyCritical: true }), 'a B A');
  });

  it('stays before the others of its key when all are raised', () => {
    const queue = fill('a a2 b a3');
    take(queue);
    queue.pushFront(take(queue));
    fill('A', queue);
    assert.equal(drain(queue), 'a2 a3 A b');
    const other = fill('a a2 b');
    const first = take(other);
    other.pushFront(take(other));
    other.pushFront(first);
    fill('A', other);
    assert.equal(drain(other), 'a a2 A b');
  });

  it('counts its deaths, also over a set-aside and a raise', () => {
    const queue = fill('a');
    queue.pushFront(take(queue));
    queue.setAside(take(queue));
    fill('A', queue);
    take(queue);
    const a = take(queue);
    assert.deepEqual([a.job, a.deaths, a.priority], ['a', 1, 'critical']);
    queue.pushFront(a);
    assert.equal(take(queue).deaths, 2);
  });
});

describe('a job that was set aside', () => {
  it('comes when no other job is left, and says so', () => {
    const queue = fill('a b C');
    queue.setAside(take(queue));
    queue.setAside(take(queue));
    assert.equal(drain(queue), 'b (C) (a)');
  });

  it('comes after jobs that were pushed later', () => {
    const queue = fill('a');
    queue.setAside(take(queue));
    fill('b C', queue);
    assert.equal(drain(queue), 'C b (a)');
  });

  it('keeps its place among its like', () => {
    const queue = fill('a b c');
    for (const job of [take(queue), take(queue), take(queue)]) queue.setAside(job);
    assert.equal(drain(queue), '(a) (b) (c)');
  });

  it('is raised like any that waits', () => {
    const queue = fill('a b C');
    for (const job of [take(queue), take(queue), take(queue)]) queue.setAside(job);
    fill('B', queue);
    assert.equal(drain(queue), 'B (C) (b) (a)');
  });

  it('is kept from who wants none', () => {
    const queue = fill('a b');
    queue.setAside(take(queue));
    assert.equal(drain(queue, { onlyFresh: true }), 'b');
    assert.equal(drain(queue), '(a)');
  });

  it('comes to who may take critical jobs only, though normal ones wait', () => {
    const queue = fill('A b');
    queue.setAside(take(queue));
    assert.equal(drain(queue, { onlyCritical: true }), '(A)');
    assert.equal(drain(queue), 'b');
  });

  it('is an ordinary one again when its lane died', () => {
    const queue = fill('a');
    queue.setAside(take(queue));
    queue.pushFront(take(queue));
    assert.equal(drain(queue), 'a');
  });
});

describe('the consumer of a queue', () => {
  it('hears of each new job and of the close, and of nothing after it left', () => {
    const queue = new JobQueue<string>();
    const heard: number[] = [];
    const leave = queue.consume(() => {
      heard.push(queue.size);
    });
    fill('a b', queue);
    take(queue);
    queue.close();
    assert.deepEqual(heard, [1, 2, 1]);
    leave();
    queue.close();
    assert.equal(heard.length, 3);
    queue.consume(() => undefined);
  });

  it('is the only one', () => {
    const queue = new JobQueue<string>();
    queue.consume(() => undefined);
    assert.throws(() => queue.consume(() => undefined), /expected one consumer/);
  });

  it('gets no new job after the close, but jobs may come back', () => {
    const queue = fill('a');
    const a = take(queue);
    queue.close();
    assert.equal(queue.isClosed, true);
    assert.throws(() => fill('b', queue), /closed/);
    queue.pushFront(a);
    assert.equal(drain(queue), 'a');
  });
});

/** The rules again, written with lists and scans. */
class SlowQueue {
  waiting: { job: string; key: string; priority: Priority; isAside: boolean }[] = [];

  push(job: string, priority: Priority, key: string): void {
    const raised = this.waiting.filter((place) => priority === 'critical' && isNormal(place, key));
    this.waiting = this.waiting.filter((place) => !raised.includes(place));
    for (const place of raised) this.waiting.push(Object.assign(place, { priority }));
    this.waiting.push({ job, key, priority, isAside: false });
  }

  next({ onlyCritical = false, onlyFresh = false }: Wanted): string | null {
    const ranks = [
      [false, 'critical'],
      [false, 'normal'],
      [true, 'critical'],
      [true, 'normal'],
    ] as const;
    for (const [isAside, priority] of ranks) {
      if ((onlyCritical && priority === 'normal') || (onlyFresh && isAside)) continue;
      const found = this.waiting.find((place) => place.priority === priority && place.isAside === isAside);
      if (found === undefined) continue;
      this.waiting = this.waiting.filter((place) => place !== found);
      return found.job;
    }
    return null;
  }

  bringBack({ job, key, priority }: Taken<string>, how: 'front' | 'aside'): void {
    if (how === 'front') this.waiting.unshift({ job, key, priority, isAside: false });
    else this.waiting.push({ job, key, priority, isAside: true });
  }
}

function isNormal(place: { readonly key: string; readonly priority: Priority }, key: string): boolean {
  return place.priority === 'normal' && place.key === key;
}

type Step =
  | { readonly do: 'push'; readonly key: number; readonly priority: Priority }
  | { readonly do: 'next'; readonly wanted: Wanted }
  | { readonly do: 'front' | 'aside' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('push' as const),
    // Keys of their own for most jobs would seldom raise anything.
    key: fc.nat(4),
    priority: fc.constantFrom('critical' as const, 'normal' as const, 'normal' as const),
  }),
  fc.record({
    do: fc.constant('next' as const),
    wanted: fc.record({ onlyCritical: fc.boolean(), onlyFresh: fc.boolean() }),
  }),
  fc.record({ do: fc.constantFrom('front' as const, 'aside' as const) }),
);

describe('any use of a queue', () => {
  it('hands out what the rules say, and loses nothing', () => {
    checkProperty(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new JobQueue<string>();
        const model = new SlowQueue();
        const out: Taken<string>[] = [];
        for (const [index, one] of steps.entries()) follow({ queue, model, out }, one, index);
        for (;;) {
          const job = queue.next()?.job ?? null;
          assert.equal(job, model.next({}));
          if (job === null) break;
        }
        assert.equal(queue.size, 0);
      }),
      500,
    );
  });

  it('costs a job the same however many wait', () => {
    const count = 1_000_000;
    const queue = new JobQueue<number>();
    for (let job = 0; job < count; job += 1) {
      queue.push(job, { priority: job % 4 === 0 ? 'critical' : 'normal', key: `job ${job}` });
    }
    // From the middle of the queue.
    for (let job = count - 1; job > 0; job -= 4)
      queue.push(-job, { priority: 'critical', key: `job ${job}` });
    let handedOut = 0;
    let back = 0;
    for (let taken = queue.next(); taken !== null; taken = queue.next()) {
      handedOut += 1;
      if (taken.mustWait || taken.deaths > 0 || taken.job % 2 === 0) continue;
      back += 1;
      if (taken.job % 3 === 0) queue.pushFront(taken);
      else queue.setAside(taken);
    }
    assert.equal(handedOut, count + count / 4 + back);
  });

  it('costs a job the same however many have its key', () => {
    const count = 200_000;
    const queue = new JobQueue<number>();
    for (let job = 0; job < count; job += 1) queue.push(job, { priority: 'normal', key: 'all' });
    for (let job = 0; job < count / 2; job += 1) assert.equal(queue.next()?.job, job);
    queue.push(-1, { priority: 'critical', key: 'all' });
    for (let job = count / 2; job < count; job += 1) {
      const taken = queue.next();
      assert.deepEqual([taken?.job, taken?.priority], [job, 'critical']);
    }
    assert.equal(queue.next()?.job, -1);
  });
});

function follow(
  both: { readonly queue: JobQueue<string>; readonly model: SlowQueue; readonly out: Taken<string>[] },
  one: Step,
  index: number,
): void {
  const { queue, model, out } = both;
  if (one.do === 'push') {
    const key = `key ${one.key}`;
    queue.push(`${index}`, { priority: one.priority, key });
    model.push(`${index}`, one.priority, key);
  } else if (one.do === 'next') {
    const taken = queue.next(one.wanted);
    assert.equal(taken?.job ?? null, model.next(one.wanted));
    if (taken !== null) out.push(taken);
  } else {
    const taken = out.shift();
    if (taken === undefined) return;
    if (one.do === 'front') queue.pushFront(taken);
    else queue.setAside(taken);
    model.bringBack(taken, one.do);
  }
  assert.equal(queue.size, model.waiting.length);
  assert.equal(
    queue.hasCritical,
    model.waiting.some(({ priority }) => priority === 'critical'),
  );
}
