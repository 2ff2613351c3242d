import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, mock } from 'node:test';
import fc from 'fast-check';
import { DECODERS, decoderPlace, type DecoderPlace, type KnownDecoder } from '../support/decoders.js';
import { HOSTILE_JSON, mutated } from '../support/hostile-bytes.js';
import { checkAsyncProperty } from '../support/properties.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const CORPUS = join(import.meta.dirname, '../../fixtures/corpus');
/** More of them by hand: `VYRE_TEST_ROUNDS=20000`. */
const RUNS = Number(process.env['VYRE_TEST_ROUNDS'] ?? 150);

/** What a decoder may allocate beside copies of what it is given: buffers of a fixed size. */
const FIXED_BYTES = 2 * 1024 * 1024;
const COPIES = 8;

function seedsOf(name: string): readonly Buffer[] {
  return readdirSync(join(CORPUS, name)).map((file) => readFileSync(join(CORPUS, name, file)));
}

/** The largest buffer that is asked for while `work` runs. */
async function largestBuffer(work: () => unknown): Promise<number> {
  let largest = 0;
  const names = ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const;
  const spies = names.map((name) =>
    mock.method(Buffer, name, (size: number) => {
      largest = Math.max(largest, size);
      return Buffer.from(new ArrayBuffer(size));
    }),
  );
  try {
    await work();
  } finally {
    for (const spy of spies) spy.mock.restore();
  }
  return largest;
}

/** Decodes as it is, and with its checksum made to fit. */
async function assertHarmless(decoder: KnownDecoder, bytes: Buffer, place: DecoderPlace): Promise<void> {
  for (const each of [bytes, decoder.seal?.(bytes) ?? bytes]) {
    const largest = await largestBuffer(() => decoder.decode(each, place));
    assert.ok(largest <= FIXED_BYTES + COPIES * each.byteLength, `${largest} bytes were asked for`);
    assertStable(decoder, each, place);
  }
  assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
}

/** What is written of what was read is read as the same. */
function assertStable(decoder: KnownDecoder, bytes: Buffer, place: DecoderPlace): void {
  const encoded = decoder.encode?.(bytes, place) ?? null;
  if (encoded === null) return;
  const again = decoder.encode?.(Buffer.from(encoded), place) ?? null;
  assert.deepEqual(again, encoded);
}

describe('whatever lies in the place of what a decoder reads', () => {
  it('is known by its corpus', () => {
    assert.deepEqual(readdirSync(CORPUS).toSorted(), DECODERS.map(({ name }) => name).toSorted());
  });

  for (const decoder of DECODERS) {
    it(`is harmless: ${decoder.name}`, async (t) => {
      const folder = temporaryFolder(t);
      const place = decoderPlace(folder);
      const seeds = seedsOf(decoder.name);
      assert.ok(seeds.length > 0);
      for (const seed of seeds) await assertHarmless(decoder, seed, place);
      for (const json of HOSTILE_JSON) await assertHarmless(decoder, Buffer.from(json, 'utf8'), place);
      const property = fc.asyncProperty(mutated(seeds), async (bytes) => {
        await assertHarmless(decoder, bytes, place);
      });
      await checkAsyncProperty(property, RUNS);
      rmSync(place.home.root, { recursive: true, force: true });
    });
  }
});
