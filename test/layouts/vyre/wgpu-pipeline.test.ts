import assert from 'node:assert/strict';
import { rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { wgpuFormat, wgpuSection } from '../../../src/layouts/vyre/wgpu-pipeline.js';
import {
  examineAt,
  examineSubject,
  kindOf,
  NO_FILES,
  replaceBy,
  wordOf,
} from '../../support/layout-examination.js';
import { checkProperty } from '../../support/properties.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import {
  blake3Hex,
  tomlOf,
  wgpuBlobSidecar,
  wgpuTextSidecar,
  writeInto,
  writeWgpu,
  writeWgpuBlob,
  writeWgpuText,
} from '../../support/vyre-files.js';

const KEY = `0f${'7e'.repeat(31)}`;
const TEXT = '@compute @workgroup_size(8) fn main() { /* é */ }\n';
const BLOB = Buffer.from([0, 255, 254, 1, 2, 3]);
const MIB = 1_048_576;
/** BLAKE3 of 64 MiB of zeros, by another program. */
const ZEROS_DIGEST = 'ea7b156fc9a810c181984f9e2da433feeeb2bf88ffa4d1f0dc1a92154b5bdc8b';
const SUFFIXES = ['.wgsl', '.wgsl.toml', '.pipeline.bin', '.pipeline.toml'] as const;

function written(t: TestContext): string {
  const folder = join(temporaryFolder(t), 'pipeline');
  writeWgpu(folder, KEY, { text: TEXT, blob: BLOB });
  return folder;
}

function wordOn(folder: string): string {
  const { verdict } = examineSubject({ format: wgpuFormat, folder, stem: KEY });
  return wordOf(verdict);
}

type Changes = Readonly<Record<string, string | null>>;

function changeText(folder: string, changes: Changes): void {
  writeInto(folder, `${KEY}.wgsl.toml`, tomlOf(wgpuTextSidecar(KEY, TEXT), changes));
}

function changeBlob(folder: string, changes: Changes): void {
  writeInto(folder, `${KEY}.pipeline.toml`, tomlOf(wgpuBlobSidecar(KEY, TEXT, BLOB), changes));
}

/** Bytes as an array of TOML. */
function array(bytes: readonly (number | string)[]): string {
  return `[${bytes.join(', ')}]`;
}

const KEY_BYTES = Array.from(Buffer.from(KEY, 'hex'));

