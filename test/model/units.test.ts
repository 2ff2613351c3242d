import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CacheError } from '../../src/model/error.js';
import {
  decodeCount,
  decodeDuration,
  decodeSize,
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  parseCount,
  parseDuration,
  parseSize,
  writeDuration,
  writeSize,
} from '../../src/model/units.js';

const MAX = Number.MAX_SAFE_INTEGER;

function refuses(parse: () => number, message: string): void {
  assert.throws(
    parse,
    (error) => error instanceof CacheError && error.code === 'usage' && error.message === message,
  );
}

describe('durations', () => {
  const read: readonly (readonly [string, number])[] = [
    ['0s', 0],
    ['1s', 1000],
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['1w', 604_800_000],
    ['007s', 7000],
    ['9007199254740s', 9_007_199_254_740_000],
  ];
  for (const [text, ms] of read) {
    it(`reads ${text} as ${ms} ms`, () => {
      assert.equal(parseDuration(text), ms);
    });
  }

  const refused = [
    '',
    '7',
    '-1s',
    '+1s',
    '1.5h',
    '1,5h',
    ' 1s',
    '1s ',
    '1 s',
    '1M',
    '1ms',
    '1y',
    's',
    '1h30m',
    '1e3s',
    '١s',
    'ten',
    '1s\n',
    '0x1s',
  ];
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text)} and says what is expected`, () => {
      refuses(() => parseDuration(text), `expected a duration such as 30m, got "${text}"`);
    });
  }

  it('refuses a duration that a number cannot hold exactly', () => {
    refuses(
      () => parseDuration('9007199254741s'),
      'expected a duration such as 30m, below 2^53 in all, got "9007199254741s"',
    );
    assert.equal(decodeDuration('99999999999999999999w').ok, false);
  });

  it('writes what it reads back, for every whole second', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Math.floor(MAX / 1000) }), (seconds) => {
        assert.equal(parseDuration(writeDuration(seconds * 1000)), seconds * 1000);
      }),
    );
  });

  it('writes the largest unit that is exact', () => {
    assert.equal(writeDuration(0), '0s');
    assert.equal(writeDuration(600_000), '10m');
    assert.equal(writeDuration(604_800_000), '1w');
    assert.equal(writeDuration(61_000), '61s');
    assert.throws(() => writeDuration(1500));
  });
});

describe('sizes', () => {
  const read: readonly (readonly [string, number])[] = [
    ['0B', 0],
    ['1B', 1],
    ['1K', 1000],
    ['1KB', 1000],
    ['1Ki', 1024],
    ['1KiB', 1024],
    ['64MiB', 67_108_864],
    ['10G', 10_000_000_000],
    ['10Gi', 10_737_418_240],
    ['10GiB', 10_737_418_240],
    ['1TB', 1e12],
    ['1TiB', 2 ** 40],
    ['1P', 1e15],
    ['7PiB', 7 * 2 ** 50],
    ['9007199254740991B', MAX],
  ];
  for (const [text, bytes] of read) {
    it(`reads ${text} as ${bytes} bytes`, () => {
      assert.equal(parseSize(text), bytes);
    });
  }

  const refused = [
    '',
    '7',
    '0',
    '-1B',
    '1.5G',
    '1 G',
    '1g',
    '1k',
    '1kB',
    '1KIB',
    '1Kib',
    '1iB',
    '1Bi',
    '1BB',
    '1E',
    '5 apples',
    '10GiBs',
    'G',
    '1GG',
    '1GiBB',
  ];
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text)} and says what is expected`, () => {
      refuses(() => parseSize(text), `expected a size such as 500MB or 5GiB, got "${text}"`);
    });
  }

  it('refuses a size that a number cannot hold exactly', () => {
    for (const text of ['9007199254740992B', '8PiB', '10P', `${'9'.repeat(400)}B`]) {
      assert.equal(decodeSize(text).ok, false, text);
    }
  });

  it('writes what it reads back, for every number of bytes', () => {
    const bytes = fc.oneof(
      fc.integer({ min: 0, max: MAX }),
      fc
        .tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 5 }))
        .map(([n, step]) => n * 1024 ** step),
      fc
        .tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 5 }))
        .map(([n, step]) => n * 1000 ** step),
    );
    fc.assert(
      fc.property(bytes, (value) => {
        assert.equal(parseSize(writeSize(value)), value);
      }),
    );
  });

  it('writes the largest unit that is exact', () => {
    assert.equal(writeSize(67_108_864), '64MiB');
    assert.equal(writeSize(5_000_000), '5MB');
    assert.equal(writeSize(1023), '1023B');
    assert.equal(writeSize(0), '0B');
  });

  it('never throws while decoding and never reads what is no number of bytes', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const decoded of [decodeSize(text), decodeDuration(text), decodeCount(text)]) {
          assert.ok(!decoded.ok || (Number.isSafeInteger(decoded.value) && decoded.value >= 0));
        }
      }),
    );
  });
});

