import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { encodeRecord } from '../../src/model/record.js';
import { entryBytes, fingerprintFrom, hashOf, makeRecord } from '../support/artifacts.js';
import { withScript } from '../support/known-compiler.js';
import { keyOf, signingOf, writeKey } from '../support/signing-keys.js';
import type { CompiledJob, Workbench } from '../support/workbench.js';

const COMMAND = ['in.wat', '-o', 'out.wasm', '--', './wat2wasm', '{input}', '-o', '{output}'] as const;

type Variables = Readonly<Record<string, string>>;

/** A bench with keys beside its project: 1 signs. */
class Signed {
  readonly bench: Workbench;
  readonly variables: Variables;

  constructor(t: TestContext, script = 'cat "$1" > "$3"') {
    this.bench = withScript(t, script);
    this.variables = this.keyed(1);
  }

  keyPath(byte: number): string {
    return join(this.bench.folder, `key-${byte}`);
  }

  /** The variables of somebody who signs with the first key and accepts the others. */
  keyed(first: number, ...others: readonly number[]): Variables {
    const [path = '', ...accepted] = [first, ...others].map((byte) => writeKey(this.keyPath(byte), byte));
    return {
      VYRE_CACHE_KEY_FILE: path,
      ...(accepted.length === 0 ? {} : { VYRE_CACHE_ACCEPTED_KEY_FILES: accepted.join(':') }),
    };
  }

  async compile(environment: Variables = this.variables): Promise<CompiledJob> {
    rmSync(this.bench.path('out.wasm'), { force: true });
    const job = await this.bench.compile(COMMAND, { environment });
    assert.equal(this.bench.text('out.wasm'), this.bench.text('in.wat'));
    return job;
  }

  /** The reason of a miss of `get`; null for a hit, whose bytes are checked. */
  async get(fingerprint: string, environment: Variables = this.variables): Promise<string | null> {
    const { status, stdout, stderr } = await this.bench.run(['get', fingerprint], { environment });
    if (status === 0) {
      assert.equal(stdout.toString('utf8'), this.bench.text('in.wat'));
      return null;
    }
    assert.equal(status, 1, stderr.toString('utf8'));
    assert.equal(stdout.byteLength, 0);
    return /miss \(([a-z-]+)\)/.exec(stderr.toString('utf8'))?.[1] ?? stderr.toString('utf8');
  }

  /** What `verify` reports. */
  async problems(environment: Variables = this.variables): Promise<readonly string[]> {
    const report = await this.bench.document(['verify'], { environment });
    return (report as { problems: { reason: string }[] }).problems.map(({ reason }) => reason);
  }

  /** A compiled entry; its fingerprint. */
  async stored(environment: Variables = this.variables): Promise<string> {
    const { fingerprint, outcome } = await this.compile(environment);
    assert.equal(outcome, 'compiled');
    assert.ok(fingerprint !== null);
    return fingerprint;
  }

  /** Puts bytes in the place of an entry, with a record that fits them. */
  forge(fingerprint: string, signedBy: number | null): void {
    const name = fingerprintFrom(fingerprint);
    const payload = Buffer.from('forged');
    const record = makeRecord(name, payload, { outputs: [{ name: 'out.wasm', executable: false }] });
    const signing = signedBy === null ? null : signingOf(keyOf(signedBy));
    writeFileSync(this.bench.entryPath(name), entryBytes(payload));
    writeFileSync(this.bench.recordPath(name), encodeRecord(record, hashOf, signing));
  }

  macOf(fingerprint: string): unknown {
    const record: unknown = JSON.parse(readFileSync(this.bench.recordPath(fingerprint), 'utf8'));
    return (record as { mac: unknown }).mac;
  }
}

