import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { currentSets, type DependencySet } from '../../src/compile/dependency-sets.js';
import type { Plan } from '../../src/compile/plan.js';
import type { CommandPattern } from '../../src/compile/planned-command.js';
import { FileDigests } from '../../src/compile/file-digests.js';
import { SharedLooks } from '../../src/compile/shared-looks.js';
import { Stamps } from '../../src/compile/stamps.js';
import { systemFiles } from '../../src/host/files.js';
import { digestOf } from '../support/artifacts.js';
import { failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const setOf = (content: string, absent: readonly string[] = []): DependencySet => ({
  files: [{ name: 'a.h', digest: digestOf(Buffer.from(content)) }],
  absent,
});

class Bench {
  readonly clock = new FakeClock();
  readonly looks = new SharedLooks(this.clock);
  looked = 0;
  readonly #host = fakeHost({
    clock: this.clock,
    files: failingFiles({
      stat: (path) => {
        this.looked += 1;
        return systemFiles.stat(path);
      },
    }),
  });

  isCurrent(cwd: string, set: DependencySet): boolean {
    const digests = new FileDigests(this.#host, new Stamps(this.#host, null));
    return this.looks.from(cwd, () => currentSets(this.#host, digests, cwd))(set);
  }
}

/** Of a job of the second command line on; patterns are told apart by what they are. */
const planOf = (pattern: CommandPattern | null): Pick<Plan, 'pattern'> => ({ pattern });

function aPattern(): CommandPattern {
  const facts = { relocatable: true, uncacheable: null, furtherOutputs: [], machineModel: false };
  return { facts, discovers: true };
}

describe('the set that a batch tries first', () => {
  const [one, other] = [setOf('x'), setOf('y')];

  it('is the one that two jobs of a command in a row have had', () => {
    const looks = new SharedLooks(new FakeClock());
    const plan = planOf(aPattern());
    const tried = [looks.likelySet(plan)];
    for (const set of [one, one, other, one, one]) {
      looks.keepSet(plan, set);
      tried.push(looks.likelySet(plan));
    }
    assert.deepEqual(tried, [null, null, one, null, null, one]);
  });

  it('belongs to one command, and to none that stands alone', () => {
    const looks = new SharedLooks(new FakeClock());
    const plan = planOf(aPattern());
    for (const each of [plan, plan, planOf(null), planOf(null)]) looks.keepSet(each, one);
    const tried = [plan, planOf(aPattern()), planOf(null)].map((each) => looks.likelySet(each));
    assert.deepEqual(tried, [one, null, null]);
  });
});

describe('looks that a batch shares', () => {
  it('are made once for many jobs within 20 ms, and again after that', (t) => {
    const bench = new Bench();
    const cwd = temporaryFolder(t);
    writeFileSync(join(cwd, 'a.h'), 'x');
    const set = setOf('x', ['b.h']);
    assert.deepEqual([bench.isCurrent(cwd, set), bench.isCurrent(cwd, set)], [true, true]);
    assert.equal(bench.looked, 2);
    bench.clock.advance(19);
    assert.equal(bench.isCurrent(cwd, setOf('x', ['b.h'])), true);
    assert.equal(bench.looked, 2);
    writeFileSync(join(cwd, 'a.h'), 'y');
    bench.clock.advance(1);
    assert.deepEqual([bench.isCurrent(cwd, set), bench.isCurrent(cwd, setOf('y'))], [false, true]);
  });

  it('notice a header that appears in the place of another', (t) => {
    const bench = new Bench();
    const cwd = temporaryFolder(t);
    writeFileSync(join(cwd, 'a.h'), 'x');
    const set = setOf('x', ['b.h']);
    assert.equal(bench.isCurrent(cwd, set), true);
    writeFileSync(join(cwd, 'b.h'), '');
    bench.clock.advance(20);
    assert.equal(bench.isCurrent(cwd, set), false);
  });

  it('belong to one folder', (t) => {
    const bench = new Bench();
    const [one, two] = [temporaryFolder(t), temporaryFolder(t)];
    writeFileSync(join(one, 'a.h'), 'x');
    writeFileSync(join(two, 'a.h'), 'y');
    const set = setOf('x');
    assert.deepEqual([bench.isCurrent(one, set), bench.isCurrent(two, set)], [true, false]);
  });
});
