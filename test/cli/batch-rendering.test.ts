import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BatchReport, jobName, renderBatchJob } from '../../src/cli/rendering/batch.js';
import type { BatchResult } from '../../src/compile/batch.js';
import type { CompileResult } from '../../src/compile/request.js';
import { fingerprintFrom } from '../support/artifacts.js';

const FINGERPRINT = fingerprintFrom('ab');

const HIT: CompileResult = {
  fingerprint: FINGERPRINT,
  outcome: 'disk',
  reason: null,
  notStored: null,
  outputs: [{ path: 'a.o', bytes: 3, executable: false }],
  exitCode: 0,
  stdout: Buffer.alloc(0),
  stderr: Buffer.alloc(0),
  wallSeconds: 0.035,
  savedSeconds: 1.24,
  error: null,
};
const MISS: CompileResult = {
  ...HIT,
  outcome: 'compiled',
  reason: 'absent',
  savedSeconds: null,
  wallSeconds: 0.3,
};
const FAILURE: CompileResult = { ...MISS, outcome: 'failed', outputs: [], exitCode: 1 };

function ended(result: CompileResult | null, error: BatchResult['error'] = null, index = 16): BatchResult {
  return { index, result, error };
}

const GONE: BatchResult['error'] = { code: 'not-found', message: 'no program "cc"' };

function text(batch: BatchResult, verbose = false): string {
  return renderBatchJob(batch, { name: 'src/a.c', verbose, quiet: false }).toString('latin1');
}

describe('a job of a batch that has ended', () => {
  it('says nothing when it succeeded in silence, or was never started', () => {
    for (const result of [HIT, MISS, { ...MISS, notStored: 'payload-too-large' as const }, null]) {
      assert.equal(text(ended(result)), '');
    }
    assert.equal(text(ended(null), true), '');
  });

  it('shows all that was printed, byte by byte, each stream ended by a newline', () => {
    const stdout = Buffer.from([0xff, 0xfe]);
    const shown = text(ended({ ...MISS, stdout, stderr: Buffer.from('warning\n') }));
    assert.equal(shown, 'vyre-cache: job 17 (src/a.c) printed this (compiled, 300 ms)\n\xff\xfe\nwarning\n');
    assert.equal(
      text(ended({ ...HIT, stderr: Buffer.from('w') })),
      'vyre-cache: job 17 (src/a.c) printed this (disk, 35 ms)\nw\n',
    );
  });

  it('says how it failed, with what was printed', () => {
    const stderr = Buffer.from('error: no');
    const failures: readonly (readonly [BatchResult, string])[] = [
      [ended({ ...FAILURE, stderr }), 'failed with exit 1 (300 ms)\nerror: no'],
      [
        ended({ ...FAILURE, outcome: 'remembered-failure', exitCode: 139 }),
        'failed with exit 139 (remembered-failure, 300 ms)',
      ],
      [
        ended({ ...FAILURE, outcome: 'remembered-failure', failedSecondsAgo: 180 }),
        'failed with exit 1 (failure of 3 m ago repeated, --retry-failed tries again)',
      ],
      [ended({ ...FAILURE, outcome: null }), 'failed with exit 1 (not cached, 300 ms)'],
      [ended({ ...MISS, error: 'full' }), 'failed (compiled, 300 ms): full'],
      [ended(null, GONE), 'could not be run: no program "cc"'],
    ];
    for (const [batch, words] of failures) {
      assert.equal(text(batch), `vyre-cache: job 17 (src/a.c) ${words}\n`);
    }
  });

  it('has one line with its fingerprint where that is asked for', () => {
    assert.equal(
      text(ended(HIT), true),
      `vyre-cache: job 17: hit (disk) ${FINGERPRINT}, a.o, saved 1.24 s\n`,
    );
    assert.equal(
      text(ended({ ...FAILURE, stderr: Buffer.from('no\n') }), true),
      `vyre-cache: job 17: failed (absent) ${FINGERPRINT}, exit 1, took 300 ms\nno\n`,
    );
    const repeated = { ...FAILURE, outcome: 'remembered-failure', failedSecondsAgo: 180 } as const;
    assert.equal(
      text(ended(repeated), true),
      `vyre-cache: job 17: remembered-failure (absent) ${FINGERPRINT}, exit 1, took 300 ms, ` +
        'failure of 3 m ago repeated, --retry-failed tries again\n',
    );
    assert.equal(
      text(ended(null, GONE), true),
      'vyre-cache: job 17 (src/a.c) could not be run: no program "cc"\n',
    );
  });

  it('has no line of ours with -q when it succeeded, and its compiler’s words all the same', () => {
    const style = { name: 'src/a.c', verbose: false, quiet: true };
    const warned = { ...MISS, stderr: Buffer.from('warning: x') };
    assert.equal(renderBatchJob(ended(warned), style).toString('latin1'), 'warning: x\n');
    const failed = renderBatchJob(ended({ ...FAILURE, stderr: Buffer.from('error: y') }), style);
    assert.match(failed.toString('latin1'), /^vyre-cache: job 17 .* failed with exit 1 .*\nerror: y\n$/);
  });

  it('cannot steer a terminal by its name', () => {
    const shown = renderBatchJob(ended(FAILURE), {
      name: '\u001B[2J',
      verbose: false,
      quiet: false,
    }).toString('utf8');
    assert.equal(shown, 'vyre-cache: job 17 (\\u{1b}[2J) failed with exit 1 (300 ms)\n');
  });

  it('is called by its first input, else by its first output', () => {
    const file = (name: string): { name: string; path: string; isStdout: boolean } => ({
      name,
      path: `/x/${name}`,
      isStdout: false,
    });
    assert.equal(jobName({ inputs: [file('a.c'), file('b.c')], outputs: [file('a.o')] }), 'a.c');
    assert.equal(jobName({ inputs: [], outputs: [file('a.o')] }), 'a.o');
  });
});

