import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatNumber } from '../../src/layouts/formats.js';
import { aotFormat } from '../../src/layouts/vyre/aot.js';
import { entryFormat } from '../../src/layouts/vyre/entry-format.js';
import { ArtifactTable } from '../../src/maintenance/artifact-table.js';
import { StemIndex } from '../../src/maintenance/stem-index.js';
import { HEX_LENGTH } from '../../src/model/fingerprint.js';
import { manyNames } from '../support/store-files.js';

const ENTRY = formatNumber(entryFormat);

describe('rows by their names', () => {
  for (const expected of [0, 100, 5000, 1_000_000]) {
    it(`are the same for a name and for its stem, in any order (${expected} were expected)`, () => {
      const table = new ArtifactTable();
      const index = new StemIndex(table, 0, { seed: 7, expected });
      const names = manyNames(5000);
      const rows = names.map((stem, number) =>
        number % 2 === 0
          ? index.hexRow(`${stem}.bin`, HEX_LENGTH, ENTRY)
          : index.row({ format: entryFormat, stem }),
      );
      assert.deepEqual(
        rows,
        names.map((_, number) => number),
      );
      for (const [number, stem] of names.entries()) {
        assert.equal(index.row({ format: entryFormat, stem }), number);
        assert.equal(index.hexRow(`${stem}.json`, HEX_LENGTH, ENTRY), number);
      }
      assert.equal(table.count, names.length);
      assert.equal(table.stem(4321), names[4321]);
    });
  }

  it('tell stems apart that differ in one bit, in their length, or in their format', () => {
    const table = new ArtifactTable();
    const index = new StemIndex(table, 0, { seed: 7 });
    const stem = '0'.repeat(HEX_LENGTH);
    const others = Array.from(
      { length: HEX_LENGTH },
      (_, at) => `${stem.slice(0, at)}8${stem.slice(at + 1)}`,
    );
    const stems = [stem, ...others, stem.slice(2), stem.slice(4), 'text', 'texts'];
    const rows = stems.map((each) => index.row({ format: entryFormat, stem: each }));
    assert.equal(new Set(rows).size, stems.length);
    assert.equal(index.row({ format: aotFormat, stem }), stems.length);
  });

  it('are none for names that begin with something else', () => {
    const table = new ArtifactTable();
    const index = new StemIndex(table, 0, { seed: 7 });
    const [stem = ''] = manyNames(1);
    for (const name of [stem.slice(1), `${stem.slice(0, -1)}G`, `${stem.slice(0, -1)}A`, `x${stem}`, ''])
      assert.equal(index.hexRow(`${name}.bin`, HEX_LENGTH, ENTRY), -1, name);
    assert.equal(table.count, 0);
  });
});
