import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { systemClock } from '../../src/host/clock.js';
import { JobQueue } from '../../src/schedule/job-queue.js';
import { runLanes, type LaneOptions, type WorkEnd } from '../../src/schedule/lanes.js';
import { settled, Yard, type Limits } from '../support/yard.js';

const OPTIONS: LaneOptions<number | string> = {
  softLimit: 1,
  hardLimit: 1,
  maxDeaths: 1,
  clock: systemClock,
  onGivenUp: () => assert.fail('expected no job to be given up'),
};

describe('lanes', () => {
  const limits: readonly {
    readonly limits: Limits;
    readonly jobs: string;
    readonly running: string;
    readonly why: string;
  }[] = [
    { why: 'one job', limits: [1, 1], jobs: 'a B C', running: 'B' },
    { why: 'normal jobs up to the soft limit', limits: [2, 3], jobs: 'a b c d', running: 'a b' },
    { why: 'critical jobs up to the hard limit', limits: [2, 3], jobs: 'A B C D', running: 'A B C' },
    { why: 'no normal job above the soft limit', limits: [1, 4], jobs: 'A b C', running: 'A C' },
    { why: 'a normal job below the soft limit', limits: [3, 4], jobs: 'A b C d', running: 'A C b' },
    { why: 'no more than there are', limits: [8, 9], jobs: 'a b', running: 'a b' },
  ];
  for (const one of limits) {
    it(`begin ${one.why}: ${one.jobs} with limits ${one.limits.join(' and ')}`, async () => {
      const yard = new Yard().push(one.jobs).start(one.limits);
      assert.equal(yard.running, one.running);
      await yard.close().finish();
      assert.equal(yard.done.length, one.jobs.split(' ').length);
      assert.equal(yard.mostRunning, one.running.split(' ').length);
    });
  }

  it('let a critical job that comes later go above the soft limit, up to the hard one', async () => {
    const yard = new Yard().push('a b c').start([2, 4]);
    yard.push('D E F');
    assert.equal(yard.running, 'a b D E');
    await yard.end('a');
    assert.equal(yard.running, 'b D E F');
    await yard.end('b');
    await yard.end('D');
    assert.equal(yard.running, 'E F', 'c must wait: two run, and two is the soft limit');
    await yard.end('E');
    assert.equal(yard.running, 'F c');
    await yard.close().finish();
    assert.equal(yard.mostRunning, 4);
  });

  it('let a raised job go above the soft limit with the one that raised it', async () => {
    const yard = new Yard().push('a b c').start([1, 3]);
    yard.push('C');
    assert.equal(yard.running, 'a c C');
    await yard.close().finish();
    assert.equal(yard.order, 'a c C b');
  });

  it('begin critical jobs first, each class in order', async () => {
    const yard = new Yard().push('a b C d E').start([1, 1]);
    await yard.close().finish();
    assert.equal(yard.order, 'C E a b d');
  });

  it('wait for jobs that are pushed later, and for the close', async () => {
    const yard = new Yard().start([2, 2]);
    await settled();
    yard.push('a');
    assert.equal(yard.running, 'a');
    await yard.end('a');
    assert.equal(yard.hasEnded, false);
    yard.push('b');
    await yard.end('b');
    yard.close();
    await settled();
    assert.equal(yard.hasEnded, true);
  });

  it('end at once with a queue that is closed and empty', async () => {
    const yard = new Yard().close().start([1, 1]);
    await yard.ended;
    assert.equal(yard.order, '');
  });

  it('take jobs that their own work pushes', async () => {
    const queue = new JobQueue<number>();
    const done: number[] = [];
    queue.push(1, { priority: 'normal', key: 'first' });
    await runLanes<number>(queue, OPTIONS, async (job) => {
      done.push(job);
      if (job < 1000) queue.push(job + 1, { priority: 'critical', key: 'next' });
      else queue.close();
      return 'done';
    });
    assert.equal(done.length, 1000);
  });

  it('leave the queue and the signal when they end', async () => {
    const yard = new Yard().push('a b').start([1, 1]);
    yard.stop.abort();
    await yard.end('a');
    await yard.ended;
    assert.equal(getEventListeners(yard.stop.signal, 'abort').length, 0);
    const work = async (): Promise<WorkEnd> => assert.fail('expected no work');
    await runLanes<string>(yard.queue, { ...OPTIONS, signal: AbortSignal.abort() }, work);
    assert.equal(yard.queue.size, 1);
  });

  for (const [soft, hard] of [
    [0, 1],
    [-1, 1],
    [2, 1],
    [Number.NaN, 1],
    [1, Number.NaN],
  ] as const) {
    it(`refuse the limits ${soft} and ${hard}`, async () => {
      const yard = new Yard().push('a').start([soft, hard]);
      await assert.rejects(yard.ended, /expected limits of at least 1/);
      assert.equal(yard.order, '');
    });
  }
});