describe('the section of wgpu pipelines', () => {
  it('knows four parts of a pipeline and the temporary files of each', () => {
    for (const [name, kind] of [
      [`${KEY}.wgsl`, `wgpu-pipeline 0 of ${KEY}`],
      [`${KEY}.wgsl.toml`, `wgpu-pipeline 1 of ${KEY}`],
      [`${KEY}.pipeline.bin`, `wgpu-pipeline 2 of ${KEY}`],
      [`${KEY}.pipeline.toml`, `wgpu-pipeline 3 of ${KEY}`],
      [`${KEY}.tmp.1_0`, 'litter'],
      [`${KEY}.wgsl.tmp.4194304_12`, 'litter'],
      [`${KEY}.pipeline.tmp.9_9`, 'litter'],
      [`${KEY}.pipeline.bin.tmp.9_9`, 'alien'],
      [`${KEY}.tmp.0_0`, 'alien'],
      [`${KEY}.tmp.1.0`, 'alien'],
      [`${KEY}.tmp.1_`, 'alien'],
      [`${KEY}.tmp`, 'alien'],
      [`${KEY}.toml`, 'alien'],
      [`${KEY}.bin`, 'alien'],
      [`${KEY}.pipeline`, 'alien'],
      [`${KEY}xwgsl`, 'alien'],
      [`${KEY.slice(1)}.wgsl`, 'alien'],
      [`${KEY}0.wgsl`, 'alien'],
      [`${KEY.toUpperCase()}.wgsl`, 'alien'],
      [KEY, 'alien'],
    ] as const)
      assert.equal(kindOf(wgpuSection, name), kind, name);
    assert.equal(wgpuSection.folder('0f'), null);
  });

  it('holds pipelines that are valid with both pairs and with either alone', (t) => {
    const folder = temporaryFolder(t);
    const both = '1'.repeat(64);
    const text = '2'.repeat(64);
    const blob = '3'.repeat(64);
    writeWgpu(folder, both, { text: TEXT, blob: BLOB });
    writeWgpuText(folder, text, TEXT);
    writeWgpuBlob(folder, blob, { text: TEXT, blob: BLOB });
    for (const name of [`${both}.wgsl`, `${both}.pipeline.toml`, `${text}.wgsl`, `${blob}.pipeline.bin`]) {
      const { format, verdict } = examineAt(wgpuSection, folder, name);
      assert.equal(format, wgpuFormat);
      assert.deepEqual(verdict, { kind: 'valid' }, name);
    }
  });

  it('reads every byte of all four files', (t) => {
    const folder = written(t);
    const sidecars = [wgpuTextSidecar(KEY, TEXT), wgpuBlobSidecar(KEY, TEXT, BLOB)].map((lines) =>
      tomlOf(lines),
    );
    const { bytesRead } = examineAt(wgpuSection, folder, `${KEY}.wgsl`);
    assert.equal(bytesRead, Buffer.byteLength(TEXT) + BLOB.byteLength + sidecars.join('').length);
  });

  it('holds empty texts and blobs', (t) => {
    const folder = temporaryFolder(t);
    writeWgpu(folder, KEY, { text: '', blob: '' });
    assert.equal(wordOn(folder), 'valid');
  });

  it('holds texts and blobs of several buffers', (t) => {
    const folder = temporaryFolder(t);
    writeWgpu(folder, KEY, { text: `x${'€'.repeat(200_000)}`, blob: Buffer.alloc(600_000, 9) });
    assert.equal(wordOn(folder), 'valid');
  });

  for (let present = 0; present < 16; present += 1) {
    const names = SUFFIXES.filter((_, part) => (present & (1 << part)) !== 0);
    const whole = [0b0011, 0b1100, 0b1111].includes(present);
    it(`takes ${names.length === 0 ? 'nothing' : names.join(' and ')} for ${whole ? 'an artifact' : 'half of one'}`, (t) => {
      assert.equal(wgpuFormat.wholeness(present), whole ? 'artifact' : 'half');
      if (present === 0) return;
      const folder = written(t);
      for (const suffix of SUFFIXES) if (!names.includes(suffix)) rmSync(join(folder, `${KEY}${suffix}`));
      assert.equal(wordOn(folder), whole ? 'valid' : 'half-pair');
    });
  }

  it('never has a sidecar without its file while it is removed', () => {
    const left = new Set(wgpuFormat.parts.map(({ suffix }) => suffix));
    for (const part of wgpuFormat.removal) {
      left.delete(wgpuFormat.parts[part]?.suffix ?? '');
      if (left.has('.wgsl.toml')) assert.ok(left.has('.wgsl'));
      if (left.has('.pipeline.toml')) assert.ok(left.has('.pipeline.bin'));
    }
    assert.equal(left.size, 0);
    assert.equal(wgpuFormat.parts[wgpuFormat.removal[0] ?? 0]?.suffix, '.pipeline.toml');
  });

  for (const [part, suffix] of SUFFIXES.entries()) {
    it(`does not miss ${suffix} when it was removed since it was listed`, (t) => {
      const folder = written(t);
      rmSync(join(folder, `${KEY}${suffix}`));
      const subject = { format: wgpuFormat, folder, stem: KEY, listed: [0, 1, 2, 3] };
      assert.equal(wordOf(examineSubject(subject).verdict), 'gone', String(part));
    });
    for (const [what, make] of NO_FILES) {
      it(`calls ${what} in the place of ${suffix} no file`, (t) => {
        const folder = written(t);
        replaceBy(join(folder, `${KEY}${suffix}`), make);
        assert.equal(wordOn(folder), 'not-a-file');
      });
    }
  }
});

