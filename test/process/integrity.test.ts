import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { CompileRequest, CompileResult } from '../../src/index.js';
import { findTool, has } from '../support/tools.js';
import { Workbench } from '../support/workbench.js';

const FOOTER_BYTES = 32;
const PAYLOAD = Buffer.from('sixteen bytes...');

/** An artifact in the store of a fresh bench, whose compiler also prints on both streams. */
class Stored {
  readonly bench: Workbench;
  readonly request: CompileRequest;
  readonly entry: string;
  readonly record: string;
  readonly fingerprint: string;
  readonly entryBytes: Buffer;
  readonly recordBytes: Buffer;

  private constructor(bench: Workbench, request: CompileRequest, fingerprint: string) {
    this.bench = bench;
    this.request = request;
    this.fingerprint = fingerprint;
    this.entry = bench.entryPath(fingerprint);
    this.record = bench.recordPath(fingerprint);
    this.entryBytes = readFileSync(this.entry);
    this.recordBytes = readFileSync(this.record);
  }

  static async make(t: TestContext): Promise<Stored> {
    const bench = Workbench.make(t);
    bench.write('in', PAYLOAD);
    bench.script('make', 'printf "to stdout"\nprintf "to stderr" >&2\ncp "$1" "$2"');
    const request = bench.request({
      inputs: ['in'],
      outputs: ['out'],
      command: ['./make', '{input}', '{output}'],
      compilerVersion: 'echo 1',
      relocatable: true,
    });
    const first = await compileOnce(bench, request);
    assert.equal(first.outcome, 'compiled');
    assert.ok(first.fingerprint !== null);
    return new Stored(bench, request, first.fingerprint);
  }

  /** Compiles in a session of its own, so that no memory hides the disk, and checks everything that is delivered. */
  async compile(what: string): Promise<CompileResult> {
    rmSync(this.bench.path('out'), { force: true });
    const result = await compileOnce(this.bench, this.request);
    assert.equal(result.exitCode, 0, what);
    assert.deepEqual(this.bench.read('out'), PAYLOAD, `wrong bytes after: ${what}`);
    assert.equal(Buffer.from(result.stdout).toString('latin1'), 'to stdout', `wrong stdout after: ${what}`);
    assert.equal(Buffer.from(result.stderr).toString('latin1'), 'to stderr', `wrong stderr after: ${what}`);
    return result;
  }

  /** Expects a miss with this reason, from a read and from a compilation, which then repairs the entry. */
  async repairs(what: string, reason: string): Promise<void> {
    const cache = this.bench.open();
    const read = await cache.get(this.fingerprint);
    assert.ok(!read.hit, `expected a miss after: ${what}`);
    assert.equal(read.reason, reason, what);
    await cache.close();
    const result = await this.compile(what);
    assert.deepEqual([result.outcome, result.reason, result.notStored], ['recompiled', reason, null], what);
    assert.deepEqual(readFileSync(this.entry), this.entryBytes, what);
    const again = await this.compile(what);
    assert.equal(again.outcome, 'disk', what);
  }

  /** False when a read serves other bytes or other words than those that were stored. No words at all are no replay. */
  async readsTrue(): Promise<boolean> {
    const cache = this.bench.open();
    const read = await cache.get(this.fingerprint);
    await cache.close();
    if (!read.hit) return true;
    const words = [read.stdout, read.stderr].map((bytes) => Buffer.from(bytes).toString('latin1')).join();
    return read.payload.equals(PAYLOAD) && (words === 'to stdout,to stderr' || words === ',');
  }

  restore(): void {
    writeFileSync(this.entry, this.entryBytes);
    writeFileSync(this.record, this.recordBytes);
  }
}

async function compileOnce(bench: Workbench, request: CompileRequest): Promise<CompileResult> {
  const cache = bench.open();
  const result = await cache.compile(request);
  await cache.close();
  return result;
}

function flipped(bytes: Buffer, index: number, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[index] = (copy[index] ?? 0) ^ (1 << bit);
  return copy;
}

