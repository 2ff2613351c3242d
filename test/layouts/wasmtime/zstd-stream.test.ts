import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ZstdStream } from '../../../src/layouts/wasmtime/zstd/zstd-stream.js';
import type { ZstdFault } from '../../../src/layouts/wasmtime/zstd/zstd-fault.js';
import { codeBytes, zstd } from '../../support/other-caches.js';
import { checkProperty } from '../../support/properties.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { has, findTool } from '../../support/tools.js';

/** `pieceBytes`: how much is pushed at a time. */
function decode(stream: Uint8Array, pieceBytes = 65_536) {
  const chunks: Buffer[] = [];
  const decoder = new ZstdStream((bytes) => chunks.push(Buffer.from(bytes)));
  let fault: ZstdFault | null = null;
  for (let from = 0; from < stream.length && fault === null; from += pieceBytes)
    fault = decoder.push(stream.subarray(from, from + pieceBytes));
  return { fault: fault ?? decoder.end(), content: Buffer.concat(chunks), bytes: decoder.contentBytes };
}

/** Small enough to count, where the content would fill the memory. */
function decodeUnseen(stream: Uint8Array): { readonly fault: ZstdFault | null; readonly bytes: number } {
  const decoder = new ZstdStream();
  const fault = decoder.push(stream) ?? decoder.end();
  return { fault, bytes: decoder.contentBytes };
}

function assertDecodes(stream: Uint8Array, content: Uint8Array): void {
  const decoded = decode(stream);
  assert.equal(decoded.fault, null);
  assert.equal(decoded.bytes, content.length);
  assert.ok(decoded.content.equals(content), 'expected the content that was compressed');
}

/** Those that zstd's own program does not take, by their numbers. */
function refusedByZstd(folder: string, streams: readonly Uint8Array[]): readonly string[] {
  const paths = streams.map((stream, index) => {
    const path = join(folder, `${index}.zst`);
    writeFileSync(path, stream);
    return path;
  });
  const { status, stderr } = spawnSync(findTool('zstd') ?? 'zstd', ['-q', '-t', ...paths]);
  return status === 0 ? [] : stderr.toString().split('\n');
}

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd] as const;
/** No window, no size, no checksum in the descriptor; a window of 1 KiB. */
const SMALL_WINDOW = [...MAGIC, 0x00, 0x00] as const;
const BLOCK = { raw: 0, rle: 1, compressed: 2, reserved: 3 } as const;

function block(kind: keyof typeof BLOCK, size: number, last: boolean, ...bytes: readonly number[]): number[] {
  const header = (size << 3) | (BLOCK[kind] << 1) | (last ? 1 : 0);
  return [header & 0xff, (header >> 8) & 0xff, header >> 16, ...bytes];
}

const CONTENTS: readonly (readonly [string, Buffer])[] = [
  ['nothing', Buffer.alloc(0)],
  ['one byte', Buffer.from('x')],
  ['a sentence', Buffer.from('the quick brown fox jumps over the lazy dog, the quick brown fox')],
  ['one byte over and over', Buffer.alloc(300_000, 'a')],
  [
    'noise',
    Buffer.from(Array.from({ length: 5000 }, (_, index) => (Math.imul(index, 0x9e37_79b1) >>> 15) & 0xff)),
  ],
  ['code', codeBytes('code', 700_000)],
  ['text', Buffer.from(Array.from({ length: 40_000 }, (_, index) => `line ${index * index}\n`).join(''))],
  ['a program', readFileSync(process.execPath).subarray(10_000_000, 11_500_000)],
];

const LEVELS = ['--fast=5', '-1', '-2', '-3', '-5', '-7', '-9', '-13', '-16', '-19'];
/** Above, zstd takes hundreds of milliseconds to start. */
const FEW_LEVELS = ['--fast=5', '-1', '-3', '-9'];

