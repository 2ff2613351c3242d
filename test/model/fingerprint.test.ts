import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { hashChunks, loadNativeBlake3 } from '../../src/host/hash.js';
import { portableBlake3 } from '../../src/host/portable-hash.js';
import {
  digestOfBytes,
  isDigest,
  isFingerprint,
  isFingerprintPrefix,
  toHex,
  type HashChunks,
} from '../../src/model/fingerprint.js';
import {
  digestField,
  encodeFields,
  fingerprintOf,
  fingerprintOfBlocks,
  FINGERPRINT_SCHEMA,
  numbered,
  sharedBlockOf,
  showField,
  textField,
  type Field,
} from '../../src/model/fields.js';
import { digestOf } from '../support/artifacts.js';
import { goldenBytes, goldenText } from '../support/golden.js';
import { checkProperty } from '../support/properties.js';

const hash = (chunks: readonly Uint8Array[]): Uint8Array => hashChunks(portableBlake3, chunks);
const fingerprintOfGroups = (groups: readonly (readonly Field[])[], chunks: HashChunks): string =>
  fingerprintOfBlocks(
    groups.flatMap((group) => sharedBlockOf(group) ?? []),
    chunks,
  );
const DIGEST = digestOf(Buffer.from('vyre'));

const secret = (name: string, text: string): Field => ({ name, kind: 'secret', text });
const absent = (name: string): Field => ({ name, kind: 'absent' });

const CASES: readonly (readonly [string, readonly Field[]])[] = [
  ['no-fields', []],
  ['text', [textField('cwd', '/src')]],
  ['secret', [secret('env/TOKEN', 'hunter2')]],
  ['digest', [digestField('input/a.c', DIGEST)]],
  ['absent', [absent('dep/config.h')]],
  [
    'every-kind',
    [
      textField('platform', 'linux'),
      digestField('input/a.c', DIGEST),
      secret('env/LANG', 'Ü'),
      absent('dep/config.h'),
      textField('arg/000001', '{input:a.c}'),
      textField('arg/000000', 'cc'),
      textField('arch', 'x64'),
    ],
  ],
  [
    'order',
    [
      textField('\u{1f600}', '6'),
      textField('～', '5'),
      textField('a0', '4'),
      textField('a/', '3'),
      textField('a', '2'),
      textField('B', '1'),
    ],
  ],
];

describe('the encoding of a description', () => {
  it('has the version of its fields, which every fingerprint depends on', () => {
    assert.equal(FINGERPRINT_SCHEMA, 'vyre-cache.fingerprint/1');
  });

  for (const [name, fields] of CASES) {
    it(`writes the golden bytes of "${name}"`, () => {
      assert.deepEqual(Buffer.concat(encodeFields(fields)), goldenBytes(`fingerprints/${name}.bytes`));
    });
    it(`gives the golden fingerprint of "${name}"`, () => {
      assert.equal(fingerprintOf(fields, hash), goldenText(`fingerprints/${name}.b3`).trim());
    });
  }

  it('gives the same fingerprints to fields in groups, apart or interleaved', () => {
    for (const [name, fields] of CASES) {
      const expected = goldenText(`fingerprints/${name}.b3`).trim();
      const middle = Math.floor(fields.length / 2);
      const interleaved = [fields.filter((_, at) => at % 2 === 0), fields.filter((_, at) => at % 2 === 1)];
      const groupings = [
        [fields],
        fields.map((field) => [field]),
        [fields.slice(middle), [], fields.slice(0, middle)],
        interleaved,
      ];
      for (const groups of groupings) {
        assert.equal(fingerprintOfGroups(groups, hash), expected, name);
        assert.equal(fingerprintOfGroups(groups, hash), expected, `${name}, again`);
      }
    }
  });

  it('encodes a group once for as long as the same one comes', () => {
    let encoded = 0;
    const counted = (name: string): Field => ({
      name,
      kind: 'text',
      get text() {
        encoded += 1;
        return name;
      },
    });
    const compiler = [counted('compiler/b'), counted('compiler/a')];
    const headers = [counted('dep/b'), counted('dep/a')];
    fingerprintOfGroups([headers, compiler], hash);
    const once = encoded;
    for (const input of ['1', '2', '3']) {
      const own = [textField('input/a.c', input), textField('cwd', '/src')];
      const plain = [...own, 'compiler/b', 'compiler/a', 'dep/b', 'dep/a'].map((field) =>
        typeof field === 'string' ? textField(field, field) : field,
      );
      for (const groups of [
        [headers, [], ...own.map((field) => [field]), compiler],
        [compiler, ...own.map((field) => [field]), headers],
      ]) {
        assert.equal(fingerprintOfGroups(groups, hash), fingerprintOf(plain, hash));
      }
    }
    assert.ok(once >= 4);
    assert.equal(encoded, once);
  });

  it('refuses two fields of one name in two groups', () => {
    const groups = [
      [textField('a', '1'), textField('c', '1')],
      [textField('b', '1'), textField('c', '2')],
    ];
    assert.throws(() => fingerprintOfGroups(groups, hash), /called "c"/);
    assert.throws(
      () => fingerprintOfGroups([[textField('c', '1')], [textField('c', '1')]], hash),
      /called "c"/,
    );
  });

  it('gives the same fingerprints with the native BLAKE3', () => {
    const native = loadNativeBlake3();
    assert.ok(native, 'expected the package @napi-rs/blake-hash; npm ci installs it on this platform');
    for (const [name, fields] of CASES) {
      const found = fingerprintOf(fields, (chunks) => hashChunks(native, chunks));
      assert.equal(found, goldenText(`fingerprints/${name}.b3`).trim());
    }
  });

  it('refuses two fields of one name', () => {
    assert.throws(() => encodeFields([textField('cwd', '/a'), textField('cwd', '/a')]), /"cwd"/);
  });

  it('keeps an absent file apart from an empty text only by its name', () => {
    assert.equal(fingerprintOf([absent('dep/a')], hash), fingerprintOf([textField('dep/a', '')], hash));
    assert.notEqual(fingerprintOf([absent('dep/a')], hash), fingerprintOf([absent('dep/b')], hash));
  });

  it('changes when a field is added that is empty', () => {
    assert.notEqual(fingerprintOf([], hash), fingerprintOf([textField('', '')], hash));
  });
});

