import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  decodeRecord,
  encodeRecord,
  MAX_CAPTURED_BYTES,
  sealRecord,
  type FailureRecord,
  type StoredRecord,
} from '../../src/model/record.js';
import {
  type ArtifactRecord,
  decodeSummary,
  MAX_RECORD_BYTES,
  splitChecksum,
} from '../../src/model/record-head.js';
import { digestOf, fingerprintFrom, hashOf, makeRecord } from '../support/artifacts.js';
import { goldenBytes, goldenText } from '../support/golden.js';
import { checkProperty } from '../support/properties.js';

const VYRE = digestOf(Buffer.from('vyre'));
const GOLDEN: ArtifactRecord = {
  fingerprint: fingerprintFrom('0123456789abcdef'.repeat(4)),
  payloadDigest: VYRE,
  payloadBytes: 4,
  createdAtMs: 1_700_000_000_123,
  compiler: 'cc',
  command: ['cc', '-c', '{input:a.c}', '-o', '{output:1}'],
  outputs: [{ name: 'a.o', executable: false }],
  cost: { wallSeconds: 1.25, cpuSeconds: null, peakMemoryBytes: null },
  stdout: Buffer.alloc(0),
  stderr: Buffer.from('warning: \xff\n', 'latin1'),
  fields: [
    { name: 'arch', value: 'x64', digest: null },
    { name: 'dep/config.h', value: null, digest: null },
    { name: 'env/TOKEN', value: null, digest: digestOf(Buffer.from('hunter2')) },
    { name: 'input/a.c', value: null, digest: VYRE },
  ],
};

const GOLDEN_FAILURE: FailureRecord = {
  fingerprint: fingerprintFrom('fedcba9876543210'.repeat(4)),
  createdAtMs: 1_700_000_000_456,
  compiler: 'gcc',
  command: ['gcc', '-c', '{input:a.c}', '-o', '{output:1}'],
  cost: { wallSeconds: 0.5, cpuSeconds: null, peakMemoryBytes: null },
  failure: {
    kind: 'transient',
    count: 2,
    lastAtMs: 1_700_000_000_456,
    status: null,
    signal: null,
    limit: { kind: 'timeout', value: 3000 },
  },
  stdout: Buffer.alloc(0),
  stderr: Buffer.from('killed: \xff\n', 'latin1'),
  fields: [
    { name: 'arch', value: 'x64', digest: null },
    { name: 'input/a.c', value: null, digest: VYRE },
  ],
};

type Document = Record<string, unknown>;

function failureDocument(): Document {
  return JSON.parse(goldenText('failure.json')) as Document;
}

function goldenDocument(): Document {
  return JSON.parse(goldenText('record.json')) as Document;
}

function decodeText(text: string): ReturnType<typeof decodeRecord> {
  return decodeRecord(sealRecord(Buffer.from(text, 'utf8'), hashOf), hashOf);
}

function reasonOf(text: string): string {
  const decoded = decodeText(text);
  return decoded.ok ? 'none' : decoded.reason;
}

/** The short form of a document whose checksum fits. */
function summaryOf(text: string): ReturnType<typeof decodeSummary> {
  return decodeSummary(sealRecord(Buffer.from(text, 'latin1'), hashOf), hashOf);
}

function missOf(document: unknown): string {
  const decoded = decodeText(JSON.stringify(document));
  return decoded.ok ? 'none' : decoded.miss;
}

/** JSON makes objects with a prototype. */
const PLAIN = { noNullPrototype: true } as const;

/** Streams as plain arrays: a Buffer and a Uint8Array of the same bytes are the same. */
function plain(record: StoredRecord): unknown {
  return { ...record, stdout: [...record.stdout], stderr: [...record.stderr] };
}