describe('the footers that are written', () => {
  const sizes = [0, 1, 31, 32, 1023, 1024, 1025, 65_536, 1_048_577];

  it('are what b3sum says of the payloads', async (t) => {
    if (!has(t, 'b3sum')) return;
    const b3sum = findTool('b3sum') ?? '';
    const bench = Workbench.make(t);
    for (const size of sizes) {
      bench.write('in', Buffer.alloc(size, 'vyre'));
      const job = await bench.compile(['in', '-o', 'out', '--', 'cp', '{input}', '{output}']);
      assert.equal(job.outcome, 'compiled');
    }
    bench.write('in', 'two outputs');
    await bench.compile(['in', '-o', 'a', '-o', 'b', '--', 'tee', '{output:1}', '{output:2}']);
    const entries = bench.entries();
    assert.equal(entries.length, sizes.length + 1);
    for (const fingerprint of entries) {
      const bytes = readFileSync(bench.entryPath(fingerprint));
      const payload = bytes.subarray(0, -FOOTER_BYTES);
      const summed = spawnSync(b3sum, ['--no-names'], { input: payload }).stdout.toString('latin1').trim();
      assert.equal(bytes.subarray(-FOOTER_BYTES).toString('hex'), summed);
    }
  });

  it('follow the payload without a header, as vyre-runtime writes them', async (t) => {
    const bench = Workbench.make(t);
    const known = [
      ['', 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'],
      ['IETF', '83a2de1ee6f4e6ab686889248f4ec0cf4cc5709446a682ffd1cbb4d6165181e2'],
    ] as const;
    for (const [text, digest] of known) {
      bench.write('in', text);
      const job = await bench.compile(['in', '-o', 'out', '--', 'cp', '{input}', '{output}']);
      const bytes = readFileSync(bench.entryPath(job.fingerprint ?? ''));
      assert.equal(bytes.toString('hex'), Buffer.from(text).toString('hex') + digest);
    }
  });
});

describe('a damaged entry is a miss with its reason, and the next compilation repairs it', () => {
  it('when a bit is flipped in any byte', async (t) => {
    const stored = await Stored.make(t);
    for (let index = 0; index < stored.entryBytes.byteLength; index += 1) {
      writeFileSync(stored.entry, flipped(stored.entryBytes, index, index % 8));
      await stored.repairs(`bit ${index % 8} of byte ${index} was flipped`, 'bad-checksum');
    }
  });

  it('when it is cut to any length', async (t) => {
    const stored = await Stored.make(t);
    for (let length = 0; length < stored.entryBytes.byteLength; length += 1) {
      truncateSync(stored.entry, length);
      await stored.repairs(`cut to ${length} bytes`, length < FOOTER_BYTES ? 'truncated' : 'bad-checksum');
    }
  });

  it('when parts of it are zero, or something follows it', async (t) => {
    const stored = await Stored.make(t);
    const { entryBytes } = stored;
    const zeroed = (start: number, end: number): Buffer => Buffer.from(entryBytes).fill(0, start, end);
    const cases: readonly (readonly [string, Buffer])[] = [
      ['all zero', zeroed(0, entryBytes.byteLength)],
      ['payload zero', zeroed(0, PAYLOAD.byteLength)],
      ['footer zero', zeroed(PAYLOAD.byteLength, entryBytes.byteLength)],
      ['one byte more', Buffer.concat([entryBytes, Buffer.from([0])])],
      ['twice', Buffer.concat([entryBytes, entryBytes])],
      ['footer first', Buffer.concat([entryBytes.subarray(-FOOTER_BYTES), PAYLOAD])],
    ];
    for (const [what, bytes] of cases) {
      writeFileSync(stored.entry, bytes);
      await stored.repairs(what, 'bad-checksum');
    }
  });

  it('when it is a sparse giant', async (t) => {
    const stored = await Stored.make(t);
    truncateSync(stored.entry, 2 ** 42);
    await stored.repairs('4 TiB', 'oversized');
  });

  it('when something else lies in its place, which is left as it is', async (t) => {
    const stored = await Stored.make(t);
    const elsewhere = stored.bench.write('elsewhere.bin', stored.entryBytes);
    rmSync(stored.entry);
    symlinkSync(elsewhere, stored.entry);
    await stored.repairs('a link to a valid entry', 'not-a-file');
    assert.ok(lstatSync(stored.entry).isFile());
    assert.deepEqual(readFileSync(elsewhere), stored.entryBytes);

    rmSync(stored.entry);
    assert.equal(spawnSync('mkfifo', [stored.entry]).status, 0);
    await stored.repairs('a FIFO that nobody writes', 'not-a-file');
    assert.ok(lstatSync(stored.entry).isFile());
  });

  it('when its record is gone, and when the entry is gone', async (t) => {
    const stored = await Stored.make(t);
    rmSync(stored.record);
    const withoutRecord = await stored.compile('no record');
    assert.deepEqual([withoutRecord.outcome, withoutRecord.reason], ['recompiled', 'no-record']);
    rmSync(stored.entry);
    const withoutEntry = await stored.compile('no entry');
    assert.deepEqual([withoutEntry.outcome, withoutEntry.reason], ['compiled', 'empty-cache']);
    assert.equal((await stored.compile('repaired')).outcome, 'disk');
  });

  it('but a directory in its place stays, is named, and the artifact is delivered', async (t) => {
    const stored = await Stored.make(t);
    rmSync(stored.entry);
    mkdirSync(stored.entry);
    writeFileSync(join(stored.entry, 'kept'), 'kept');
    const result = await stored.compile('a directory');
    assert.deepEqual([result.outcome, result.reason], ['recompiled', 'not-a-file']);
    assert.notEqual(result.notStored, null);
    assert.equal(readFileSync(join(stored.entry, 'kept'), 'utf8'), 'kept');
    const { trouble } = await stored.bench.stats();
    assert.deepEqual(
      trouble.map((line) => line.kind),
      ['not-a-file'],
    );
  });
});

describe('two artifacts that were exchanged', () => {
  it('are told apart by their records', async (t) => {
    const stored = await Stored.make(t);
    const { bench, request } = stored;
    const other = await compileOnce(bench, { ...request, keys: ['other'] });
    assert.ok(other.fingerprint !== null);
    const pairs = [
      [stored.entry, bench.entryPath(other.fingerprint)],
      [stored.record, bench.recordPath(other.fingerprint)],
    ] as const;
    for (const [one, two] of pairs) {
      renameSync(one, `${one}.x`);
      renameSync(two, one);
      renameSync(`${one}.x`, two);
    }
    await stored.repairs('both files were exchanged', 'record-mismatch');
  });

  it('are told apart when only their entries changed places', async (t) => {
    const stored = await Stored.make(t);
    const { bench, request } = stored;
    bench.write('in', PAYLOAD.toString('latin1').toUpperCase());
    const other = await compileOnce(bench, request);
    bench.write('in', PAYLOAD);
    assert.ok(other.fingerprint !== null && other.fingerprint !== stored.fingerprint);
    const two = bench.entryPath(other.fingerprint);
    renameSync(stored.entry, `${two}.x`);
    renameSync(two, stored.entry);
    renameSync(`${two}.x`, two);
    await stored.repairs('the entries were exchanged', 'record-mismatch');
  });
});

describe('a damaged record never serves wrong bytes or wrong words', () => {
  it('when a bit is flipped in any byte', async (t) => {
    const stored = await Stored.make(t);
    const wrong: string[] = [];
    for (let index = 0; index < stored.recordBytes.byteLength; index += 1) {
      // The lowest bit turns most characters into other printable ones, which is the damage that is hardest to see.
      for (const bit of new Set([0, index % 8])) {
        writeFileSync(stored.record, flipped(stored.recordBytes, index, bit));
        if (!(await stored.readsTrue())) wrong.push(`bit ${bit} of byte ${index}`);
      }
    }
    assert.deepEqual(wrong, [], 'flips of the record after which other words are replayed');
  });

  it('when a bit is flipped, for whoever compiles', async (t) => {
    const stored = await Stored.make(t);
    for (let index = 0; index < stored.recordBytes.byteLength; index += 7) {
      const bit = index % 8;
      writeFileSync(stored.record, flipped(stored.recordBytes, index, bit));
      const { outcome } = await stored.compile(`bit ${bit} of byte ${index} of the record was flipped`);
      assert.ok(outcome === 'disk' || outcome === 'recompiled', `got ${outcome}`);
      stored.restore();
    }
  });

  it('when it is cut or zeroed', async (t) => {
    const stored = await Stored.make(t);
    const { recordBytes } = stored;
    for (const length of [0, 1, recordBytes.byteLength >> 1, recordBytes.byteLength - 2]) {
      for (const bytes of [recordBytes.subarray(0, length), Buffer.from(recordBytes).fill(0, length)]) {
        writeFileSync(stored.record, bytes);
        const result = await stored.compile(`${length} bytes of the record are left`);
        assert.equal(result.outcome, 'recompiled');
        assert.deepEqual(await stored.bench.verified(), 1);
      }
    }
  });
});
