import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  classify,
  isExpiredFailure,
  isInForce,
  nextFailure,
  type Classified,
  type Failed,
  type Failure,
  type Limits,
} from '../../src/model/failure.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = 1_700_000_000_000;
const NO_LIMITS: Limits = { timeoutMs: null, memoryBytes: null };

function failed(changed: Partial<Failed> & { readonly says?: string }): Failed {
  return {
    end: { status: 1, signal: null },
    stdout: Buffer.alloc(0),
    stderr: Buffer.from(changed.says ?? 'a.c:1: error: nonsense\n'),
    overflowed: false,
    transientWords: [],
    ...changed,
  };
}

function wordOf(classified: Classified): string {
  return typeof classified === 'string' ? classified : `not remembered: ${classified.notRemembered}`;
}

describe('a failed compilation', () => {
  for (const [status, expected] of [
    [1, 'deterministic'],
    [2, 'deterministic'],
    [125, 'deterministic'],
    [126, 'not remembered: not-started'],
    [127, 'not remembered: not-started'],
    [128, 'deterministic'],
    [129, 'transient'],
    [137, 'transient'],
    [192, 'transient'],
    [193, 'deterministic'],
    [255, 'deterministic'],
  ] as const) {
    it(`that ended by itself with ${status} is ${expected}`, () => {
      assert.equal(wordOf(classify(failed({ end: { status, signal: null } }))), expected);
    });
  }

  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGSEGV', 'SIGXCPU']) {
    it(`that ${signal} ended is transient`, () => {
      assert.equal(classify(failed({ end: { status: null, signal } })), 'transient');
    });
  }

  for (const end of ['timeout', 'memory'] as const) {
    it(`that the limit of ${end} ended is transient`, () => {
      assert.equal(classify(failed({ end })), 'transient');
    });
  }

  for (const words of [
    'Killed',
    'terminated by signal 9',
    'write error: No space left on device',
    'Cannot allocate memory',
    'cc1: out of memory allocating 100 bytes',
    'virtual memory exhausted',
    'read: Input/output error',
    'Segmentation fault (core dumped)',
    'vfork: Resource temporarily unavailable',
    'Too many open files in system',
    'Bus error',
    'write: Disk quota exceeded',
    'File too large',
    'a.o: Read-only file system',
    'Stale file handle',
    'OUT OF MEMORY',
  ]) {
    it(`that says "${words}" on either stream is transient`, () => {
      assert.equal(classify(failed({ says: words })), 'transient');
      assert.equal(classify(failed({ says: '', stdout: Buffer.from(`x ${words} y`) })), 'transient');
    });
  }

  it('whose words are a row of its compiler is transient, and of another one not', () => {
    const says = "nvcc error : 'cicc' DIED DUE TO SIGNAL 9";
    assert.equal(classify(failed({ says, transientWords: ['died due to signal'] })), 'transient');
    assert.equal(classify(failed({ says })), 'deterministic');
  });

  for (const words of [
    'fatal error: x.h: No such file or directory',
    'ld: -lfoo not found',
    'Permission denied',
    'cannot connect to the license server',
    'no such FILE',
  ]) {
    it(`that says "${words}" is not remembered, however it ended`, () => {
      for (const end of [
        { status: 1, signal: null },
        { status: null, signal: 'SIGKILL' },
        'timeout',
      ] as const) {
        assert.equal(wordOf(classify(failed({ says: words, end }))), 'not remembered: doubtful');
      }
    });
  }

  it('that was asked to stop is not remembered', () => {
    assert.equal(wordOf(classify(failed({ end: 'stopped' }))), 'not remembered: stopped');
  });

  it('whose words were too many is not remembered', () => {
    assert.equal(wordOf(classify(failed({ overflowed: true }))), 'not remembered: output-too-large');
  });

  it('has no words that end on one stream and begin on the other', () => {
    const split = failed({ stdout: Buffer.from('Kil'), stderr: Buffer.from('led') });
    assert.equal(classify(split), 'deterministic');
  });

  it('may say bytes that are no text', () => {
    assert.equal(classify(failed({ stderr: Buffer.from([0xff, 0x00, 0xfe]) })), 'deterministic');
  });
});

