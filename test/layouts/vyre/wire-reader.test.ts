import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { damaged, UNVERIFIABLE, type Verdict } from '../../../src/layouts/verdict.js';
import { REST, skip, take, WireReader, type Grammar } from '../../../src/layouts/vyre/wire-reader.js';
import { wordOf } from '../../support/layout-examination.js';
import { checkProperty } from '../../support/properties.js';

/** Two bytes, as many more as they count, then whatever is wanted. */
function* counted({ takesRest }: { readonly takesRest: boolean }): Grammar {
  const count = (yield take(2)).readUInt16LE();
  if (count > 600) return damaged('bad-field');
  yield skip(count);
  if (takesRest) yield REST;
  return UNVERIFIABLE;
}

function judge(grammar: Grammar, chunks: readonly Buffer[]): Verdict {
  const reader = new WireReader(grammar);
  for (const chunk of chunks) {
    const verdict = reader.feed(chunk);
    if (verdict !== null) return verdict;
  }
  return reader.end();
}

function inChunks(bytes: Buffer, chunkBytes: number): readonly Buffer[] {
  const count = Math.ceil(bytes.byteLength / chunkBytes);
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes),
  );
}

describe('a reader of wire formats', () => {
  for (const [what, bytes, exact, open] of [
    ['nothing', [], 'truncated', 'truncated'],
    ['half of what is taken', [3], 'truncated', 'truncated'],
    ['less than is skipped', [3, 0, 1, 1], 'truncated', 'truncated'],
    ['as much as there should be', [3, 0, 1, 1, 1], 'unverifiable', 'unverifiable'],
    ['more than there should be', [3, 0, 1, 1, 1, 1], 'trailing-bytes', 'unverifiable'],
    ['nothing to skip', [0, 0], 'unverifiable', 'unverifiable'],
    ['what its grammar refuses', [255, 255], 'bad-field', 'bad-field'],
    ['what its grammar refuses, and more', [255, 255, 1], 'bad-field', 'bad-field'],
  ] as const) {
    it(`says of ${what}: ${exact}, or ${open} where the rest is free`, () => {
      for (const chunkBytes of [1, 2, 3, 100]) {
        const chunks = inChunks(Buffer.from(bytes), chunkBytes);
        assert.equal(wordOf(judge(counted({ takesRest: false }), chunks)), exact);
        assert.equal(wordOf(judge(counted({ takesRest: true }), chunks)), open);
      }
    });
  }

  it('says the same whatever the size of the chunks', () => {
    const sizes = fc.integer({ min: 1, max: 20 });
    const bytes = fc.tuple(fc.nat(80), fc.uint8Array({ maxLength: 100 }), fc.boolean());
    checkProperty(
      fc.property(bytes, sizes, ([count, body, takesRest], chunkBytes) => {
        const all = Buffer.concat([Buffer.from([count, 0]), body]);
        assert.deepEqual(
          judge(counted({ takesRest }), inChunks(all, chunkBytes)),
          judge(counted({ takesRest }), [all]),
        );
      }),
    );
  });

  it('has a verdict on an empty file whose grammar asks for nothing', () => {
    assert.deepEqual(judge(emptyGrammar(), []), UNVERIFIABLE);
    assert.equal(wordOf(judge(emptyGrammar(), [Buffer.from([1])])), 'trailing-bytes');
  });
});

/** Steps of no bytes need none. */
function* emptyGrammar(): Grammar {
  yield skip(0);
  yield take(0);
  return UNVERIFIABLE;
}