/** Texts without lone surrogates, which have no UTF-8. */
const texts = fc.string({ unit: 'grapheme', maxLength: 12 });
const digests = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes): ReturnType<typeof digestOfBytes> => digestOfBytes(bytes));
const fieldOf = (name: string): fc.Arbitrary<Field> =>
  fc.oneof(
    texts.map((text) => textField(name, text)),
    texts.map((text) => secret(name, text)),
    digests.map((digest) => digestField(name, digest)),
    fc.constant(absent(name)),
  );
const descriptions = fc
  .uniqueArray(texts, { maxLength: 8 })
  .chain((names) => fc.tuple(...names.map((name) => fieldOf(name))));

describe('every fingerprint', () => {
  it('does not depend on the order of the fields', () => {
    checkProperty(
      fc.property(
        descriptions.chain((fields) =>
          fc.tuple(
            fc.constant(fields),
            fc.shuffledSubarray(fields, { minLength: fields.length, maxLength: fields.length }),
          ),
        ),
        ([fields, shuffled]) => fingerprintOf(fields, hash) === fingerprintOf(shuffled, hash),
      ),
    );
  });

  it('changes when a byte moves from the end of a value to the start of the next', () => {
    checkProperty(
      fc.property(
        fc.string({ minLength: 1, unit: 'binary-ascii' }),
        fc.string({ unit: 'binary-ascii' }),
        (a, b) => {
          const before = [textField('arg/000000', a), textField('arg/000001', b)];
          const after = [
            textField('arg/000000', a.slice(0, -1)),
            textField('arg/000001', `${a.slice(-1)}${b}`),
          ];
          return fingerprintOf(before, hash) !== fingerprintOf(after, hash);
        },
      ),
    );
  });

  it('changes when a byte moves from a name to its value', () => {
    checkProperty(
      fc.property(
        fc.string({ minLength: 1, unit: 'binary-ascii' }),
        fc.string({ unit: 'binary-ascii' }),
        (name, value) => {
          const before = [textField(name, value)];
          const after = [textField(name.slice(0, -1), `${name.slice(-1)}${value}`)];
          return fingerprintOf(before, hash) !== fingerprintOf(after, hash);
        },
      ),
    );
  });

  it('is read back from its bytes by the grammar alone', () => {
    checkProperty(
      fc.property(descriptions, (fields) => {
        const read = decodeByGrammar(Buffer.concat(encodeFields(fields)));
        const expected = fields
          .map((field) => [Buffer.from(field.name).toString('hex'), valueOf(field).toString('hex')])
          .toSorted(([a = ''], [b = '']) => Buffer.compare(Buffer.from(a, 'hex'), Buffer.from(b, 'hex')));
        assert.deepEqual(read, expected);
      }),
    );
  });
});