describe('with a key', () => {
  it('records are signed, and what is signed is a hit for compile and get', async (t) => {
    const signed = new Signed(t);
    const fingerprint = await signed.stored();
    assert.match(String(signed.macOf(fingerprint)), /^[0-9a-f]{64}$/);
    assert.equal((await signed.compile()).outcome, 'disk');
    assert.equal(await signed.get(fingerprint), null);
    assert.deepEqual(await signed.problems(), []);
    assert.equal(signed.bench.lines('runs'), 1);
  });

  it('a signed entry is a hit for whoever has none', async (t) => {
    const signed = new Signed(t);
    const fingerprint = await signed.stored();
    assert.equal((await signed.compile({})).outcome, 'disk');
    assert.equal(await signed.get(fingerprint, {}), null);
    assert.deepEqual(await signed.problems({}), []);
  });

  const forgeries: readonly (readonly [
    name: string,
    reason: string,
    forge: (signed: Signed, fingerprint: string) => void,
  ])[] = [
    ['forged with its record', 'unsigned', (signed, fingerprint) => signed.forge(fingerprint, null)],
    ['signed by a key of somebody else', 'bad-mac', (signed, fingerprint) => signed.forge(fingerprint, 3)],
    [
      'without its record',
      'unsigned',
      (signed, fingerprint) => {
        rmSync(signed.bench.recordPath(fingerprint));
      },
    ],
    [
      'with other bytes below its own record',
      'record-mismatch',
      (signed, fingerprint) => writeFileSync(signed.bench.entryPath(fingerprint), entryBytes('forged')),
    ],
  ];
  for (const [name, reason, forge] of forgeries) {
    it(`an entry ${name} is ${reason} for get, compile and verify, and is made again`, async (t) => {
      const signed = new Signed(t);
      const fingerprint = await signed.stored();
      forge(signed, fingerprint);
      assert.equal(await signed.get(fingerprint), reason);
      assert.deepEqual(await signed.problems(), [reason]);
      const job = await signed.compile();
      assert.deepEqual([job.outcome, job.reason, job.notStored], ['recompiled', reason, null]);
      assert.equal((await signed.compile()).outcome, 'disk');
      assert.deepEqual(await signed.problems(), []);
    });
  }

  it('an entry that was stored without one is unsigned, and is compiled and signed', async (t) => {
    const signed = new Signed(t);
    const fingerprint = await signed.stored({});
    assert.equal(signed.macOf(fingerprint), null);
    assert.equal(await signed.get(fingerprint), 'unsigned');
    assert.equal((await signed.compile()).reason, 'unsigned');
    assert.match(String(signed.macOf(fingerprint)), /^[0-9a-f]{64}$/);
  });

  it('a signed entry does not pass under another name', async (t) => {
    const signed = new Signed(t);
    const first = await signed.stored();
    signed.bench.write('in.wat', '(module (memory 1))');
    const second = await signed.stored();
    for (const path of ['entryPath', 'recordPath'] as const)
      cpSync(signed.bench[path](first), signed.bench[path](second));
    assert.equal(await signed.get(second), 'record-mismatch');
    assert.equal((await signed.compile()).reason, 'record-mismatch');
  });

  it('a batch serves nothing unsigned, from neither disk nor memory', async (t) => {
    const signed = new Signed(t);
    const fingerprint = await signed.stored();
    signed.forge(fingerprint, null);
    const job = { inputs: ['in.wat'], command: COMMAND.slice(4) };
    const jobs = [
      { ...job, outputs: ['out.wasm'] },
      { ...job, cwd: 'other', outputs: ['out.wasm'] },
    ];
    mkdirSync(signed.bench.path('other'));
    for (const name of ['in.wat', 'wat2wasm'])
      cpSync(signed.bench.path(name), signed.bench.path(join('other', name)));
    signed.bench.write('warm.json', JSON.stringify({ jobs }));
    const { status, stderr } = await signed.bench.run(['compile', '--manifest', 'warm.json'], {
      environment: signed.variables,
    });
    assert.equal(status, 0, stderr.toString('utf8'));
    for (const name of ['out.wasm', 'other/out.wasm'])
      assert.equal(signed.bench.text(name), signed.bench.text('in.wat'));
  });

  it('verify moves what is forged away, and leaves what is signed', async (t) => {
    const signed = new Signed(t);
    const forged = await signed.stored();
    signed.bench.write('in.wat', '(module (memory 1))');
    const kept = await signed.stored();
    signed.forge(forged, 3);
    const options = { environment: signed.variables };
    assert.equal((await signed.bench.run(['verify', '--quarantine'], options)).status, 1);
    assert.deepEqual(signed.bench.entries(), [kept]);
    assert.deepEqual(await signed.problems(), []);
  });

  it('verify judges in threads as alone', async (t) => {
    const signed = new Signed(t);
    await signed.stored();
    const ours = signingOf(keyOf(1));
    const expected = { 'bad-mac': 0, unsigned: 0 };
    for (let index = 0; index < 20_000; index += 1) {
      const name = fingerprintFrom((index + 1).toString(16).padStart(8, '0'));
      const payload = Buffer.from(String(index));
      const kind = index % 1000 === 0 ? 'bad-mac' : index % 1000 === 1 ? 'unsigned' : null;
      const signing = kind === null ? ours : kind === 'unsigned' ? null : signingOf(keyOf(3));
      if (kind !== null) expected[kind] += 1;
      writeFileSync(signed.bench.entryPath(name), entryBytes(payload));
      writeFileSync(signed.bench.recordPath(name), encodeRecord(makeRecord(name, payload), hashOf, signing));
    }
    const problems = await signed.problems();
    for (const [kind, count] of Object.entries(expected))
      assert.equal(problems.filter((reason) => reason === kind).length, count, kind);
    assert.equal(problems.length, expected['bad-mac'] + expected.unsigned);
  });

  it('two processes that sign with it and accept each other compile once', async (t) => {
    const signed = new Signed(t, 'sleep 0.5; cat "$1" > "$3"');
    const options = { environment: signed.variables };
    const jobs = await Promise.all([1, 2].map(async () => signed.bench.compile(COMMAND, options)));
    assert.deepEqual(
      jobs.map(({ outcome }) => String(outcome)).toSorted((a, b) => a.localeCompare(b)),
      ['compiled', 'disk'],
    );
    assert.equal(signed.bench.lines('runs'), 1);
  });

  it('two processes with keys of their own each get their bytes', async (t) => {
    const signed = new Signed(t);
    const theirs = signed.keyed(2);
    for (const environment of [signed.variables, theirs, signed.variables]) {
      const runs = await Promise.all([
        signed.bench.compile(COMMAND, { environment }),
        signed.bench.compile(COMMAND, { environment: theirs }),
      ]);
      for (const { exitCode } of runs) assert.equal(exitCode, 0);
      assert.equal(signed.bench.text('out.wasm'), signed.bench.text('in.wat'));
    }
  });
});

