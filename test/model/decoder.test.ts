import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decoding, mismatch, parseJson, Reader } from '../../src/model/decoder.js';
import { checkProperty } from '../support/properties.js';

/** Reads one key of a document and demands that nothing else is there. */
function reasonOf(document: unknown, read: (reader: Reader) => unknown): string | null {
  const decoded = decoding(() => {
    const reader = new Reader(document, 'it');
    read(reader);
    reader.end();
    return null;
  });
  return decoded.ok ? null : decoded.reason;
}

const METHODS = {
  text: (reader: Reader) => reader.text('k'),
  textOrNull: (reader: Reader) => reader.textOrNull('k'),
  count: (reader: Reader) => reader.count('k'),
  countOrNull: (reader: Reader) => reader.countOrNull('k'),
  amount: (reader: Reader) => reader.amount('k'),
  amountOrNull: (reader: Reader) => reader.amountOrNull('k'),
  flag: (reader: Reader) => reader.flag('k'),
  list: (reader: Reader) => reader.list('k', (value) => value),
  values: (reader: Reader) => reader.values('k'),
  texts: (reader: Reader) => reader.texts('k'),
  objectOrNull: (reader: Reader) => reader.objectOrNull('k', (inner) => inner.end()),
} as const;
type Method = keyof typeof METHODS;

const VALUES: readonly (readonly [unknown, readonly Method[]])[] = [
  [null, ['textOrNull', 'countOrNull', 'amountOrNull', 'objectOrNull']],
  ['', ['text', 'textOrNull']],
  ['1', ['text', 'textOrNull']],
  [0, ['count', 'countOrNull', 'amount', 'amountOrNull']],
  [Number.MAX_SAFE_INTEGER, ['count', 'countOrNull', 'amount', 'amountOrNull']],
  [Number.MAX_SAFE_INTEGER + 1, ['amount', 'amountOrNull']],
  [0.5, ['amount', 'amountOrNull']],
  [-1, []],
  [-0.5, []],
  [Infinity, []],
  [NaN, []],
  [true, ['flag']],
  [false, ['flag']],
  [[], ['list', 'values', 'texts']],
  [
    ['', 'a'],
    ['list', 'values', 'texts'],
  ],
  [
    ['', null],
    ['list', 'values'],
  ],
  [{}, ['objectOrNull']],
  [{ more: 1 }, []],
  [undefined, []],
];

describe('a strict reader', () => {
  for (const [value, accepting] of VALUES) {
    const shown = JSON.stringify(value) ?? 'undefined';
    it(`reads ${shown} as ${accepting.join(', ') || 'nothing'}`, () => {
      for (const method of Object.keys(METHODS) as Method[]) {
        const reason = reasonOf({ k: value }, METHODS[method]);
        assert.equal(reason === null, accepting.includes(method), `${method}: ${reason}`);
      }
    });
  }

  for (const method of Object.keys(METHODS) as Method[]) {
    it(`names a missing key: ${method}`, () => {
      assert.equal(reasonOf({}, METHODS[method]), 'it.k is missing');
    });
    it(`takes nothing from the prototype: ${method}`, () => {
      assert.equal(reasonOf(Object.create({ k: null }), METHODS[method]), 'it.k is missing');
    });
  }

  it('names an unknown key', () => {
    assert.equal(
      reasonOf({ k: 'x', l: 1 }, (reader) => reader.text('k')),
      'it.l is unknown',
    );
  });

  it('takes __proto__ for what it is: an unknown key', () => {
    const document = parseJson('{"k": "x", "__proto__": {"l": 1}}');
    assert.equal(
      reasonOf(document, (reader) => reader.text('k')),
      'it.__proto__ is unknown',
    );
    assert.equal(
      reasonOf(parseJson('{"__proto__": {"k": "x"}}'), (reader) => reader.text('k')),
      'it.k is missing',
    );
  });

  for (const name of ['toString', 'constructor', 'hasOwnProperty', 'valueOf', '__proto__']) {
    it(`does not find ${name} where it was not written`, () => {
      assert.equal(
        reasonOf({}, (reader) => reader.text(name)),
        `it.${name} is missing`,
      );
    });
  }

  for (const value of [null, undefined, 0, '', 'text', true, [], ['k'], () => null]) {
    it(`is made from objects only, not from ${typeof value} ${JSON.stringify(value) ?? ''}`, () => {
      assert.equal(
        reasonOf(value, () => null),
        'it is not an object',
      );
    });
  }

  it('names the place of an item of a list', () => {
    const reason = reasonOf({ k: ['a', 1] }, (reader) =>
      reader.list('k', (value, path) => (typeof value === 'string' ? value : mismatch(`${path} is bad`))),
    );
    assert.equal(reason, 'it.k[1] is bad');
  });

  it('names the place of what is no text in a list of them', () => {
    const reason = reasonOf({ k: ['a', 'b', 1, null] }, (reader) => reader.texts('k'));
    assert.equal(reason, 'it.k[2] is not a string');
  });

  it('names the place of a nested key', () => {
    const reason = reasonOf({ k: { l: 1 } }, (reader) =>
      reader.objectOrNull('k', (inner) => inner.text('l')),
    );
    assert.equal(reason, 'it.k.l is not a string');
  });
});

describe('decoding', () => {
  it('lets bugs through', () => {
    assert.throws(
      () =>
        decoding(() => {
          throw new TypeError('a bug');
        }),
      TypeError,
    );
  });
  it('turns text that is no JSON into a reason', () => {
    for (const text of ['', '{', '{"a":1,}', 'NaN', '\u0000', "{'a':1}", '{} {}']) {
      assert.deepEqual(
        decoding(() => parseJson(text)),
        { ok: false, reason: 'not JSON' },
        text,
      );
    }
  });
  it('reads whatever JSON holds without throwing', () => {
    checkProperty(
      fc.property(fc.json(), fc.constantFrom(...(Object.keys(METHODS) as Method[])), (text, method) => {
        const decoded = decoding(() => METHODS[method](new Reader(parseJson(text), 'it')));
        assert.equal(typeof decoded.ok, 'boolean');
      }),
    );
  });
});