describe('a zstd stream', () => {
  for (const [name, content] of CONTENTS) {
    it(`gives ${name} back at every level`, (t) => {
      if (!has(t, 'zstd')) return;
      for (const level of content.length < 100_000 ? FEW_LEVELS : LEVELS)
        assertDecodes(zstd(content, level), content);
      assertDecodes(zstd(content, '--check'), content);
      assertDecodes(zstd(content, '--content-size', `--stream-size=${content.length}`), content);
      assertDecodes(zstd(content, '-3', '-B65536'), content);
    });
  }
  it('is given back at the highest level with the widest window', (t) => {
    if (!has(t, 'zstd')) return;
    for (const bytes of [0, 10, 900_000]) {
      const content = codeBytes('ultra', bytes);
      assertDecodes(zstd(content, '--ultra', '-22', '--long=27', '--check'), content);
    }
  });
  it('has the same content however it is cut into pieces', (t) => {
    if (!has(t, 'zstd')) return;
    const content = codeBytes('pieces', 30_000);
    const stream = zstd(content, '-19', '--check');
    for (const pieceBytes of [1, 2, 3, 7, 1000, stream.length]) {
      const { fault, content: decoded } = decode(stream, pieceBytes);
      assert.equal(fault, null);
      assert.ok(decoded.equals(content), `pieces of ${pieceBytes}`);
    }
  });
  it('is frames one after the other, with skippable ones between them', (t) => {
    if (!has(t, 'zstd')) return;
    const first = codeBytes('first', 5000);
    const skippable = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    const empty = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
    const stream = Buffer.concat([
      skippable,
      zstd(first),
      empty,
      zstd(Buffer.alloc(0)),
      zstd(first),
      skippable,
    ]);
    assertDecodes(stream, Buffer.concat([first, first]));
  });
  it('reaches back over its whole window, and not further', (t) => {
    if (!has(t, 'zstd')) return;
    const part = Buffer.concat(CONTENTS.slice(-1).map(([, content]) => content));
    const content = Buffer.concat([part, Buffer.alloc(3_000_000, 'b'), part, part]);
    assertDecodes(zstd(content, '-19', '--long=24'), content);
    assertDecodes(zstd(content, '-1', '--zstd=wlog=10'), content);
  });
});

describe('a zstd stream in bounded memory', () => {
  it('is decoded to a thousand times its size', { timeout: 300_000 }, (t) => {
    if (!has(t, 'zstd')) return;
    const bytes = 700_000_000;
    const stream = zstd(Buffer.alloc(bytes), '-19');
    const before = process.resourceUsage().maxRSS;
    assert.deepEqual(decodeUnseen(stream), { fault: null, bytes });
    const grownKib = process.resourceUsage().maxRSS - before;
    assert.ok(grownKib < 65_536, `expected less than 64 MiB, got ${grownKib} KiB`);
  });
  it('allocates nothing for a window that it refuses', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (const window of [(17 << 3) | 1, 18 << 3, 31 << 3, 0xff])
      assert.equal(decode(Uint8Array.of(...MAGIC, 0, window, 0, 0, 0)).fault, 'window-too-large');
    const single = Uint8Array.of(...MAGIC, 0b1110_0000, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
    assert.equal(decode(single).fault, 'window-too-large');
    assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024);
  });
  it('grants the window of `--long=27`, and refuses that of `--long=28`', (t) => {
    if (!has(t, 'zstd')) return;
    const content = codeBytes('window', 1000);
    // What goes through a pipe has no size, so the window stays as wide as it was asked for.
    assertDecodes(zstd(content, '--long=27'), content);
    assert.equal(decode(zstd(content, '--long=28')).fault, 'window-too-large');
  });
  it('costs no more for many small blocks and frames in a wide window', { timeout: 60_000 }, () => {
    const wide = [...MAGIC, 0, 17 << 3];
    const blocks = Array.from({ length: 100_000 }, (_, index) =>
      block('rle', 1, index === 99_999, 65),
    ).flat();
    assert.deepEqual(decodeUnseen(Uint8Array.from([...wide, ...blocks])), { fault: null, bytes: 100_000 });
    const frames = Array.from({ length: 100_000 }, () => [...wide, ...block('raw', 0, true)]).flat();
    assert.deepEqual(decodeUnseen(Uint8Array.from(frames)), { fault: null, bytes: 0 });
  });
  it('stops at sequences that would fill more than a block', { timeout: 60_000 }, () => {
    // 98,046 matches of 65,539 bytes and more, none of which costs a bit.
    const body = [0x00, 255, 0xff, 0xff, 0x54, 0, 0, 52, 0x01];
    const stream = Uint8Array.from([...MAGIC, 0, 7 << 3, ...block('compressed', body.length, true, ...body)]);
    assert.equal(decode(stream).fault, 'bad-zstd');
  });
});