describe('work that somebody else is doing', () => {
  it('is left for other work, and waited for when there is none', async () => {
    const yard = new Yard().push('a b c').close().start([1, 1]);
    await yard.end('a', 'busy');
    assert.equal(yard.running, 'b');
    await yard.end('b', 'busy');
    await yard.finish();
    assert.equal(yard.order, 'a b c (a) (b)');
    assert.deepEqual(yard.done, ['c', 'a', 'b']);
  });

  it('is not waited for while other work may come', async () => {
    const yard = new Yard().push('a').start([1, 1]);
    await yard.end('a', 'busy');
    assert.equal(yard.running, '');
    yard.push('b');
    assert.equal(yard.running, 'b');
    await yard.end('b');
    assert.equal(yard.running, '');
    await yard.close().finish();
    assert.equal(yard.order, 'a b (a)');
  });

  it('is waited for above the soft limit when it is critical, while normal jobs are done', async () => {
    const yard = new Yard().push('A b c').close().start([1, 2]);
    await yard.end('A', 'busy');
    assert.equal(yard.running, 'b A');
    await yard.end('b');
    assert.equal(yard.running, 'A', 'c must wait: one runs, and one is the soft limit');
    await yard.finish();
    assert.equal(yard.order, 'A b (A) c');
  });

  it('is a bug when it waited, and is still busy', async () => {
    const yard = new Yard().push('a').close().start([1, 1]);
    await yard.end('a', 'busy');
    await yard.end('a', 'busy');
    await assert.rejects(yard.ended, /expected work that waits, got "busy"/);
  });
});

describe('a lane that dies', () => {
  it('is replaced after a pause, and its job is the next of its class', async () => {
    const yard = new Yard().push('a b').close().start([1, 2]);
    await yard.end('a', 'lane-died');
    assert.equal(yard.running, '');
    assert.deepEqual(yard.clock.slept, [3000]);
    await yard.clock.ring();
    assert.equal(yard.running, 'a');
    await yard.finish();
    assert.equal(yard.order, 'a a b');
    assert.deepEqual(yard.clock.slept, [3000]);
  });

  it('lets critical jobs go before the normal one that it had', async () => {
    const yard = new Yard().push('a b').start([1, 1]);
    await yard.end('a', 'lane-died');
    yard.push('C').close();
    assert.equal(yard.running, '', 'nothing begins in the pause');
    assert.deepEqual(yard.clock.slept, [3000]);
    await yard.clock.ring();
    await yard.finish();
    assert.equal(yard.order, 'a C a b');
  });

  it('is replaced without a pause when another job has ended', async () => {
    const yard = new Yard().push('a b c').close().start([2, 2]);
    await yard.end('a', 'lane-died');
    assert.equal(yard.running, 'b', 'nothing new begins while there is no room');
    await yard.end('b');
    assert.equal(yard.running, 'a c');
    await yard.finish();
    assert.deepEqual(yard.clock.slept, []);
    assert.equal(yard.order, 'a b a c');
  });

  it('pauses once when all lanes died', async () => {
    const yard = new Yard().push('a b c').close().start([3, 3]);
    for (const job of ['a', 'b', 'c']) await yard.end(job, 'lane-died');
    assert.deepEqual(yard.clock.slept, [3000]);
    await yard.clock.ring();
    assert.equal(yard.running, 'c b a');
    await yard.finish();
    assert.deepEqual(yard.clock.slept, [3000]);
  });

  it('costs a job its place when it was the last one allowed', async () => {
    const yard = new Yard().push('a b').close().start([1, 1], { maxDeaths: 3 });
    for (let death = 1; death <= 3; death += 1) {
      assert.deepEqual(yard.givenUp, []);
      await yard.end('a', 'lane-died');
      await yard.clock.ring();
    }
    assert.deepEqual(yard.givenUp, ['a']);
    assert.equal(yard.running, 'b');
    await yard.finish();
    assert.equal(yard.order, 'a a a b');
    assert.deepEqual(yard.done, ['b']);
  });

  it('ends all without a pause when the last job was given up', async () => {
    const yard = new Yard().push('a').close().start([1, 1], { maxDeaths: 1 });
    await yard.end('a', 'lane-died');
    await yard.ended;
    assert.deepEqual([yard.givenUp, yard.clock.slept], [['a'], []]);
  });

  it('does not count for other jobs', async () => {
    const yard = new Yard().push('a b').close().start([1, 1], { maxDeaths: 2 });
    for (const job of ['a', 'a', 'b', 'b']) {
      await yard.end(job, 'lane-died');
      if (!yard.hasEnded) await yard.clock.ring();
    }
    await yard.ended;
    assert.deepEqual(yard.givenUp, ['a', 'b']);
  });

  it('stays dead when the lanes are stopped in the pause', async () => {
    const yard = new Yard().push('a b').start([1, 1]);
    await yard.end('a', 'lane-died');
    yard.stop.abort();
    await yard.ended;
    await yard.clock.ring();
    assert.equal(yard.order, 'a');
    assert.deepEqual([yard.queue.next()?.job, yard.queue.next()?.job], ['a', 'b']);
  });
});