describe('counts and zero', () => {
  it('reads bare digits and nothing else', () => {
    assert.equal(parseCount('0'), 0);
    assert.equal(parseCount('1000000'), 1_000_000);
    for (const text of ['', '-1', '1.0', '1K', '1_000', '1,000', '9007199254740992']) {
      assert.equal(decodeCount(text).ok, false, text);
    }
  });

  it('names the two things that zero could mean where an option refuses it', () => {
    const refuseZero = 'a limit above zero, or --all to remove everything';
    for (const text of ['0', '00', '0B', '0GiB']) {
      refuses(() => parseSize(text, { refuseZero }), `expected ${refuseZero}, got "${text}"`);
    }
    for (const text of ['0', '0s', '0w']) {
      refuses(() => parseDuration(text, { refuseZero }), `expected ${refuseZero}, got "${text}"`);
    }
    refuses(() => parseCount('0', { refuseZero }), `expected ${refuseZero}, got "0"`);
    assert.equal(parseSize('1B', { refuseZero }), 1);
  });
});

describe('figures for people', () => {
  it('shows bytes in binary units with three significant digits', () => {
    const table: readonly (readonly [number, string])[] = [
      [0, '0 B'],
      [1, '1 B'],
      [1023, '1023 B'],
      [1024, '1 KiB'],
      [1536, '1.5 KiB'],
      [1_258_291, '1.2 MiB'],
      [1_048_575, '1 MiB'],
      [1_048_576, '1 MiB'],
      [104_857_600, '100 MiB'],
      [1_047_527_424, '999 MiB'],
      [6_549_825_126, '6.1 GiB'],
      [2 ** 50, '1 PiB'],
      [MAX, '8 PiB'],
    ];
    for (const [bytes, text] of table) assert.equal(formatBytes(bytes), text);
  });

  it('shows spans in at most two units and carries over', () => {
    const table: readonly (readonly [number, string])[] = [
      [-5, '0 ms'],
      [0, '0 ms'],
      [0.0004, '0 ms'],
      [0.035, '35 ms'],
      [0.9994, '999 ms'],
      [0.9996, '1 s'],
      [1.2449, '1.24 s'],
      [12.345, '12.3 s'],
      [59.94, '59.9 s'],
      [59.96, '1 m'],
      [60, '1 m'],
      [192, '3 m 12 s'],
      [3599.6, '1 h'],
      [3661, '1 h 1 m'],
      [86_399, '1 d'],
      [187_200, '2 d 4 h'],
      [315_360_000, '3,650 d'],
    ];
    for (const [seconds, text] of table) assert.equal(formatDuration(seconds), text, String(seconds));
  });

  it('never shows a span with a unit that is full', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), (seconds) => {
        assert.doesNotMatch(formatDuration(seconds), /(?:^| )60 [sm]|(?:^| )24 h|1000 ms|NaN|e/);
      }),
    );
  });

  it('groups counts by three and rounds shares down', () => {
    assert.equal(formatCount(0), '0');
    assert.equal(formatCount(999), '999');
    assert.equal(formatCount(1204), '1,204');
    assert.equal(formatCount(1_234_567), '1,234,567');
    assert.equal(formatPercent(0, 0), '-');
    assert.equal(formatPercent(9, 11), '81.81%');
    assert.equal(formatPercent(99_999, 100_000), '99.99%');
    assert.equal(formatPercent(7, 7), '100%');
    assert.equal(formatPercent(0, 7), '0%');
  });
});