describe('a stream that is no zstd', () => {
  it('is truncated when it ends anywhere within a frame', (t) => {
    if (!has(t, 'zstd')) return;
    const content = codeBytes('cut', 3000);
    for (const stream of [zstd(content), zstd(content, '-19', '--check'), zstd(Buffer.alloc(1000))]) {
      for (let bytes = 0; bytes < stream.length; bytes += 1)
        assert.equal(decode(stream.subarray(0, bytes)).fault, 'truncated', `${bytes} of ${stream.length}`);
    }
    const skippable = Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2]);
    for (let bytes = 0; bytes < skippable.length; bytes += 1)
      assert.equal(decode(skippable.subarray(0, bytes)).fault, 'truncated');
  });
  it('is bad with anything behind its last frame', (t) => {
    if (!has(t, 'zstd')) return;
    const stream = zstd(Buffer.from('content'));
    for (const garbage of ['x', 'xy', 'xyz', 'garbage behind it', '\0'])
      assert.equal(decode(Buffer.concat([stream, Buffer.from(garbage)])).fault, 'bad-zstd', garbage);
    assert.equal(decode(Buffer.concat([stream, stream.subarray(0, 3)])).fault, 'truncated');
  });
  const bad: readonly (readonly [string, readonly number[]])[] = [
    ['text', [...Buffer.from('hello, world')]],
    ['zeros', [0, 0, 0, 0, 0, 0, 0, 0]],
    ['a reserved bit in its descriptor', [...MAGIC, 0b1000, 0, ...block('raw', 0, true)]],
    ['a dictionary', [...MAGIC, 0b01, 0, 7, ...block('raw', 0, true)]],
    ['a reserved kind of block', [...SMALL_WINDOW, ...block('reserved', 1, true, 0)]],
    ['a block larger than its window', [...SMALL_WINDOW, ...block('rle', 1025, true, 0)]],
    ['less content than it says', [...MAGIC, 0b10_0000, 2, ...block('raw', 1, true, 65)]],
    [
      'more content than it says',
      [...MAGIC, 0b10_0000, 1, ...block('rle', 1, false, 65), ...block('rle', 1, true, 65)],
    ],
    ['an empty compressed block', [...SMALL_WINDOW, ...block('compressed', 0, true)]],
    ['literals without an end', [...SMALL_WINDOW, ...block('compressed', 2, true, 0xf8, 0)]],
    [
      'a table of an earlier block that has none',
      [...SMALL_WINDOW, ...block('compressed', 5, true, 0x13, 0x40, 0, 1, 0)],
    ],
    ['something behind no sequences', [...SMALL_WINDOW, ...block('compressed', 4, true, 0x08, 65, 0, 0)]],
  ];
  for (const [name, bytes] of bad) {
    it(`is bad: ${name}`, () => assert.equal(decode(Uint8Array.from(bytes)).fault, 'bad-zstd'));
  }
  it('stays bad whatever is pushed next', (t) => {
    if (!has(t, 'zstd')) return;
    const decoder = new ZstdStream();
    assert.equal(decoder.push(Buffer.from('nonsense')), 'bad-zstd');
    assert.equal(decoder.push(zstd(Buffer.from('content'))), 'bad-zstd');
    assert.equal(decoder.end(), 'bad-zstd');
  });
});

describe('damage of a zstd stream', () => {
  it('is found in every bit that zstd itself finds it in', { timeout: 300_000 }, (t) => {
    if (!has(t, 'zstd')) return;
    for (const [level, bytes] of [
      ['-1', 300],
      ['-3', 900],
      ['-19', 900],
    ] as const) {
      const stream = zstd(codeBytes(`bits ${level}`, bytes), level);
      const taken: Buffer[] = [];
      for (let bit = 0; bit < stream.length * 8; bit += 1) {
        const flipped = Buffer.from(stream);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        if (decode(flipped).fault === null) taken.push(flipped);
      }
      assert.ok(taken.length < stream.length * 8);
      assert.deepEqual(refusedByZstd(temporaryFolder(t), taken), []);
    }
  });
  it('never makes it throw or run on', { timeout: 300_000 }, (t) => {
    if (!has(t, 'zstd')) return;
    const streams = CONTENTS.slice(2, 7).flatMap(([, content]) =>
      ['-1', '-19'].map((level) => zstd(content.subarray(0, 20_000), level)),
    );
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 });
    checkProperty(
      fc.property(fc.constantFrom(...streams), edits, (stream, changes) => {
        const damaged = Buffer.from(stream);
        for (const [at, byte] of changes) damaged[at % damaged.length] = byte;
        const { bytes } = decodeUnseen(damaged);
        assert.ok(bytes <= damaged.length * 131_072);
      }),
      1500,
    );
  });
  it('never makes it throw whatever the bytes of a compressed block are', { timeout: 300_000 }, () => {
    checkProperty(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 600 }), (body) => {
        const stream = [...MAGIC, 0, 7 << 3, ...block('compressed', body.length, true, ...body)];
        assert.ok(decodeUnseen(Uint8Array.from(stream)).bytes <= 131_072);
      }),
      3000,
    );
    checkProperty(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        decodeUnseen(bytes);
        decodeUnseen(Uint8Array.from([...MAGIC, ...bytes]));
      }),
      2000,
    );
  });
});