describe('what both sidecars of a wgpu pipeline tell', () => {
  const fields: readonly (readonly [string, string | null, string])[] = [
    ['version', '4', 'wrong-version'],
    ['version', '6', 'wrong-version'],
    ['version', '-5', 'unreadable-sidecar'],
    ['version', '5.0', 'unreadable-sidecar'],
    ['version', '"5"', 'unreadable-sidecar'],
    ['version', null, 'unreadable-sidecar'],
    ['cache_key', array(KEY_BYTES.map((byte, index) => (index === 0 ? byte ^ 1 : byte))), 'key-mismatch'],
    ['cache_key', array(KEY_BYTES.map((byte, index) => (index === 31 ? byte ^ 128 : byte))), 'key-mismatch'],
    ['cache_key', array(KEY_BYTES.toReversed()), 'key-mismatch'],
    ['cache_key', array(KEY_BYTES.slice(1)), 'unreadable-sidecar'],
    ['cache_key', array([...KEY_BYTES, 0]), 'unreadable-sidecar'],
    ['cache_key', array([256, ...KEY_BYTES.slice(1)]), 'unreadable-sidecar'],
    ['cache_key', array([271, ...KEY_BYTES.slice(1)]), 'unreadable-sidecar'],
    ['cache_key', array([-1, ...KEY_BYTES.slice(1)]), 'unreadable-sidecar'],
    ['cache_key', array(['15.0', ...KEY_BYTES.slice(1)]), 'unreadable-sidecar'],
    ['cache_key', array(['"15"', ...KEY_BYTES.slice(1)]), 'unreadable-sidecar'],
    ['cache_key', '[]', 'unreadable-sidecar'],
    ['cache_key', `"${KEY}"`, 'unreadable-sidecar'],
    ['cache_key', null, 'unreadable-sidecar'],
    ['adapter_fingerprint', array(Array.from({ length: 32 }, () => 255)), 'valid'],
    ['adapter_fingerprint', array(KEY_BYTES.slice(1)), 'unreadable-sidecar'],
    ['adapter_fingerprint', array([256, ...KEY_BYTES.slice(1)]), 'unreadable-sidecar'],
    ['adapter_fingerprint', '"Vulkan"', 'unreadable-sidecar'],
    ['adapter_fingerprint', null, 'unreadable-sidecar'],
    ['program_abi_version', '0', 'valid'],
    ['program_abi_version', '"3"', 'valid'],
    ['program_abi_version', '-3', 'unreadable-sidecar'],
    ['program_abi_version', '3.5', 'unreadable-sidecar'],
    ['program_abi_version', '[3]', 'unreadable-sidecar'],
    ['program_abi_version', null, 'unreadable-sidecar'],
    ['naga_version', '29', 'valid'],
    ['naga_version', '29.1', 'unreadable-sidecar'],
    ['naga_version', 'true', 'unreadable-sidecar'],
    ['naga_version', null, 'unreadable-sidecar'],
    ['wgsl_blake3', `"${blake3Hex(TEXT).slice(1)}"`, 'unreadable-sidecar'],
    ['wgsl_blake3', `"${blake3Hex(TEXT)}0"`, 'unreadable-sidecar'],
    ['wgsl_blake3', `"${blake3Hex(TEXT).toUpperCase()}"`, 'unreadable-sidecar'],
    ['wgsl_blake3', '7', 'unreadable-sidecar'],
    ['wgsl_blake3', null, 'unreadable-sidecar'],
    ['of_a_later_vyre', '[{ a = 1 }]', 'valid'],
  ];
  for (const [field, value, word] of fields) {
    const what = value === null ? 'missing' : `= ${value}`;
    it(`is judged with ${field} ${what}: ${word}`, (t) => {
      const folder = written(t);
      changeText(folder, { [field]: value });
      assert.equal(wordOn(folder), word, "the text's");
      changeText(folder, {});
      changeBlob(folder, { [field]: value });
      assert.equal(wordOn(folder), word, "the blob's");
    });
  }

  const whole = tomlOf(wgpuTextSidecar(KEY, TEXT));
  const sidecars: readonly (readonly [string, string | Buffer])[] = [
    ['nothing', ''],
    ['a single zero', Buffer.from([0])],
    ['no TOML', '{"version": 5}'],
    ['no UTF-8', Buffer.from(`${whole}# é`, 'latin1')],
    ['a field twice', `${whole}version = 5\n`],
    ['arrays within arrays', `${whole}a = ${'['.repeat(20_000)}`],
    ['a date that is none', `${whole}a = 2026-99-99\n`],
    ['only a table of its fields', `[metadata]\n${whole}`],
  ];
  for (const [what, sidecar] of sidecars) {
    it(`cannot be read where it is ${what}`, (t) => {
      const folder = written(t);
      for (const suffix of ['.pipeline.toml', '.wgsl.toml']) {
        writeInto(folder, `${KEY}${suffix}`, sidecar);
        assert.equal(wordOn(folder), 'unreadable-sidecar', suffix);
      }
    });
  }

  it('has at most 64 KiB', (t) => {
    const folder = written(t);
    writeInto(folder, `${KEY}.wgsl.toml`, whole.padEnd(65_536, '\n'));
    assert.equal(wordOn(folder), 'valid');
    writeInto(folder, `${KEY}.wgsl.toml`, whole.padEnd(65_537, '\n'));
    assert.equal(wordOn(folder), 'oversized');
  });

  it('cannot be read where it was cut between any two of its fields', (t) => {
    const folder = written(t);
    const lines = whole.split('\n').slice(0, -1);
    for (let count = 0; count < lines.length; count += 1) {
      writeInto(folder, `${KEY}.wgsl.toml`, lines.slice(0, count).join('\n'));
      assert.equal(wordOn(folder), 'unreadable-sidecar', `${count} lines`);
    }
  });
});