describe('a remembered failure with a key', () => {
  const script = 'echo boom >&2; exit 3';
  const failing = async (signed: Signed, environment = signed.variables): Promise<CompiledJob> =>
    signed.bench.compile(COMMAND, { environment });

  it('is signed and repeated', async (t) => {
    const signed = new Signed(t, script);
    const { fingerprint } = await failing(signed);
    assert.ok(fingerprint !== null);
    assert.match(String(signed.macOf(fingerprint)), /^[0-9a-f]{64}$/);
    assert.equal((await failing(signed)).outcome, 'remembered-failure');
    assert.equal(signed.bench.lines('runs'), 1);
  });

  it('that nobody has signed is not believed', async (t) => {
    const signed = new Signed(t, script);
    await failing(signed, {});
    assert.equal((await failing(signed, {})).outcome, 'remembered-failure');
    assert.equal((await failing(signed)).outcome, 'failed');
    assert.equal((await failing(signed)).outcome, 'remembered-failure');
    assert.equal(signed.bench.lines('runs'), 2);
  });
});

describe('what the cache knows about files', () => {
  /** Above the size from which digests are kept. */
  const large = `(module)${' '.repeat(70_000)}`;

  /** An input whose times nothing shows a change in, as somebody could make it who restores them. */
  async function settled(signed: Signed, text: string): Promise<void> {
    const path = signed.bench.write('in.wat', text);
    utimesSync(path, 1_700_000_000, 1_700_000_000);
    await new Promise((resolve) => {
      setTimeout(resolve, 2100);
    });
  }

  it('counts with a key only where it is signed', async (t) => {
    const signed = new Signed(t);
    await settled(signed, large);
    await signed.compile();
    const kept = join(signed.bench.root, '.vyre-cache/stamps.signed');
    assert.ok(existsSync(kept));
    const { stamps } = JSON.parse(readFileSync(kept).subarray(0, -32).toString('utf8')) as {
      stamps: { key: string; value: string }[];
    };
    assert.ok(stamps.length > 0);
    // Everything is said to be what it is not, with a checksum that fits.
    const lie = stamps.map(({ key }) => ({ key, value: 'f'.repeat(64) }));
    const text = JSON.stringify({ schema: 'vyre-cache.stamps/1', stamps: lie });
    for (const name of ['stamps', 'stamps.signed'])
      writeFileSync(join(signed.bench.root, '.vyre-cache', name), entryBytes(text), { mode: 0o600 });
    assert.equal((await signed.compile()).outcome, 'disk');
    assert.notEqual((await signed.compile({})).outcome, 'disk', 'the lie is believed without a key');
  });
});

