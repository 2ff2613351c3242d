import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { NotedSavings, Savings, type Saving } from '../../src/store/savings.js';
import { fingerprintFrom } from '../support/artifacts.js';
import { errnoError, failingFiles, fakeHost } from '../support/fake-host.js';
import { checkProperty } from '../support/properties.js';
import { temporaryFolder } from '../support/temporary-folder.js';

function saving(digits: string, savedMs: number, hits = 1): Saving {
  return { fingerprint: fingerprintFrom(digits), savedMs, hits };
}

function byName(savings: readonly Saving[]): readonly Saving[] {
  return savings.toSorted((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1));
}

describe('savings that are noted before they are written', () => {
  it('add up by entry, and are handed out once', () => {
    const noted = new NotedSavings();
    for (const each of [saving('a', 100), saving('b', 5), saving('a', 20)]) noted.add(each);
    assert.deepEqual(byName(noted.take()), [saving('a', 120, 2), saving('b', 5)]);
    assert.deepEqual(noted.take(), []);
  });

  it('take the memory of the slots, however many entries there are, and show what the file would', (t) => {
    const folder = temporaryFolder(t);
    const amounts = fc.array(fc.tuple(fc.constantFrom('abc0', 'abc1', 'abc2', 'def0'), fc.nat(50)));
    checkProperty(
      fc.property(amounts, (pairs) => {
        const noted = new NotedSavings();
        const savings = new Savings(fakeHost(), folder);
        savings.clear();
        for (const [digits, savedMs] of pairs) {
          noted.add(saving(digits, savedMs));
          savings.add([saving(digits, savedMs)]);
        }
        const taken = noted.take();
        assert.ok(taken.length <= 2);
        assert.deepEqual(byName(taken), byName(savings.read()));
      }),
    );
  });
});

describe('the savings of single entries', () => {
  it('add up over processes', (t) => {
    const folder = temporaryFolder(t);
    new Savings(fakeHost(), folder).add([saving('a', 100), saving('b', 5)]);
    new Savings(fakeHost(), folder).add([saving('a', 20, 3)]);
    assert.deepEqual(byName(new Savings(fakeHost(), folder).read()), [saving('a', 120, 4), saving('b', 5)]);
  });

  it('add up as well where so many come at once that the file is written whole', (t) => {
    const folder = temporaryFolder(t);
    const savings = new Savings(fakeHost(), folder);
    const many = Array.from({ length: 100 }, (_, index) =>
      saving(index.toString(16).padStart(3, '0'), index + 1),
    );
    savings.add([saving('000', 5), saving('fff', 7)]);
    savings.add(many);
    const [first, ...rest] = many;
    assert.ok(first);
    assert.deepEqual(byName(savings.read()), [saving('000', 6, 2), ...rest, saving('fff', 7)]);
  });

  it('of two entries in one slot show the one that saves more', (t) => {
    const savings = new Savings(fakeHost(), temporaryFolder(t));
    savings.add([saving('abc0', 100)]);
    savings.add([saving('abc1', 30)]);
    assert.deepEqual(savings.read(), [saving('abc0', 70)]);
    savings.add([saving('abc1', 90)]);
    assert.deepEqual(savings.read(), [saving('abc1', 20)]);
  });

  it('keep the entry that saves most of all, whatever comes between', (t) => {
    const folder = temporaryFolder(t);
    const rounds = fc.array(fc.nat(50), { minLength: 1, maxLength: 30 });
    checkProperty(
      fc.property(rounds, (others) => {
        const savings = new Savings(fakeHost(), folder);
        savings.clear();
        const more = others.reduce((sum, each) => sum + each, 1);
        savings.add([saving('abc0', more)]);
        for (const [index, savedMs] of others.entries()) savings.add([saving(`abc1${index}`, savedMs)]);
        assert.deepEqual(
          savings.read().map(({ fingerprint }) => fingerprint),
          [fingerprintFrom('abc0')],
        );
      }),
      30,
    );
  });

  it('are read as none from every flipped byte of a slot, and go on from there', (t) => {
    const folder = temporaryFolder(t);
    const savings = new Savings(fakeHost(), folder);
    const path = join(folder, 'savings');
    savings.add([saving('000', 7)]);
    const whole = readFileSync(path);
    assert.equal(whole.length, 48);
    for (let at = 0; at < whole.length; at += 1) {
      const damaged = Buffer.from(whole);
      damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
      writeFileSync(path, damaged);
      assert.deepEqual(savings.read(), [], String(at));
    }
    savings.add([saving('000', 9)]);
    assert.deepEqual(savings.read(), [saving('000', 9)]);
  });

  it('take at most 192 KiB, and no more than 49 days an entry', (t) => {
    const folder = temporaryFolder(t);
    const savings = new Savings(fakeHost(), folder);
    savings.add([saving('fff', 2 ** 40, 2 ** 40)]);
    assert.equal(statSync(join(folder, 'savings')).size, 196_608);
    assert.deepEqual(savings.read(), [saving('fff', 2 ** 32 - 1, 2 ** 32 - 1)]);
  });

  it('are none where something else lies in their place, and harm nobody', (t) => {
    const folder = temporaryFolder(t);
    const savings = new Savings(fakeHost(), folder);
    assert.deepEqual(savings.read(), []);
    mkdirSync(join(folder, 'savings'));
    savings.add([saving('a', 1)]);
    savings.clear();
    assert.deepEqual(savings.read(), []);
    const other = temporaryFolder(t);
    writeFileSync(join(other, 'precious'), 'precious');
    symlinkSync(join(other, 'precious'), join(other, 'savings'));
    const linked = new Savings(fakeHost(), other);
    linked.add([saving('a', 1)]);
    assert.deepEqual(linked.read(), []);
    assert.equal(readFileSync(join(other, 'precious'), 'utf8'), 'precious');
  });

  it('are given up when they cannot be written', (t) => {
    const files = failingFiles({
      writeAt: () => {
        throw errnoError('ENOSPC');
      },
    });
    new Savings(fakeHost({ files }), temporaryFolder(t)).add([saving('a', 1)]);
  });
});