function valueOf(field: Field): Buffer {
  if (field.kind === 'digest') return Buffer.from(field.digest, 'hex');
  return field.kind === 'absent' ? Buffer.alloc(0) : Buffer.from(field.text, 'utf8');
}

/** u32le length and name, u64le length and value, after the domain line. */
function decodeByGrammar(bytes: Buffer): string[][] {
  const domain = 'vyre-cache fingerprint v1\n';
  assert.equal(bytes.toString('latin1', 0, domain.length), domain);
  const fields: string[][] = [];
  for (let at = domain.length; at < bytes.byteLength;) {
    const nameEnd = at + 4 + bytes.readUInt32LE(at);
    const valueEnd = nameEnd + 8 + Number(bytes.readBigUInt64LE(nameEnd));
    fields.push([bytes.toString('hex', at + 4, nameEnd), bytes.toString('hex', nameEnd + 8, valueEnd)]);
    at = valueEnd;
  }
  return fields;
}

describe('fields as they are shown', () => {
  it('never show the value of a variable', () => {
    const shown = showField(secret('env/TOKEN', 'hunter2'), hash);
    assert.deepEqual(shown, { name: 'env/TOKEN', value: null, digest: digestOf(Buffer.from('hunter2')) });
  });
  it('show texts as they are and digests as digests', () => {
    assert.deepEqual(showField(textField('cwd', '/src'), hash), { name: 'cwd', value: '/src', digest: null });
    assert.deepEqual(showField(digestField('input/a', DIGEST), hash), {
      name: 'input/a',
      value: null,
      digest: DIGEST,
    });
    assert.deepEqual(showField(absent('dep/a'), hash), { name: 'dep/a', value: null, digest: null });
  });
});

describe('numbered fields', () => {
  it('sort by their number', () => {
    const names = [0, 1, 9, 10, 99, 100, 999_999].map((index) => numbered('arg', index));
    assert.deepEqual(names.toSorted(), names);
    assert.equal(names[3], 'arg/000010');
  });
});

describe('fingerprints and digests', () => {
  const hex = '0123456789abcdef'.repeat(4);
  const table: readonly (readonly [string, boolean])[] = [
    [hex, true],
    ['0'.repeat(64), true],
    ['0'.repeat(63), false],
    ['0'.repeat(65), false],
    ['', false],
    [hex.toUpperCase(), false],
    [`${hex.slice(1)}g`, false],
    [`../${hex.slice(3)}`, false],
    [`${hex}\n`, false],
    [` ${hex.slice(1)}`, false],
    [`${hex.slice(1)}/`, false],
    [`${hex.slice(1)}\0`, false],
  ];
  for (const [text, isOne] of table) {
    it(`${isOne ? 'are' : 'are not'} ${JSON.stringify(text)}`, () => {
      assert.equal(isFingerprint(text), isOne);
      assert.equal(isDigest(text), isOne);
    });
  }
  for (const [text, isOne] of [
    ['0'.repeat(7), false],
    ['0'.repeat(8), true],
    ['0'.repeat(64), true],
    ['0'.repeat(65), false],
    ['0000000A', false],
    ['0000000/', false],
    ['00000000\n', false],
    ['x00000000', false],
  ] as const) {
    it(`${isOne ? 'may' : 'may not'} be shortened to ${JSON.stringify(text)}`, () => {
      assert.equal(isFingerprintPrefix(text), isOne);
    });
  }
  it('are written in lowercase hex', () => {
    assert.equal(toHex(Uint8Array.of(0, 10, 255)), '000aff');
    assert.throws(() => digestOfBytes(new Uint8Array(31)), /expected a 32-byte BLAKE3 value, got 31 bytes/);
    const short = (): Uint8Array => new Uint8Array(31);
    assert.throws(() => fingerprintOf([], short), /expected a 32-byte BLAKE3 value, got "0{62}"/);
  });
  it('are written from a view into a larger buffer', () => {
    assert.equal(toHex(Uint8Array.of(1, 2, 3, 4).subarray(1, 3)), '0203');
  });
});