function failureOf(changed: Partial<Failure>): Failure {
  return {
    kind: 'transient',
    count: 1,
    lastAtMs: NOW,
    status: 1,
    signal: null,
    limit: null,
    ...changed,
  };
}

describe('a failure is in force', () => {
  const rows: readonly (readonly [string, Partial<Failure>, readonly (readonly [number, boolean])[]])[] = [
    ['deterministic', { kind: 'deterministic' }, around(DAY)],
    ['deterministic, seen a thousand times', { kind: 'deterministic', count: 1000 }, around(DAY)],
    ['transient, first attempt', { count: 1 }, around(15 * MINUTE)],
    ['transient, fifth attempt', { count: 5 }, around(15 * MINUTE)],
    ['transient, sixth attempt', { count: 6 }, [...around(7 * DAY), [15 * MINUTE, true]]],
    ['transient, seventh attempt', { count: 7 }, around(7 * DAY)],
    ['of an absurd count', { count: Number.MAX_SAFE_INTEGER }, around(7 * DAY)],
  ];
  for (const [name, failure, ages] of rows) {
    for (const [ageMs, expected] of ages) {
      it(`${name}, ${ageMs} ms ago: ${expected}`, () => {
        assert.equal(isInForce(failureOf(failure), NOW + ageMs, NO_LIMITS), expected);
      });
    }
  }

  for (const aheadMs of [1, MINUTE, DAY, 10 * 365 * DAY]) {
    it(`not when it lies ${aheadMs} ms in the future`, () => {
      for (const kind of ['deterministic', 'transient'] as const) {
        assert.equal(isInForce(failureOf({ kind, lastAtMs: NOW + aheadMs }), NOW, NO_LIMITS), false);
      }
    });
  }

  const timeout = failureOf({ status: null, limit: { kind: 'timeout', value: 3000 } });
  const memory = failureOf({ status: null, limit: { kind: 'memory', value: 1_000_000 } });
  for (const [name, failure, limits, expected] of [
    ['a smaller time limit', timeout, { timeoutMs: 2999, memoryBytes: null }, true],
    ['the same time limit', timeout, { timeoutMs: 3000, memoryBytes: null }, true],
    ['a larger time limit', timeout, { timeoutMs: 3001, memoryBytes: null }, false],
    ['no time limit', timeout, { timeoutMs: null, memoryBytes: 1 }, false],
    ['a smaller memory limit', memory, { timeoutMs: null, memoryBytes: 999_999 }, true],
    ['the same memory limit', memory, { timeoutMs: null, memoryBytes: 1_000_000 }, true],
    ['a larger memory limit', memory, { timeoutMs: null, memoryBytes: 1_000_001 }, false],
    ['no memory limit', memory, { timeoutMs: 1, memoryBytes: null }, false],
  ] as const) {
    it(`for ${name}: ${expected}`, () => {
      assert.equal(isInForce(failure, NOW + 1, limits), expected);
    });
  }
});

/** In force one millisecond before a boundary, not at it. */
function around(boundaryMs: number): readonly (readonly [number, boolean])[] {
  return [
    [0, true],
    [boundaryMs - 1, true],
    [boundaryMs, false],
    [boundaryMs + 1, false],
  ];
}

describe('a failure is expired', () => {
  for (const [name, failure, atMs, expected] of [
    ['deterministic, before 24 hours', { kind: 'deterministic' }, NOW + DAY - 1, false],
    ['deterministic, at 24 hours', { kind: 'deterministic' }, NOW + DAY, true],
    ['transient, after its pause', { count: 1 }, NOW + 15 * MINUTE, false],
    ['transient, before 7 days', { count: 6 }, NOW + 7 * DAY - 1, false],
    ['transient, at 7 days', { count: 1 }, NOW + 7 * DAY, true],
    ['a day in the future', {}, NOW - DAY, false],
    ['more than a day in the future', {}, NOW - DAY - 1, true],
  ] as const) {
    it(`${name}: ${expected}`, () => {
      assert.equal(isExpiredFailure(failureOf(failure), atMs), expected);
    });
  }
});