describe('a key file', () => {
  const refusals: readonly (readonly [name: string, expected: RegExp, make: (path: string) => void])[] = [
    ['that is missing', /expected a key in ".*key", found no file/, () => undefined],
    ['of 31 bytes', /expected a key of 32 bytes, found 31 in/, (path) => write(path, 31)],
    ['of 33 bytes', /expected a key of 32 bytes, found 33 in/, (path) => write(path, 33)],
    ['that is empty', /expected a key of 32 bytes, found 0 in/, (path) => write(path, 0)],
    ['that others may read', /nobody but its owner .*with mode 644/, (path) => write(path, 32, 0o644)],
    ['that the group may write', /nobody but its owner .*with mode 620/, (path) => write(path, 32, 0o620)],
    ['that is a program', /nobody but its owner .*with mode 700/, (path) => write(path, 32, 0o700)],
    ['that is a folder', /expected a regular file as key, found a directory/, (path) => mkdirSync(path)],
    [
      'that is a link',
      /expected a regular file as key, found a link/,
      (path) => {
        write(`${path}.real`, 32);
        symlinkSync(`${path}.real`, path);
      },
    ],
  ];
  for (const [name, expected, make] of refusals) {
    it(`${name} is refused with what to do, and nothing runs`, async (t) => {
      const signed = new Signed(t);
      const path = join(signed.bench.folder, 'key');
      make(path);
      for (const variables of [
        { VYRE_CACHE_KEY_FILE: path },
        { ...signed.variables, VYRE_CACHE_ACCEPTED_KEY_FILES: `${signed.keyPath(1)}:${path}` },
      ]) {
        const options = { environment: variables };
        const { status, stderr } = await signed.bench.run(['compile', ...COMMAND], options);
        assert.equal(status, 2);
        const lines = stderr.toString('utf8').trim().split('\n');
        assert.match(lines[0] ?? '', expected);
        assert.equal(lines.length, 2, 'one line says what is wrong, one what to do');
      }
      assert.equal(signed.bench.lines('runs'), 0);
      assert.throws(() => signed.bench.open({ keyFile: path }), expected);
    });
  }

  it('in the cache is refused: whoever writes there could replace it', async (t) => {
    const signed = new Signed(t);
    await signed.stored();
    const inside = writeKey(join(signed.bench.root, 'key'), 1);
    const linked = join(signed.bench.folder, 'linked');
    symlinkSync(signed.bench.root, linked);
    for (const path of [inside, join(linked, 'key')]) {
      const options = { environment: { VYRE_CACHE_KEY_FILE: path } };
      const { status, stderr } = await signed.bench.run(['compile', ...COMMAND], options);
      assert.equal(status, 2);
      assert.match(stderr.toString('utf8'), /expected a key outside of the cache/);
    }
  });

  it('may only be accepted beside one that signs', async (t) => {
    const signed = new Signed(t);
    const options = { environment: { VYRE_CACHE_ACCEPTED_KEY_FILES: signed.keyPath(1) } };
    const { status, stderr } = await signed.bench.run(['compile', ...COMMAND], options);
    assert.equal(status, 2);
    assert.match(stderr.toString('utf8'), /expected key_file beside accepted_key_files/);
    const acceptedKeyFiles = [signed.keyPath(1)];
    assert.throws(() => signed.bench.open({ acceptedKeyFiles }), /expected keyFile beside/);
  });

  it('is not needed where the cache is switched off', async (t) => {
    const signed = new Signed(t);
    const environment = { VYRE_CACHE_KEY_FILE: '/nowhere', VYRE_CACHE_DISABLE: '1' };
    assert.equal((await signed.bench.run(['compile', ...COMMAND], { environment })).status, 0);
  });

  function write(path: string, bytes: number, mode = 0o600): void {
    writeFileSync(path, Buffer.alloc(bytes, 1));
    chmodSync(path, mode);
  }
});

