import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { EXPERIMENTS } from './catalogue.js';
import { merge, withMatrix } from './document.js';
import type { Experiment, Outcome } from './experiment.js';
import { title } from './report.js';
import { commandOf, runOf, type Row, type Run } from './results.js';

const DOCUMENT = 'before\n<!-- matrix: begin -->\nold\n<!-- matrix: end -->\nafter\n';

async function neverRun(): Promise<Outcome> {
  return Promise.reject(new Error('not to be run'));
}

function experiment(where: string, isPeer = false): Experiment {
  return { group: isPeer ? 'peer' : 'race', fault: 'fault', where, needs: [], isPeer, run: neverRun };
}

function outcome(points: number, wrongBytes = 0): Outcome {
  return { points, wrongBytes, goodLost: 0, failedNextRuns: 0, problems: [] };
}

function run(seed: number, ...rows: readonly Row[]): Run {
  return runOf(rows, commandOf({ only: 'race', bounded: false, seed: String(seed) }));
}

const [ONE, TWO, GONE, PEER] = [
  experiment('one'),
  experiment('two'),
  experiment('gone'),
  experiment('p', true),
];

describe('the matrix of several runs', () => {
  it('has each row as the last run has it that ran it, in the order of the catalogue', () => {
    const runs = [
      run(1, { experiment: TWO, outcome: outcome(5) }, { experiment: ONE, outcome: outcome(3, 1) }),
      run(2, { experiment: ONE, outcome: outcome(7) }),
      run(3, { experiment: TWO, obstacle: 'missing' }),
    ];
    const merged = merge(runs, [ONE, TWO]);
    assert.deepEqual(
      merged.rows.map((row) => ('outcome' in row ? row.outcome.points : row.obstacle)),
      [7, 5],
    );
    assert.deepEqual(merged.runs, runs.slice(0, 2));
  });

  it('names what nobody has run, and what is no row any more', () => {
    const merged = merge([run(1, { experiment: GONE, outcome: outcome(1) })], [ONE]);
    assert.deepEqual(merged.rows, [{ experiment: ONE, obstacle: 'not among these runs' }]);
    assert.deepEqual(merged.unknown, [title(GONE)]);
  });

  it('takes the place of the one in a document, with what repeats it and the sums of what is ours', () => {
    const rows = [ONE, TWO].map((each): Row => ({ experiment: each, outcome: outcome(2000) }));
    const all = [...rows, { experiment: PEER, outcome: outcome(9, 9) }];
    const text = withMatrix(DOCUMENT, merge([run(4, ...all)], [ONE, TWO, PEER]));
    assert.ok(text.startsWith('before\n<!-- matrix: begin -->\n\n'));
    assert.ok(text.endsWith('\n<!-- matrix: end -->\nafter\n'));
    assert.ok(!text.includes('old'));
    assert.ok(text.includes('2 rows of ours with 4,000 points: wrong bytes 0,'), text);
    assert.ok(text.includes('npm run test:faults -- --only race --seed 4\n'));
    assert.ok(text.includes('| fault | p | 9 | 9 | 0 | 0 |  |'));
  });

  it('is not put into a document without marks', () => {
    assert.throws(() => withMatrix('text', merge([], [])), /expected a document with/);
  });
});

it('docs/faults.md has a line for each row of the matrix, and no others', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/faults.md'), 'utf8');
  const [, shown = ''] = /<!-- matrix: begin -->([^]*)<!-- matrix: end -->/.exec(text) ?? [];
  const named = shown.split(/^### /m).slice(1).flatMap(titlesIn);
  assert.deepEqual(named.toSorted(), EXPERIMENTS.map(title).toSorted());
  assert.ok(!shown.includes('FAILED'), shown);
});

/** Of the rows of a group, those in its table and those below it that nobody has run. */
function titlesIn(section: string): readonly string[] {
  const [, group = ''] = /^`(.*)`/.exec(section) ?? [];
  const rows = [...section.matchAll(/^\| (?!Fault |---)(.*?) \| (.*?) \|/gm)];
  const omitted = [...section.matchAll(/^- (.*?): (?:not among|missing|needs)/gm)];
  const titles = rows.map(([, fault = '', where = '']) => `${group}: ${fault}, ${where}`);
  return titles.concat(omitted.map(([, name = '']) => name));
}