describe('the count of a failure', () => {
  const own = { status: 1, signal: null };
  const attempt = { kind: 'transient', end: own, limits: NO_LIMITS, nowMs: NOW } as const;
  const limited = (value: number): Failure =>
    failureOf({ count: 3, lastAtMs: NOW - HOUR, status: null, limit: { kind: 'timeout', value } });

  it('is one without a failure before', () => {
    assert.deepEqual(nextFailure(null, attempt), failureOf({}));
  });

  for (const [name, previous, expected] of [
    ['goes on after the pause', failureOf({ count: 3, lastAtMs: NOW - HOUR }), 4],
    ['goes on when it was retried at once', failureOf({ count: 3, lastAtMs: NOW }), 4],
    ['goes on beyond the last attempt', failureOf({ count: 6, lastAtMs: NOW - 1 }), 7],
    ['goes on a millisecond before 7 days', failureOf({ count: 6, lastAtMs: NOW - 7 * DAY + 1 }), 7],
    ['starts again at 7 days', failureOf({ count: 6, lastAtMs: NOW - 7 * DAY }), 1],
    ['starts again after a failure in the future', failureOf({ count: 6, lastAtMs: NOW + 1 }), 1],
    ['starts again after another kind', failureOf({ count: 6, kind: 'deterministic', lastAtMs: NOW }), 1],
    ['starts again when the limit was lifted', limited(3000), 1],
    [
      'stays a number that is exact',
      failureOf({ count: Number.MAX_SAFE_INTEGER, lastAtMs: NOW }),
      Number.MAX_SAFE_INTEGER,
    ],
  ] as const) {
    it(name, () => {
      assert.equal(nextFailure(previous, attempt).count, expected);
    });
  }

  it('starts again with a larger limit and goes on with the same one', () => {
    const end = 'timeout';
    const at = (timeoutMs: number): Failure =>
      nextFailure(limited(3000), { ...attempt, end, limits: { timeoutMs, memoryBytes: null } });
    assert.equal(at(3001).count, 1);
    assert.deepEqual(
      at(3000),
      failureOf({ count: 4, status: null, limit: { kind: 'timeout', value: 3000 } }),
    );
  });

  it('comes with how it ended: a status, a signal or a limit', () => {
    const limits = { timeoutMs: 5, memoryBytes: 6 };
    const ended = (end: 'timeout' | 'memory' | { status: number | null; signal: string | null }): unknown => {
      const { status, signal, limit } = nextFailure(null, { ...attempt, end, limits });
      return [status, signal, limit];
    };
    assert.deepEqual(ended({ status: 7, signal: null }), [7, null, null]);
    assert.deepEqual(ended({ status: null, signal: 'SIGKILL' }), [null, 'SIGKILL', null]);
    assert.deepEqual(ended({ status: 7, signal: 'SIGKILL' }), [null, 'SIGKILL', null]);
    assert.deepEqual(ended('timeout'), [null, null, { kind: 'timeout', value: 5 }]);
    assert.deepEqual(ended('memory'), [null, null, { kind: 'memory', value: 6 }]);
  });

  it('keeps a limit as a whole number that still holds for itself', () => {
    const limits = { timeoutMs: 1500.5, memoryBytes: null };
    const failure = nextFailure(null, { ...attempt, end: 'timeout', limits });
    assert.deepEqual(failure.limit, { kind: 'timeout', value: 1501 });
    assert.equal(isInForce(failure, NOW, limits), true);
  });

  it('allows six attempts fifteen minutes apart, and no seventh within seven days', () => {
    let failure: Failure | null = null;
    let nowMs = NOW;
    let attempts = 0;
    for (; nowMs < NOW + 6 * DAY; nowMs += MINUTE) {
      if (failure !== null && isInForce(failure, nowMs, NO_LIMITS)) continue;
      failure = nextFailure(failure, { ...attempt, nowMs });
      attempts += 1;
    }
    assert.equal(attempts, 6);
    assert.equal(failure?.lastAtMs, NOW + 5 * 15 * MINUTE);
  });
});