describe('the text of a wgpu pipeline', () => {
  const bytes = Buffer.byteLength(TEXT);
  const fields: readonly (readonly [string, string | null, string])[] = [
    ['wgsl_bytes', String(bytes - 1), 'length-mismatch'],
    ['wgsl_bytes', String(bytes + 1), 'length-mismatch'],
    ['wgsl_bytes', String(TEXT.length), 'length-mismatch'],
    ['wgsl_bytes', '0', 'length-mismatch'],
    ['wgsl_bytes', '9223372036854775807', 'length-mismatch'],
    ['wgsl_bytes', '-1', 'unreadable-sidecar'],
    ['wgsl_bytes', `${bytes}.0`, 'unreadable-sidecar'],
    ['wgsl_bytes', `"${bytes}"`, 'unreadable-sidecar'],
    ['wgsl_bytes', null, 'unreadable-sidecar'],
    ['wgsl_lowering_contract', '""', 'valid'],
    ['wgsl_lowering_contract', '16', 'unreadable-sidecar'],
    ['wgsl_lowering_contract', null, 'unreadable-sidecar'],
    ['policy', '""', 'valid'],
    ['policy', '[8, 16, 32]', 'unreadable-sidecar'],
    ['policy', null, 'unreadable-sidecar'],
    ['wgsl_blake3', `"${blake3Hex(`${TEXT} `)}"`, 'bad-checksum'],
    ['wgsl_blake3', `"${'0'.repeat(64)}"`, 'bad-checksum'],
  ];
  for (const [field, value, word] of fields) {
    it(`is judged with ${field} ${value === null ? 'missing' : `= ${value}`}: ${word}`, (t) => {
      const folder = written(t);
      changeText(folder, { [field]: value });
      assert.equal(wordOn(folder), word);
    });
  }

  const texts: readonly (readonly [string, string | Buffer, string])[] = [
    ['nothing', '', 'length-mismatch'],
    ['a byte less', TEXT.slice(0, -1), 'length-mismatch'],
    ['a byte more', `${TEXT}\n`, 'length-mismatch'],
    ['as many other bytes', TEXT.replace('main', 'mine'), 'bad-checksum'],
    ['no UTF-8', Buffer.from(TEXT, 'latin1'), 'not-utf8'],
    ['a cut character', Buffer.from(TEXT).subarray(0, Buffer.from(TEXT).indexOf('é') + 1), 'not-utf8'],
  ];
  for (const [what, text, word] of texts) {
    it(`is judged where it is ${what}: ${word}`, (t) => {
      const folder = written(t);
      writeInto(folder, `${KEY}.wgsl`, text);
      assert.equal(wordOn(folder), word);
    });
  }

  it('must be UTF-8 even where its sidecar vouches for it', (t) => {
    const folder = temporaryFolder(t);
    writeWgpuText(folder, KEY, Buffer.from([0x66, 0x6e, 0xff]));
    assert.equal(wordOn(folder), 'not-utf8');
  });
});

describe('the blob of a wgpu pipeline', () => {
  const fields: readonly (readonly [string, string | null, string])[] = [
    ['blob_bytes', String(BLOB.byteLength - 1), 'length-mismatch'],
    ['blob_bytes', String(BLOB.byteLength + 1), 'length-mismatch'],
    ['blob_bytes', '9223372036854775807', 'length-mismatch'],
    ['blob_bytes', '-1', 'unreadable-sidecar'],
    ['blob_bytes', null, 'unreadable-sidecar'],
    ['blob_blake3', `"${blake3Hex('another blob')}"`, 'bad-checksum'],
    ['blob_blake3', `"${blake3Hex(BLOB).toUpperCase()}"`, 'unreadable-sidecar'],
    ['blob_blake3', null, 'unreadable-sidecar'],
    ['wgsl_blake3', `"${blake3Hex('another text')}"`, 'sidecar-mismatch'],
  ];
  for (const [field, value, word] of fields) {
    it(`is judged with ${field} ${value === null ? 'missing' : `= ${value}`}: ${word}`, (t) => {
      const folder = written(t);
      changeBlob(folder, { [field]: value });
      assert.equal(wordOn(folder), word);
    });
  }

  it('may be of any text where there is none beside it', (t) => {
    const folder = temporaryFolder(t);
    writeWgpuBlob(folder, KEY, { text: 'another text', blob: BLOB });
    assert.equal(wordOn(folder), 'valid');
  });

  const blobs: readonly (readonly [string, Buffer, string])[] = [
    ['nothing', Buffer.alloc(0), 'length-mismatch'],
    ['a byte less', BLOB.subarray(0, -1), 'length-mismatch'],
    ['a byte more', Buffer.concat([BLOB, Buffer.from([0])]), 'length-mismatch'],
    ['as many other bytes', Buffer.alloc(BLOB.byteLength), 'bad-checksum'],
  ];
  for (const [what, blob, word] of blobs) {
    it(`is judged where it is ${what}: ${word}`, (t) => {
      const folder = written(t);
      writeInto(folder, `${KEY}.pipeline.bin`, blob);
      assert.equal(wordOn(folder), word);
    });
  }
});