describe('a record', () => {
  it('is read from the golden file', () => {
    const decoded = decodeRecord(goldenBytes('record.json'), hashOf);
    assert.ok(decoded.ok);
    assert.deepEqual(plain(decoded.record), plain(GOLDEN));
  });

  it('is written like the golden file', () => {
    assert.equal(Buffer.from(encodeRecord(GOLDEN, hashOf)).toString('utf8'), goldenText('record.json'));
  });

  it('comes back as it was written', () => {
    const shown = fc.record(
      {
        name: fc.string(),
        value: fc.option(fc.string()),
        digest: fc.option(fc.uint8Array({ maxLength: 3 }).map((bytes) => digestOf(bytes))),
      },
      PLAIN,
    );
    const figures = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
    const records = fc.record(
      {
        payloadBytes: fc.maxSafeNat(),
        createdAtMs: fc.maxSafeNat(),
        compiler: fc.string({ unit: 'grapheme' }),
        command: fc.array(fc.string({ unit: 'grapheme' })),
        outputs: fc.array(fc.record({ name: fc.string(), executable: fc.boolean() }, PLAIN)),
        cost: fc.record(
          {
            wallSeconds: figures,
            cpuSeconds: fc.option(figures),
            peakMemoryBytes: fc.option(fc.maxSafeNat()),
          },
          PLAIN,
        ),
        fields: fc.array(shown),
        stdout: fc.uint8Array(),
        stderr: fc.uint8Array(),
      },
      PLAIN,
    );
    checkProperty(
      fc.property(records, (changed) => {
        const record = makeRecord(fingerprintFrom('a'), Buffer.from('x'), changed);
        const decoded = decodeRecord(Buffer.from(encodeRecord(record, hashOf)), hashOf);
        assert.ok(decoded.ok, decoded.ok ? '' : decoded.reason);
        assert.deepEqual(plain(decoded.record), plain(record));
      }),
    );
  });

  it('is the same in short, without its fields', () => {
    const { fields: _, ...short } = GOLDEN;
    const summary = decodeSummary(goldenBytes('record.json'), hashOf);
    assert.ok(summary);
    assert.deepEqual(
      { ...summary, stdout: [...summary.stdout], stderr: [...summary.stderr] },
      { ...short, stdout: [...short.stdout], stderr: [...short.stderr] },
    );
  });

  it('may hold the character that stands for bytes that are no UTF-8, and not such bytes beside it', () => {
    const record = { ...GOLDEN, compiler: 'c\uFFFDc' };
    const bytes = Buffer.from(encodeRecord(record, hashOf));
    const decoded = decodeRecord(bytes, hashOf);
    assert.ok(decoded.ok);
    assert.deepEqual(plain(decoded.record), plain(record));
    assert.equal(decodeSummary(bytes, hashOf)?.compiler, record.compiler);
    bytes[bytes.indexOf('c\uFFFDc')] = 0xff;
    const damaged = sealRecord(bytes, hashOf);
    assert.equal(decodeSummary(damaged, hashOf), null);
    assert.equal(decodeRecord(damaged, hashOf).ok, false);
  });

  it('has no short form where a byte is flipped, a failure is told, or a key is missing', () => {
    const bytes = goldenBytes('record.json');
    for (let at = 0; at < bytes.byteLength; at += 1) {
      const damaged = Buffer.from(bytes);
      damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
      assert.equal(decodeSummary(damaged, hashOf), null, `byte ${at}`);
    }
    assert.equal(decodeSummary(goldenBytes('failure.json'), hashOf), null);
    const { stderr: _, ...rest } = goldenDocument();
    const sealed = sealRecord(Buffer.from(JSON.stringify(rest), 'utf8'), hashOf);
    assert.equal(decodeSummary(sealed, hashOf), null);
  });

  it('has no short form where its checksum fits and what delivery needs does not', () => {
    const golden = goldenDocument();
    const { fields, mac, ...head } = golden;
    const ordered = (changed: Document): string => JSON.stringify({ ...head, ...changed, fields, mac });
    assert.notEqual(summaryOf(ordered({})), null);
    const { failure } = failureDocument();
    for (const changed of [
      { payloadDigest: null },
      { payloadBytes: null },
      { payloadDigest: null, payloadBytes: null },
      { failure },
      { failure, payloadDigest: null, payloadBytes: null },
      { more: null },
      { compiler: 'c\xff' },
    ]) {
      assert.equal(summaryOf(ordered(changed)), null, JSON.stringify(changed));
    }
    assert.equal(summaryOf(JSON.stringify({ ...head, mac })), null, 'without fields');
    assert.equal(summaryOf(JSON.stringify(head)), null, 'without fields and mac');
  });

  it('has a short form up to 1 MiB and none above', () => {
    const text = goldenText('record.json');
    const padded = `${text}${' '.repeat(MAX_RECORD_BYTES - Buffer.byteLength(text))}`;
    assert.notEqual(summaryOf(padded), null);
    assert.equal(summaryOf(`${padded} `), null);
  });

  it('has the bounds of the contract', () => {
    assert.equal(MAX_RECORD_BYTES, 1024 * 1024);
    assert.equal(MAX_CAPTURED_BYTES, 256 * 1024);
  });

  it('holds the captured streams of the largest size', () => {
    const stdout = new Uint8Array(MAX_CAPTURED_BYTES).fill(0xff);
    const bytes = encodeRecord(makeRecord(fingerprintFrom('a'), Buffer.from('x'), { stdout }), hashOf);
    assert.ok(bytes.byteLength <= MAX_RECORD_BYTES);
    const decoded = decodeRecord(Buffer.from(bytes), hashOf);
    assert.ok(decoded.ok);
    assert.equal(decoded.record.stdout.byteLength, MAX_CAPTURED_BYTES);
  });
});

