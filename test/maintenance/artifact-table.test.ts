import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ENTRY_PART, entryFormat, RECORD_PART } from '../../src/layouts/vyre/entry-format.js';
import { ArtifactTable, RESULT, type SharedTable } from '../../src/maintenance/artifact-table.js';
import { StemIndex } from '../../src/maintenance/stem-index.js';
import { manyNames } from '../support/store-files.js';

class Listing {
  readonly table = new ArtifactTable();
  readonly #index = new StemIndex(this.table, 0, { seed: 1 });

  mark(stem: string, part: number): void {
    this.table.mark(this.#index.row({ format: entryFormat, stem }), part, true);
  }
}

/** What another thread notes of a row. */
function find(lent: SharedTable, row: number, bytes: number): void {
  const elsewhere = ArtifactTable.of(lent);
  elsewhere.usedAtMs[row] = 1000 + row;
  elsewhere.bytes[row] = bytes;
  elsewhere.results[row] = RESULT.seen;
}

describe('a table that is lent while it grows', () => {
  const [first = '', second = '', third = ''] = manyNames(3);

  it('shows others the names that were lent, and takes what they found', () => {
    const { table, ...listing } = marked(first, second);
    const lent = table.lend();
    assert.equal(table.lendRows(lent), 2);
    assert.deepEqual(
      [0, 1].map((row) => ArtifactTable.of(lent).stem(row)),
      [first, second],
    );
    find(lent, 1, 7);
    listing.mark(third, ENTRY_PART);
    table.takeBack(lent);
    assert.deepEqual([...table.results], [RESULT.none, RESULT.seen, RESULT.none]);
    assert.deepEqual([table.usedAtMs[1], table.bytes[1]], [1001, 7]);
  });

  it('forgets what was found of a row to which a part was added since', () => {
    const { table, ...listing } = marked(first, second);
    const lent = table.lend();
    table.lendRows(lent);
    find(lent, 0, 7);
    find(lent, 1, 7);
    listing.mark(second, RECORD_PART);
    table.takeBack(lent);
    assert.deepEqual([...table.results], [RESULT.seen, RESULT.none]);
    assert.equal(table.present(1), (1 << ENTRY_PART) | (1 << RECORD_PART));
  });

  it('adopts what others find once all is there, but for rows that have changed after they were claimed', () => {
    const { table, ...listing } = marked(first, second, third);
    const lent = table.lend();
    table.lendRows(lent);
    for (const row of [0, 1]) find(lent, row, 7);
    listing.mark(first, RECORD_PART);
    listing.mark(third, RECORD_PART);
    assert.equal(table.adopt(lent, 2), true);
    assert.deepEqual([...table.results], [RESULT.seen, RESULT.seen, RESULT.none]);
    find(lent, 2, 7);
    assert.equal(table.takeBack(lent), 1);
    assert.deepEqual([...table.results], [RESULT.none, RESULT.seen, RESULT.seen]);
  });

  it('adopts nothing of memory that has become too small', () => {
    const listing = new Listing();
    const { table } = listing;
    const lent = table.lend();
    for (let number = 0; number <= lent.count; number += 1) listing.mark(`name ${number}`, ENTRY_PART);
    assert.equal(table.adopt(lent, 0), false);
  });

  it('keeps what was found when its memory has become too small, and lends no more of it', () => {
    const listing = new Listing();
    const { table } = listing;
    const lent = table.lend();
    for (let number = 0; number < lent.count; number += 1) listing.mark(`name ${number}`, ENTRY_PART);
    assert.equal(table.lendRows(lent), lent.count);
    const last = lent.count - 1;
    find(lent, last, 7);
    listing.mark(first, ENTRY_PART);
    assert.equal(table.lendRows(lent), lent.count);
    listing.mark(`name ${last - 1}`, RECORD_PART);
    table.takeBack(lent);
    assert.equal(table.results.length, lent.count + 1);
    assert.deepEqual(
      [table.results[last], table.bytes[last], table.results[last + 1]],
      [RESULT.seen, 7, RESULT.none],
    );
    assert.equal(table.stem(last), `name ${last}`);
  });

  function marked(...stems: readonly string[]): { readonly table: ArtifactTable; mark: Listing['mark'] } {
    const listing = new Listing();
    for (const stem of stems) listing.mark(stem, ENTRY_PART);
    return { table: listing.table, mark: listing.mark.bind(listing) };
  }
});