describe('the largest wgpu pipeline', () => {
  for (const [suffix, changes] of [
    ['.wgsl', { wgsl_bytes: String(64 * MIB), wgsl_blake3: `"${ZEROS_DIGEST}"` }],
    ['.pipeline.bin', { blob_bytes: String(64 * MIB), blob_blake3: `"${ZEROS_DIGEST}"` }],
  ] as const) {
    it(`has 64 MiB of ${suffix}`, (t) => {
      const folder = temporaryFolder(t);
      const isText = suffix === '.wgsl';
      if (isText) writeWgpuText(folder, KEY, '');
      else writeWgpuBlob(folder, KEY, { text: TEXT, blob: '' });
      const lines = isText ? wgpuTextSidecar(KEY, '') : wgpuBlobSidecar(KEY, TEXT, '');
      writeInto(folder, `${KEY}${isText ? '.wgsl.toml' : '.pipeline.toml'}`, tomlOf(lines, changes));
      truncateSync(join(folder, `${KEY}${suffix}`), 64 * MIB);
      assert.equal(wordOn(folder), 'valid');
      truncateSync(join(folder, `${KEY}${suffix}`), 64 * MIB + 1);
      assert.equal(wordOn(folder), 'oversized');
    });
  }
});

describe('random bytes', () => {
  it('in the place of any file of a wgpu pipeline are never valid', (t) => {
    const folder = written(t);
    const original = new Map<string, Buffer>([
      ['.wgsl', Buffer.from(TEXT)],
      ['.wgsl.toml', Buffer.from(tomlOf(wgpuTextSidecar(KEY, TEXT)))],
      ['.pipeline.bin', BLOB],
      ['.pipeline.toml', Buffer.from(tomlOf(wgpuBlobSidecar(KEY, TEXT, BLOB)))],
    ]);
    checkProperty(
      fc.property(fc.constantFrom(...SUFFIXES), fc.uint8Array(), (suffix, bytes) => {
        writeInto(folder, `${KEY}${suffix}`, bytes);
        const { verdict } = examineSubject({ format: wgpuFormat, folder, stem: KEY });
        writeInto(folder, `${KEY}${suffix}`, original.get(suffix) ?? '');
        assert.equal(verdict.kind, 'damaged');
      }),
    );
    assert.equal(wordOn(folder), 'valid');
  });

  it('written into a sidecar never make the examination fail', (t) => {
    const folder = written(t);
    const lines = tomlOf(wgpuTextSidecar(KEY, TEXT));
    const place = fc.tuple(fc.nat(lines.length), fc.nat(9), fc.string({ unit: 'binary', maxLength: 6 }));
    checkProperty(
      fc.property(place, ([at, count, text]) => {
        writeInto(folder, `${KEY}.wgsl.toml`, lines.slice(0, at) + text + lines.slice(at + count));
        const { verdict } = examineSubject({ format: wgpuFormat, folder, stem: KEY });
        assert.ok(verdict.kind === 'valid' || verdict.kind === 'damaged');
      }),
      500,
    );
  });

  it('flipped in the text or the blob are always found', (t) => {
    const folder = written(t);
    const flips = fc.tuple(fc.boolean(), fc.nat(), fc.integer({ min: 1, max: 255 }));
    checkProperty(
      fc.property(flips, ([inText, at, mask]) => {
        const bytes = Buffer.from(inText ? TEXT : BLOB);
        const place = at % bytes.byteLength;
        bytes.writeUInt8((bytes[place] ?? 0) ^ mask, place);
        writeInto(folder, `${KEY}${inText ? '.wgsl' : '.pipeline.bin'}`, bytes);
        const word = wordOn(folder);
        writeInto(folder, `${KEY}${inText ? '.wgsl' : '.pipeline.bin'}`, inText ? TEXT : BLOB);
        assert.ok(word === 'bad-checksum' || (inText && word === 'not-utf8'), word);
      }),
    );
  });
});
