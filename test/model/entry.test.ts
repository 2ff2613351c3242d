import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  DEFAULT_MAX_PAYLOAD_BYTES,
  entryChunks,
  FOOTER_BYTES,
  judgeEntrySize,
  splitEntry,
} from '../../src/model/entry.js';
import { fingerprintFrom } from '../support/artifacts.js';
import { goldenBytes } from '../support/golden.js';

describe('the size of an entry', () => {
  it('has vyre as its measure', () => {
    assert.equal(FOOTER_BYTES, 32);
    assert.equal(DEFAULT_MAX_PAYLOAD_BYTES, 67_108_864);
  });
  const judged: readonly (readonly [number, number, ReturnType<typeof judgeEntrySize>])[] = [
    [0, 67_108_864, { ok: false, reason: 'truncated' }],
    [31, 67_108_864, { ok: false, reason: 'truncated' }],
    [32, 67_108_864, { ok: true, payloadBytes: 0 }],
    [33, 67_108_864, { ok: true, payloadBytes: 1 }],
    [67_108_895, 67_108_864, { ok: true, payloadBytes: 67_108_863 }],
    [67_108_896, 67_108_864, { ok: true, payloadBytes: 67_108_864 }],
    [67_108_897, 67_108_864, { ok: false, reason: 'oversized' }],
    [Number.MAX_SAFE_INTEGER, 67_108_864, { ok: false, reason: 'oversized' }],
    [32, 0, { ok: true, payloadBytes: 0 }],
    [33, 0, { ok: false, reason: 'oversized' }],
  ];
  for (const [fileBytes, bound, verdict] of judged) {
    it(`of ${fileBytes} bytes under a bound of ${bound} is ${verdict.ok ? 'fine' : verdict.reason}`, () => {
      assert.deepEqual(judgeEntrySize(fileBytes, bound), verdict);
    });
  }
});

describe('the bytes of an entry', () => {
  for (const [digit, payload] of [
    ['1', ''],
    ['2', 'vyre'],
    ['3', '\0'],
  ] as const) {
    it(`are payload and footer: ${JSON.stringify(payload)}`, () => {
      const bytes = goldenBytes(`entries/${fingerprintFrom(digit)}.bin`);
      const split = splitEntry(bytes);
      assert.equal(split.payload.toString('latin1'), payload);
      assert.equal(split.footer.byteLength, 32);
      assert.deepEqual(Buffer.concat(entryChunks(split.payload, split.footer)), bytes);
    });
  }
  for (const bytes of [0, 31, 33, 64]) {
    it(`never carry a footer of ${bytes} bytes`, () => {
      assert.throws(() => entryChunks(Buffer.from('vyre'), new Uint8Array(bytes)), /32 bytes/);
    });
  }
});
