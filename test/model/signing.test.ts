import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeRecord, encodeRecord, sealRecord } from '../../src/model/record.js';
import { decodeSummary } from '../../src/model/record-head.js';
import { isSigningKey } from '../../src/model/signing.js';
import { fingerprintFrom, hashOf, makeFailure, makeRecord } from '../support/artifacts.js';
import { goldenBytes, goldenText } from '../support/golden.js';
import { checkProperty } from '../support/properties.js';
import { keyOf, signingOf } from '../support/signing-keys.js';

const OURS = keyOf(1);
const OLD = keyOf(2);
const FOREIGN = keyOf(3);
const signing = signingOf(OURS, OLD);

const RECORD = makeRecord(fingerprintFrom('a'), Buffer.from('payload'), {
  stdout: Buffer.from('words'),
  fields: [{ name: 'arch', value: 'x64', digest: null }],
});

function signed(): Buffer {
  return Buffer.from(encodeRecord(RECORD, hashOf, signing));
}

/** As a reader with a key does it: by its MAC, its checksum and its form. */
function isAccepted(bytes: Buffer): boolean {
  return signing.judgeRecord(bytes) === null && decodeRecord(bytes, hashOf).ok;
}

function changed(bytes: Buffer, from: string, to: string): Buffer {
  const text = bytes.toString('utf8');
  assert.ok(text.includes(from), `expected ${from} in the record`);
  return sealRecord(Buffer.from(text.replace(from, to)), hashOf);
}

describe('a key', () => {
  it('is 32 bytes, whatever they are', () => {
    for (const length of [0, 31, 32, 33, 64])
      assert.equal(isSigningKey(Buffer.alloc(length)), length === 32, `${length} bytes`);
  });
});