describe('the checksum of a record', () => {
  const golden = goldenBytes('record.json');

  it('is filled in again and again with the same', () => {
    assert.deepEqual(sealRecord(golden, hashOf), golden);
    const parts = splitChecksum(golden);
    assert.ok(parts);
    assert.deepEqual(Buffer.concat([parts.head, Buffer.from(parts.sum), parts.rest]), golden);
  });

  it('is found behind a schema of any bytes, by bytes and not by letters', () => {
    const foreign = Buffer.from('{"schema":"\u{1f600}é/1","checksum":"","more":1}');
    const sealed = sealRecord(foreign, hashOf);
    const parts = splitChecksum(sealed);
    assert.ok(parts);
    assert.equal(parts.head.toString('utf8'), '{"schema":"\u{1f600}é/1","checksum":"');
    assert.equal(parts.rest.toString('utf8'), '","more":1}');
    assert.equal(parts.sum.length, 64);
  });

  const sum = '0123456789abcdef'.repeat(4);
  for (const [name, text] of [
    ['that does not begin like a record', ` {"schema":"a","checksum":"${sum}"}`],
    ['whose schema is no text', `{"schema":1,"checksum":"${sum}"}`],
    ['with a key between schema and checksum', `{"schema":"a","b":1,"checksum":"${sum}"}`],
    ['with a schema of 101 letters', `{"schema":"${'a'.repeat(101)}","checksum":"${sum}"}`],
    ['with a checksum that is cut', `{"schema":"a","checksum":"${sum.slice(1)}"}`],
    ['with a checksum that is too long', `{"schema":"a","checksum":"${sum}0"}`],
    ['with a checksum of other letters', `{"schema":"a","checksum":"${sum.toUpperCase()}"}`],
    ['that ends before its checksum does', `{"schema":"a","checksum":"${sum}`],
    ['that is empty', ''],
  ] as const) {
    it(`is not looked for in a file ${name}, which stays as it is`, () => {
      const bytes = Buffer.from(text);
      assert.equal(splitChecksum(bytes), null);
      assert.equal(sealRecord(bytes, hashOf), bytes);
    });
  }

  it('is found behind a schema of 100 letters', () => {
    assert.notEqual(splitChecksum(Buffer.from(`{"schema":"${'a'.repeat(100)}","checksum":""}`)), null);
  });
});