describe('a change of keys', () => {
  it('accepts what the old one has signed, signs with the new one, and ends by dropping the old one', async (t) => {
    const signed = new Signed(t);
    const old = await signed.stored();
    const both = signed.keyed(2, 1);
    assert.equal((await signed.compile(both)).outcome, 'disk');
    assert.equal(await signed.get(old, both), null);
    signed.bench.write('in.wat', '(module (memory 1))');
    const renewed = await signed.stored(both);
    const retired = signed.keyed(2);
    assert.equal(await signed.get(renewed, retired), null);
    assert.deepEqual(await signed.problems(both), []);
    assert.deepEqual(await signed.problems(retired), ['bad-mac']);
    signed.bench.write('in.wat', '(module)');
    assert.equal((await signed.compile(retired)).reason, 'bad-mac');
    assert.equal(await signed.get(old, retired), null);
    assert.deepEqual(await signed.problems(retired), []);
  });

  it('signs anew with --refresh', async (t) => {
    const signed = new Signed(t);
    const fingerprint = await signed.stored();
    const environment = signed.keyed(2, 1);
    assert.equal((await signed.bench.run(['compile', '--refresh', ...COMMAND], { environment })).status, 0);
    assert.equal(await signed.get(fingerprint, signed.keyed(2)), null);
  });
});

describe('the settings of keys', () => {
  it('count in the user’s file, with paths beside it', async (t) => {
    const signed = new Signed(t);
    const folder = join(signed.bench.home, '.config/vyre-cache');
    mkdirSync(folder, { recursive: true });
    for (const byte of [1, 2]) renameSync(writeKey(signed.keyPath(byte), byte), join(folder, `key-${byte}`));
    const settings = 'key_file = "key-2"\naccepted_key_files = ["~/.config/vyre-cache/key-1"]\n';
    writeFileSync(join(folder, 'config.toml'), settings);
    const fingerprint = await signed.stored({});
    assert.equal(await signed.get(fingerprint, signed.keyed(2)), null);
    const shown = (await signed.bench.document(['config'])) as {
      settings: { key: string; value: unknown }[];
    };
    const values = Object.fromEntries(shown.settings.map(({ key, value }) => [key, value]));
    assert.equal(values['key_file'], join(folder, 'key-2'));
    assert.deepEqual(values['accepted_key_files'], [join(folder, 'key-1')]);
  });

  it('do not count in a project’s file before it is trusted', async (t) => {
    const signed = new Signed(t);
    writeKey(signed.bench.path('key'), 3);
    signed.bench.write('vyre-cache.toml', 'key_file = "key"\n');
    const first = await signed.bench.compile(COMMAND);
    assert.match(first.stderr, /expected trust .* before its key_file counts; it is ignored/);
    assert.ok(first.fingerprint !== null);
    assert.equal(signed.macOf(first.fingerprint), null);
    assert.equal((await signed.bench.run(['config', 'trust'])).status, 0);
    assert.equal((await signed.bench.compile(COMMAND)).reason, 'unsigned');
    assert.match(String(signed.macOf(first.fingerprint)), /^[0-9a-f]{64}$/);
  });
});

describe('the library with a key', () => {
  it('signs what is put, and serves nothing else', async (t) => {
    const signed = new Signed(t);
    const name = fingerprintFrom('c');
    const cache = signed.bench.open({ keyFile: signed.keyPath(1) });
    assert.deepEqual(await cache.put(name, Buffer.from('payload')), { stored: true, kept: false });
    assert.ok((await cache.get(name)).hit);
    assert.equal((await cache.verify()).valid, 1);
    signed.forge(name, null);
    const read = await cache.get(name);
    assert.equal(read.hit ? null : read.reason, 'unsigned');
    assert.equal((await cache.verify()).damaged, 1);
    await cache.close();
    const accepting = signed.bench.open({
      keyFile: writeKey(signed.keyPath(2), 2),
      acceptedKeyFiles: [signed.keyPath(1)],
    });
    assert.deepEqual(await accepting.put(name, Buffer.from('payload')), { stored: true, kept: false });
    await accepting.close();
  });
});

describe('a home that others may write to', () => {
  it('is read with a key and never written; without one it is left alone', async (t) => {
    const signed = new Signed(t);
    const fingerprint = await signed.stored();
    chmodSync(signed.bench.root, 0o777);
    const before = readdirSync(signed.bench.root).toSorted();
    assert.equal((await signed.compile()).outcome, 'disk');
    assert.equal((await signed.compile({})).outcome, null);
    assert.equal(signed.bench.lines('runs'), 2);
    signed.forge(fingerprint, null);
    const { outcome, stderr } = await signed.compile();
    assert.equal(outcome, null);
    assert.match(stderr, /others may write to/);
    assert.equal(signed.bench.lines('runs'), 3);
    assert.deepEqual(readdirSync(signed.bench.root).toSorted(), before);
    assert.equal(statSync(signed.bench.root).mode & 0o777, 0o777);
  });
});
