import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { beginsRecordOf, MAX_RECORD_BEGIN_BYTES } from '../../src/model/record-begin.js';
import { encodeRecord } from '../../src/model/record.js';
import { digestOf, fingerprintFrom, hashOf, makeFailure, makeRecord } from '../support/artifacts.js';
import { goldenText } from '../support/golden.js';

const PAYLOAD = Buffer.from('payload');
const FINGERPRINT = fingerprintFrom('a');
const OURS = { fingerprint: FINGERPRINT, digest: digestOf(PAYLOAD), bytes: PAYLOAD.byteLength };

function textOf(record: Parameters<typeof encodeRecord>[0]): string {
  return Buffer.from(encodeRecord(record, hashOf)).toString('utf8');
}

describe('the begin of a record', () => {
  const text = textOf(makeRecord(FINGERPRINT, PAYLOAD));

  it('tells whose it is', () => {
    assert.ok(beginsRecordOf(text, OURS));
    const golden = {
      fingerprint: fingerprintFrom('0123456789abcdef'.repeat(4)),
      digest: digestOf(Buffer.from('vyre')),
    };
    assert.ok(beginsRecordOf(goldenText('record.json'), { ...golden, bytes: 4 }));
    for (const other of [
      { ...OURS, fingerprint: fingerprintFrom('b') },
      { ...OURS, digest: digestOf(Buffer.from('another')) },
      { ...OURS, bytes: 70 },
      { ...OURS, bytes: 0 },
    ])
      assert.equal(beginsRecordOf(text, other), false);
  });

  it('is that of an artifact, in the format of today', () => {
    assert.equal(beginsRecordOf(textOf(makeFailure(FINGERPRINT)), OURS), false);
    for (const other of [text.replace('record/1', 'record/2'), text.slice(1), ` ${text}`, '', '{}'])
      assert.equal(beginsRecordOf(other, OURS), false);
  });

  it('says all of it in no more than so many bytes, and not in one less than it needs', () => {
    const bytes = Number.MAX_SAFE_INTEGER;
    const longest = textOf(makeRecord(FINGERPRINT, PAYLOAD, { payloadBytes: bytes }));
    assert.ok(beginsRecordOf(longest.slice(0, MAX_RECORD_BEGIN_BYTES), { ...OURS, bytes }));
    const needed = longest.indexOf('"createdAtMs"');
    assert.ok(beginsRecordOf(longest.slice(0, needed), { ...OURS, bytes }));
    assert.equal(beginsRecordOf(longest.slice(0, needed - 1), { ...OURS, bytes }), false);
  });
});