describe('a record is unreadable', () => {
  for (const key of Object.keys(goldenDocument())) {
    it(`without ${key}`, () => {
      const { [key]: _, ...rest } = goldenDocument();
      assert.equal(missOf(rest), 'unreadable');
    });
  }

  const outputs = [{ name: 'a.o', executable: false }];
  const cost = { wallSeconds: 1, cpuSeconds: null, peakMemoryBytes: null };
  const field = { name: 'arch', value: 'x64', digest: null };
  const wrong: readonly (readonly [string, readonly unknown[]])[] = [
    [
      'schema',
      [
        null,
        1,
        '',
        'vyre-cache.record/0',
        'vyre-cache.record/01',
        'vyre-cache.record/',
        'vyre-cache.entry/2',
        'vyre-cache.record/2 ',
        'vyre-cache.record/-2',
        'vyre-cache.record/2.5',
        'vyre-cache.record/1000000000',
        'x vyre-cache.record/2',
      ],
    ],
    ['fingerprint', [null, 1, '', 'a'.repeat(63), 'A'.repeat(64), `${'a'.repeat(63)}g`, ['a'.repeat(64)]]],
    ['payloadDigest', [null, '', 'a'.repeat(65), 'A'.repeat(64)]],
    ['payloadBytes', [null, -1, 0.5, '4', Number.MAX_SAFE_INTEGER + 1, [4]]],
    ['createdAtMs', [null, -1, 0.5, '4']],
    ['compiler', [null, 1, ['cc']]],
    ['command', [null, 'cc', [1], [null], [['cc']], { 0: 'cc' }]],
    [
      'outputs',
      [
        null,
        {},
        ['a.o'],
        [{ name: 'a.o' }],
        [{ name: 1, executable: false }],
        [{ name: 'a.o', executable: 0 }],
        [{ name: 'a.o', executable: false, mode: 1 }],
        [null],
        [outputs],
      ],
    ],
    [
      'cost',
      [
        null,
        [],
        {},
        { ...cost, wallSeconds: null },
        { ...cost, wallSeconds: -1 },
        { ...cost, cpuSeconds: '1' },
        { ...cost, peakMemoryBytes: 1.5 },
        { ...cost, more: 1 },
      ],
    ],
    ['failure', [{}, 'no', 0, [], false]],
    ['stdout', [null, 1, '*', 'YQ', 'YQ= =', 'Y_8=', 'YQ==\n', 'YR==']],
    ['stderr', [null, 1, '*', '=']],
    [
      'fields',
      [
        null,
        {},
        [{ ...field, digest: 'a' }],
        [{ name: 'arch', value: 'x64' }],
        [{ ...field, value: 1 }],
        [{ ...field, kind: 'text' }],
        [field, null],
      ],
    ],
    ['mac', [0, {}, []]],
    ['checksum', [null, 1, 'x', 'ab'.repeat(31)]],
  ];
  it('tells of each of its keys', () => {
    assert.deepEqual(wrong.map(([key]) => key).toSorted(), Object.keys(goldenDocument()).toSorted());
  });
  for (const [key, values] of wrong) {
    for (const value of values) {
      it(`with ${key} ${JSON.stringify(value)}`, () => {
        assert.equal(missOf({ ...goldenDocument(), [key]: value }), 'unreadable');
      });
    }
  }

  it('and says why', () => {
    const golden = goldenDocument();
    const failure = failureDocument();
    const ended = failure['failure'] as Document;
    const broken = (changed: Document): string => JSON.stringify({ ...golden, ...changed });
    const failed = (changed: Document): string =>
      JSON.stringify({ ...failure, failure: { ...ended, ...changed } });
    for (const [text, reason] of [
      [' '.repeat(MAX_RECORD_BYTES + 1), 'larger than 1 MiB'],
      ['', 'not JSON'],
      [broken({ checksum: 'x' }), 'bad checksum'],
      [broken({ schema: 'vyre-cache.record/0' }), 'unknown schema "vyre-cache.record/0"'],
      [broken({ schema: 'vyre-cache.record/2' }), 'written by a newer version'],
      [broken({ fingerprint: 'a' }), 'record.fingerprint is not 64 lowercase hex digits'],
      [broken({ payloadDigest: 'a' }), 'not 64 lowercase hex digits'],
      [broken({ command: ['cc', 1] }), 'record.command[1] is not a string'],
      [
        broken({ outputs: [{ name: 'a.o', executable: 0 }] }),
        'record.outputs[0].executable is not true or false',
      ],
      [broken({ cost: null }), 'record.cost is null'],
      [broken({ stdout: '*' }), 'not base64'],
      [broken({ payloadBytes: null }), 'record has neither payload nor failure'],
      [JSON.stringify({ ...golden, failure: ended }), 'record.failure has a payload'],
      [failed({ kind: 'permanent' }), 'unknown word "permanent"'],
      [failed({ count: 0 }), 'record.failure.count is 0'],
      [failed({ limit: null, status: 256 }), 'record.failure.status is no status'],
      [failed({ limit: null, signal: 'kill' }), 'record.failure.signal is no signal'],
      [failed({ status: 1 }), 'record.failure does not end in one way'],
      [failed({ limit: null }), 'record.failure does not end in one way'],
    ] as const) {
      assert.equal(reasonOf(text), reason);
    }
    const bytes = goldenBytes('record.json');
    bytes[bytes.indexOf('"cc"') + 1] = 0xff;
    const decoded = decodeRecord(sealRecord(bytes, hashOf), hashOf);
    assert.equal(decoded.ok ? 'none' : decoded.reason, 'not UTF-8');
    assert.equal(reasonOf('null'), 'bad checksum');
  });

  it('with an unknown key', () => {
    assert.equal(missOf({ ...goldenDocument(), more: null }), 'unreadable');
  });

  it('with a __proto__ key', () => {
    const text = goldenText('record.json');
    const injected = text.replace('{', `{"__proto__":{"polluted":true},`);
    const decoded = decodeText(injected);
    assert.equal(decoded.ok, false);
    assert.equal('polluted' in {}, false);
  });

  it('when its keys come from a prototype', () => {
    assert.equal(decodeText(`{"__proto__":${goldenText('record.json').trim()}}`).ok, false);
  });

  for (const document of [null, [], 'record', 1, true, {}, [goldenDocument()]]) {
    it(`as ${JSON.stringify(document).slice(0, 20)}`, () => {
      assert.equal(missOf(document), 'unreadable');
    });
  }

  it('when it is cut anywhere', () => {
    const bytes = goldenBytes('record.json');
    // The last byte is the newline, which JSON does not need.
    for (let length = 0; length < bytes.byteLength - 1; length += 1) {
      const decoded = decodeRecord(Buffer.from(bytes.subarray(0, length)), hashOf);
      assert.equal(decoded.ok ? 'none' : decoded.miss, 'unreadable', `cut to ${length} bytes`);
    }
  });

  it('when it is not UTF-8', () => {
    const bytes = goldenBytes('record.json');
    bytes[bytes.indexOf('"cc"') + 1] = 0xff;
    const decoded = decodeRecord(Buffer.from(bytes), hashOf);
    assert.equal(decoded.ok ? 'none' : decoded.miss, 'unreadable');
  });

  it('above 1 MiB, and not at 1 MiB', () => {
    const text = goldenText('record.json');
    const padded = `${text}${' '.repeat(MAX_RECORD_BYTES - Buffer.byteLength(text))}`;
    assert.equal(decodeText(padded).ok, true);
    const decoded = decodeText(`${padded} `);
    assert.equal(decoded.ok ? 'none' : decoded.miss, 'unreadable');
  });

  it('when it is nested a million times', () => {
    for (const text of ['['.repeat(1_000_000), '{"a":'.repeat(200_000)]) {
      const decoded = decodeText(text);
      assert.equal(decoded.ok ? 'none' : decoded.miss, 'unreadable');
    }
  });

  it('whichever byte of it is damaged', () => {
    const bytes = goldenBytes('record.json');
    const byte = fc.record({ at: fc.nat(bytes.byteLength - 1), mask: fc.integer({ min: 1, max: 255 }) });
    checkProperty(
      fc.property(byte, ({ at, mask }) => {
        const damaged = Buffer.from(bytes);
        damaged[at] = (damaged[at] ?? 0) ^ mask;
        assert.equal(decodeRecord(damaged, hashOf).ok, false);
      }),
      1000,
    );
  });
});

