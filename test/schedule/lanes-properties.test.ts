import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { WorkEnd } from '../../src/schedule/lanes.js';
import { checkAsyncProperty } from '../support/properties.js';
import { priorityOf, settled, Yard, type Limits } from '../support/yard.js';

type Step =
  | { readonly do: 'push'; readonly isCritical: boolean }
  | { readonly do: 'end'; readonly which: number; readonly how: WorkEnd }
  | { readonly do: 'ring' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('push' as const), isCritical: fc.boolean() }),
  fc.record({
    do: fc.constant('end' as const),
    which: fc.nat(),
    how: fc.constantFrom('done' as const, 'done' as const, 'busy' as const, 'lane-died' as const),
  }),
  fc.record({ do: fc.constant('ring' as const) }),
);

/** What no moment may show: too much at work, or too little. */
function checkLimits(yard: Yard, [soft, hard]: Limits): void {
  for (const { job, running } of yard.begun) {
    const limit = priorityOf(job) === 'critical' ? hard : soft;
    assert.ok(running < limit, `${job} was begun while ${running} ran, with limits ${soft} and ${hard}`);
  }
}

async function follow(yard: Yard, one: Step, index: number): Promise<void> {
  const running = yard.running === '' ? [] : yard.running.split(' ');
  const isResting = yard.clock.slept.length > yard.clock.rung;
  if (one.do === 'push') yard.push(one.isCritical ? `J${index}` : `j${index}`);
  if (one.do === 'ring' && isResting) await yard.clock.ring();
  const job = running[one.do === 'end' ? one.which % running.length : -1];
  if (one.do === 'end' && job !== undefined) await yard.end(job, one.how);
}

describe('any course of events', () => {
  it('keeps the limits, does every job once, and ends', async () => {
    const limits = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(3));
    await checkAsyncProperty(
      fc.asyncProperty(limits, fc.array(step, { maxLength: 40 }), async ([soft, more], steps) => {
        const yard = new Yard().start([soft, soft + more]);
        for (const [index, one] of steps.entries()) {
          await follow(yard, one, index);
          checkLimits(yard, [soft, soft + more]);
        }
        yard.close();
        await settled();
        while (!yard.hasEnded) {
          const [job = ''] = yard.running.split(' ');
          if (job === '') await yard.clock.ring();
          else await yard.end(job);
        }
        await yard.ended;
        checkLimits(yard, [soft, soft + more]);
        const pushed = steps.flatMap((one, index) =>
          one.do === 'push' ? [one.isCritical ? `J${index}` : `j${index}`] : [],
        );
        assert.deepEqual([...yard.done, ...yard.givenUp].toSorted(), pushed.toSorted());
      }),
      200,
    );
  });

  it('leaves no lane idle while there is work for it', async () => {
    const limits = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(3));
    const jobs = fc.array(fc.boolean(), { minLength: 1, maxLength: 20 });
    await checkAsyncProperty(
      fc.asyncProperty(limits, jobs, fc.infiniteStream(fc.nat()), async ([soft, more], critical, picks) => {
        const names = critical.map((isCritical, index) => (isCritical ? `J${index}` : `j${index}`));
        const yard = new Yard()
          .push(names.join(' '))
          .close()
          .start([soft, soft + more]);
        while (!yard.hasEnded) {
          const running = yard.running.split(' ');
          const waiting = names.filter((job) => !yard.begun.some((one) => one.job === job));
          const isCriticalWaiting = waiting.some((job) => priorityOf(job) === 'critical');
          if (waiting.length > 0) assert.ok(running.length >= (isCriticalWaiting ? soft + more : soft));
          const pick = picks.next().value ?? 0;
          await yard.end(running[pick % running.length] ?? '');
        }
        assert.equal(yard.done.length, names.length);
      }),
      100,
    );
  });
});