describe('a signed record', () => {
  it('is the golden file', () => {
    const unsigned = decodeRecord(goldenBytes('record.json'), hashOf);
    assert.ok(unsigned.ok);
    const bytes = Buffer.from(encodeRecord(unsigned.record, hashOf, signing));
    assert.equal(bytes.toString('utf8'), goldenText('signed-record.json'));
    assert.ok(isAccepted(bytes));
  });

  it('is accepted, and read by those without a key', () => {
    const bytes = signed();
    assert.ok(isAccepted(bytes));
    const decoded = decodeRecord(bytes, hashOf);
    assert.ok(decoded.ok);
    const unsigned = decodeRecord(Buffer.from(encodeRecord(RECORD, hashOf)), hashOf);
    assert.ok(unsigned.ok);
    assert.deepEqual(decoded.record, unsigned.record);
    assert.notEqual(decodeSummary(bytes, hashOf), null);
  });

  it('may hold whatever a record may hold', () => {
    const texts = fc.record({
      compiler: fc.string({ unit: 'grapheme' }),
      stdout: fc.uint8Array(),
      command: fc.array(fc.oneof(fc.string(), fc.constant('","mac":"'), fc.constant('"}\n'))),
    });
    checkProperty(
      fc.property(texts, (about) => {
        const record = makeRecord(fingerprintFrom('a'), Buffer.from('x'), about);
        assert.ok(isAccepted(Buffer.from(encodeRecord(record, hashOf, signing))));
        assert.equal(signing.judgeRecord(Buffer.from(encodeRecord(record, hashOf))), 'unsigned');
      }),
    );
  });

  it('is not accepted with any bit of it flipped', () => {
    const bytes = signed();
    const checksumAt = bytes.indexOf('"checksum":"') + '"checksum":"'.length;
    const isChecksum = (at: number): boolean => at >= checksumAt && at < checksumAt + 64;
    for (let at = 0; at < bytes.byteLength; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
        assert.ok(!isAccepted(flipped), `bit ${bit} of byte ${at}`);
        // Whoever forges makes the checksum fit; where that was flipped, it is as before.
        if (!isChecksum(at))
          assert.ok(!isAccepted(sealRecord(flipped, hashOf)), `sealed: bit ${bit} of byte ${at}`);
      }
    }
  });

  it('is not accepted cut to any length, nor with anything behind it', () => {
    const bytes = signed();
    for (let length = 0; length < bytes.byteLength; length += 1)
      assert.notEqual(signing.judgeRecord(bytes.subarray(0, length)), null, `${length} bytes`);
    for (const more of ['\n', ' ', '\0', '"}\n', bytes.toString('utf8')])
      assert.notEqual(signing.judgeRecord(Buffer.concat([bytes, Buffer.from(more)])), null);
  });

  it('is unsigned without its MAC, whatever is written instead', () => {
    const mac = /"mac":"[0-9a-f]{64}"/.exec(signed().toString('utf8'))?.[0] ?? '';
    const strips: readonly (readonly [string, string])[] = [
      ['"mac":null', 'unsigned'],
      ['"mac":""', 'unsigned'],
      [`"mac":"${'0'.repeat(63)}"`, 'unsigned'],
      [`"mac":"${'0'.repeat(64)}"`, 'bad-mac'],
      [mac.replace(/[0-9a-f]{64}/, (hex) => hex.toUpperCase()), 'bad-mac'],
      [mac.replace(/[0-9a-f]{64}/, (hex) => `${hex.slice(0, 63)}\u{1}`), 'bad-mac'],
      [`${mac},"other":1`, 'unsigned'],
    ];
    for (const [instead, reason] of strips)
      assert.equal(signing.judgeRecord(changed(signed(), mac, instead)), reason, instead);
  });

  it('is bad-mac when its words are changed and its checksum is made to fit', () => {
    const edits: readonly (readonly [string, string])[] = [
      ['"executable":false', '"executable":true'],
      [RECORD.payloadDigest, fingerprintFrom('b')],
      [RECORD.fingerprint, fingerprintFrom('b')],
      [Buffer.from('words').toString('base64'), Buffer.from('other').toString('base64')],
      ['"fields":[', '"fields" :['],
      ['vyre-cache.record/1', 'vyre-cache.record/2'],
    ];
    for (const [from, to] of edits)
      assert.equal(signing.judgeRecord(changed(signed(), from, to)), 'bad-mac', from);
  });

  it('is accepted from every accepted key, and from no other', () => {
    const by = (key: typeof OURS): Buffer => Buffer.from(encodeRecord(RECORD, hashOf, signingOf(key)));
    assert.equal(signing.judgeRecord(by(OURS)), null);
    assert.equal(signing.judgeRecord(by(OLD)), null);
    assert.equal(signing.judgeRecord(by(FOREIGN)), 'bad-mac');
    assert.equal(signingOf(OURS).judgeRecord(by(OLD)), 'bad-mac');
  });

  it('may tell of a failure', () => {
    const failure = makeFailure(fingerprintFrom('a'));
    const bytes = Buffer.from(encodeRecord(failure, hashOf, signing));
    assert.ok(isAccepted(bytes));
    assert.equal(signing.judgeRecord(changed(bytes, '"status":1', '"status":2')), 'bad-mac');
  });
});

describe('signing', () => {
  it('takes nothing but a record with an empty MAC', () => {
    for (const text of ['', '"}\n', '{"mac":null}\n', '{"schema":"x","mac":"a"}\n'])
      assert.throws(() => signing.signRecord(Buffer.from(text)), /empty MAC/);
  });

  it('does not accept a MAC of another length', () => {
    const text = [Buffer.from('text')];
    const mac = signing.mac(text);
    assert.ok(signing.accepts(text, mac));
    for (const length of [0, 31]) assert.ok(!signing.accepts(text, mac.subarray(0, length)));
    assert.ok(!signing.accepts(text, Buffer.concat([mac, Buffer.alloc(1)])));
  });

  it('compares every byte of a MAC', () => {
    const text = [Buffer.from('text')];
    const mac = Buffer.from(signing.mac(text));
    for (let at = 0; at < mac.byteLength; at += 1) {
      const flipped = Buffer.from(mac);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      assert.ok(!signing.accepts(text, flipped), `byte ${at}`);
    }
  });
});