describe('the report of a batch', () => {
  const report = (...results: readonly BatchResult[]): BatchReport => {
    const made = new BatchReport({ keepsRows: true });
    for (const result of results) made.add(result);
    return made;
  };
  const many = (count: number, result: CompileResult | null, first = 0): readonly BatchResult[] =>
    Array.from({ length: count }, (_, index) => ended(result, null, first + index));

  it('sums up in one line, what did not happen left out', () => {
    const all = report(
      ...many(1200, { ...HIT, savedSeconds: 0.16 }),
      ...many(10, MISS, 1200),
      ...many(3, { ...MISS, notStored: 'input-changed' }, 1210),
      ...many(9, FAILURE, 1213),
      ended(null, GONE, 1222),
      ...many(2, null, 1223),
    );
    assert.equal(
      all.summary(12.34),
      '1,225 jobs in 12.3 s: 1,200 hits, 10 compiled, 3 not stored, 10 failed, 2 stopped; 3 m 12 s saved',
    );
    assert.deepEqual([all.done, all.hits, all.failed, all.stopped], [1225, 1200, 10, 2]);
    assert.equal(report(ended({ ...HIT, savedSeconds: 0.0004 })).summary(0.02), '1 job in 20 ms: 1 hit');
    assert.equal(report(...many(2, MISS)).summary(1), '2 jobs in 1 s: 0 hits, 2 compiled');
    const uncached = { ...MISS, outcome: null, reason: null, fingerprint: null };
    assert.equal(report(ended(uncached)).summary(1), '1 job in 1 s: 0 hits, 1 not stored');
  });

  it('counts a hit that could not be delivered as failed', () => {
    assert.equal(report(ended({ ...HIT, error: 'full', savedSeconds: null })).failed, 1);
  });

  it('is a document in the order of the manifest, in pieces, without what was printed', () => {
    const printed = { ...MISS, stdout: Buffer.from('text') };
    const pieces = [
      ...report(
        ended(printed, null, 3),
        ended(null, null, 2),
        ended(null, GONE, 1),
        ended(HIT, null, 0),
      ).json(),
    ];
    assert.equal(pieces.length, 6);
    const nothing = {
      fingerprint: null,
      outcome: null,
      reason: null,
      notStored: null,
      outputs: [],
      exitCode: null,
      wallSeconds: null,
      savedSeconds: null,
      error: null,
    };
    const row = {
      ...nothing,
      fingerprint: FINGERPRINT,
      outputs: [{ path: 'a.o', bytes: 3, executable: false }],
      exitCode: 0,
    };
    const document = pieces.join('');
    assert.ok(document.startsWith('{"schema":"vyre-cache.compile/1",') && document.endsWith('}\n'));
    assert.deepEqual(JSON.parse(document), {
      schema: 'vyre-cache.compile/1',
      jobs: [
        { ...row, outcome: 'disk', wallSeconds: 0.035, savedSeconds: 1.24 },
        { ...nothing, error: 'no program "cc"' },
        nothing,
        { ...row, outcome: 'compiled', reason: 'absent', wallSeconds: 0.3 },
      ],
      totals: {
        memory: 0,
        disk: 1,
        remote: 0,
        joined: 0,
        compiled: 1,
        recompiled: 0,
        failed: 0,
        'remembered-failure': 0,
      },
    });
  });
});