describe('stopping', () => {
  it('begins nothing more and waits for what runs', async () => {
    const yard = new Yard().push('a b c').start([2, 3]);
    yard.stop.abort();
    yard.push('D');
    await yard.end('a');
    assert.equal(yard.hasEnded, false);
    await yard.end('b', 'busy');
    await yard.ended;
    assert.equal(yard.order, 'a b');
    assert.equal(yard.queue.size, 3);
  });

  it('ends at once when nothing runs, though the queue is open', async () => {
    const yard = new Yard().start([1, 1]);
    yard.stop.abort();
    await yard.ended;
  });

  it('may come before the first job', async () => {
    const yard = new Yard().push('a');
    yard.stop.abort();
    await yard.start([1, 1]).ended;
    assert.equal(yard.order, '');
  });

  it('may come from the work itself', async () => {
    const queue = new JobQueue<number>();
    for (const job of [1, 2, 3]) queue.push(job, { priority: 'normal', key: `job ${job}` });
    const stop = new AbortController();
    const begun: number[] = [];
    const options = { ...OPTIONS, softLimit: 2, hardLimit: 2, signal: stop.signal };
    await runLanes<number>(queue, options, async (job) => {
      begun.push(job);
      stop.abort();
      return 'done';
    });
    assert.deepEqual(begun, [1]);
  });

  it('by an exception waits for what runs, then throws the first one', async () => {
    const yard = new Yard().push('a b c d').close().start([3, 3]);
    await yard.end('b', new Error('first'));
    await yard.end('a', new Error('second'));
    assert.equal(yard.hasEnded, false);
    await yard.end('c');
    await assert.rejects(yard.ended, /first/);
    assert.equal(yard.order, 'a b c');
  });

  it('by an exception needs no close', async () => {
    const yard = new Yard().push('a').start([1, 1]);
    await yard.end('a', new Error('broken'));
    await assert.rejects(yard.ended, /broken/);
  });

  it('comes from work that throws before it waits for anything', async () => {
    const queue = new JobQueue<number>();
    for (const job of [1, 2]) queue.push(job, { priority: 'normal', key: `job ${job}` });
    let begun = 0;
    const broken = (): Promise<WorkEnd> => {
      begun += 1;
      throw new Error('broken');
    };
    await assert.rejects(runLanes(queue, OPTIONS, broken), /broken/);
    assert.equal(begun, 1);
  });

  it('comes from an exception of who is told of a job that was given up', async () => {
    const onGivenUp = (): void => {
      throw new Error('broken');
    };
    const yard = new Yard().push('a b').start([1, 1], { maxDeaths: 1, onGivenUp });
    await yard.end('a', 'lane-died');
    await assert.rejects(yard.ended, /broken/);
    assert.equal(yard.order, 'a');
  });
});

describe('a hundred thousand jobs', () => {
  it('are worked through without growing a stack', async () => {
    const queue = new JobQueue<number>();
    const count = 100_000;
    for (let job = 0; job < count; job += 1) queue.push(job, { priority: 'normal', key: `job ${job}` });
    queue.close();
    let done = 0;
    await runLanes<number>(queue, { ...OPTIONS, softLimit: 8, hardLimit: 9 }, async (job, { mustWait }) => {
      if (job % 2 === 0 && !mustWait) return 'busy';
      done += 1;
      return 'done';
    });
    assert.equal(done, count);
  });
});