describe('a record of a newer version', () => {
  for (const version of ['2', '10', '999999999']) {
    it(`is newer-format whatever else it holds: ${version}`, () => {
      assert.equal(missOf({ schema: `vyre-cache.record/${version}` }), 'newer-format');
      assert.equal(
        missOf({ ...goldenDocument(), schema: `vyre-cache.record/${version}`, compression: 'zstd' }),
        'newer-format',
      );
    });
  }
});

describe('the record of a failure', () => {
  const golden = failureDocument();
  const failure = golden['failure'] as Document;

  it('is read from the golden file and written like it', () => {
    const decoded = decodeRecord(goldenBytes('failure.json'), hashOf);
    assert.ok(decoded.ok, decoded.ok ? '' : decoded.reason);
    assert.deepEqual(plain(decoded.record), plain(GOLDEN_FAILURE));
    assert.equal(
      Buffer.from(encodeRecord(GOLDEN_FAILURE, hashOf)).toString('utf8'),
      goldenText('failure.json'),
    );
  });

  it('comes back as it was written, however it ended', () => {
    for (const end of [
      { status: 7, signal: null, limit: null },
      { status: null, signal: 'SIGKILL', limit: null },
      { status: null, signal: null, limit: { kind: 'memory', value: 5 } },
    ] as const) {
      const record: FailureRecord = { ...GOLDEN_FAILURE, failure: { ...GOLDEN_FAILURE.failure, ...end } };
      const decoded = decodeRecord(Buffer.from(encodeRecord(record, hashOf)), hashOf);
      assert.ok(decoded.ok);
      assert.deepEqual(plain(decoded.record), plain(record));
    }
  });

  it('may end by a status, a signal or a limit', () => {
    for (const end of [
      { status: 1, signal: null, limit: null },
      { status: 255, signal: null, limit: null },
      { status: null, signal: 'SIGKILL', limit: null },
      { status: null, signal: 'SIGA', limit: null },
      { status: null, signal: 'SIGA234567890123456', limit: null },
      { status: null, signal: null, limit: { kind: 'memory', value: 0 } },
    ]) {
      assert.equal(missOf({ ...golden, failure: { ...failure, ...end } }), 'none', JSON.stringify(end));
    }
    assert.equal(missOf({ ...golden, failure: { ...failure, kind: 'deterministic' } }), 'none');
  });

  for (const key of Object.keys(failure)) {
    it(`is unreadable without ${key}`, () => {
      const { [key]: _, ...rest } = failure;
      assert.equal(missOf({ ...golden, failure: rest }), 'unreadable');
    });
  }

  for (const changed of [
    { kind: 'permanent' },
    { kind: null },
    { count: 0 },
    { count: -1 },
    { count: 1.5 },
    { lastAtMs: -1 },
    { lastAtMs: '0' },
    { limit: null },
    { limit: { kind: 'timeout' } },
    { limit: { kind: 'disk', value: 1 } },
    { limit: { kind: 'timeout', value: -1 } },
    { limit: { kind: 'timeout', value: null } },
    { limit: { kind: 'timeout', value: 1, more: 1 } },
    { limit: 'timeout' },
    { limit: null, status: 0 },
    { limit: null, status: 256 },
    { limit: null, status: '1' },
    { limit: null, signal: '' },
    { limit: null, signal: 'kill' },
    { limit: null, signal: 'SIGKILL; rm' },
    { limit: null, signal: 'rm; SIGKILL' },
    { limit: null, signal: 'SIG' },
    { limit: null, signal: 'SIG9' },
    { limit: null, signal: 'SIGA2345678901234567' },
    { limit: null, signal: 9 },
    { status: 1 },
    { signal: 'SIGKILL' },
    { limit: null, status: 1, signal: 'SIGKILL' },
    { more: 1 },
  ]) {
    it(`is unreadable with ${JSON.stringify(changed)}`, () => {
      assert.equal(missOf({ ...golden, failure: { ...failure, ...changed } }), 'unreadable');
    });
  }

  for (const changed of [
    { payloadDigest: VYRE },
    { payloadBytes: 0 },
    { payloadDigest: VYRE, payloadBytes: 4 },
    { outputs: [{ name: 'a.o', executable: false }] },
  ]) {
    it(`is unreadable with a payload: ${Object.keys(changed).join(', ')}`, () => {
      assert.equal(missOf({ ...golden, ...changed }), 'unreadable');
    });
  }

  it('is unreadable with neither a failure nor a payload', () => {
    assert.equal(missOf({ ...golden, failure: null }), 'unreadable');
    assert.equal(missOf({ ...golden, failure: null, payloadDigest: VYRE }), 'unreadable');
    assert.equal(missOf({ ...golden, failure: null, payloadBytes: 0 }), 'unreadable');
  });

  it('is unreadable whichever byte of it is damaged', () => {
    const bytes = goldenBytes('failure.json');
    for (let at = 0; at < bytes.byteLength; at += 1) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      assert.equal(decodeRecord(damaged, hashOf).ok, false, `byte ${at}`);
    }
  });
});
