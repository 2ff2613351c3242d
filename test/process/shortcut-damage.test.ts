import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { before, describe, it } from 'node:test';
import { answer, CallYard, fifo, NOTHING, ROOT } from '../support/call-yard.js';
import { succeeded, type RepeatedCall } from '../support/repeated-call.js';
import { shortcutObstacle } from '../support/shortcuts.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const yard = new CallYard();

interface Damage {
  readonly name: string;
  readonly damage: (call: RepeatedCall, whole: Buffer) => void;
}

const document =
  (change: (shortcut: Readonly<Record<string, unknown>>) => unknown) =>
  (call: RepeatedCall): void => {
    call.write(change(call.document()));
  };
const fields = (changed: Record<string, unknown>): Damage['damage'] =>
  document((shortcut) => ({ ...shortcut, ...changed }));
const looks = (change: (text: string) => string): Damage['damage'] =>
  document((shortcut) => ({ ...shortcut, looks: change(String(shortcut['looks'])) }));
const left = (laterMs: number): Damage['damage'] =>
  document((shortcut) => ({ ...shortcut, leftAtMs: Date.now() + laterMs }));
const output = (changed: Readonly<Record<string, string>>): Damage['damage'] =>
  document((shortcut) => ({
    ...shortcut,
    outputs: (shortcut['outputs'] as object[]).map((each) => Object.assign(each, changed)),
  }));
const instead =
  (make: (path: string, call: RepeatedCall) => void): Damage['damage'] =>
  (call) => {
    rmSync(call.shortcut);
    make(call.shortcut, call);
  };

interface SpoiledFolder {
  readonly name: string;
  readonly skip?: string | false;
  readonly spoil: (folder: string) => void;
}

const FOLDERS: readonly SpoiledFolder[] = [
  {
    name: 'open to its group',
    spoil: (folder) => {
      chmodSync(folder, 0o770);
    },
  },
  {
    name: 'open to all',
    spoil: (folder) => {
      chmodSync(folder, 0o777);
    },
  },
  {
    name: 'a link',
    spoil: (folder) => {
      renameSync(folder, `${folder}x`);
      symlinkSync(`${folder}x`, folder);
    },
  },
  {
    name: 'of somebody else',
    skip: ROOT,
    spoil: (folder) => {
      chownSync(folder, 12_345, 12_345);
    },
  },
];

/** The next call goes the long way, and all but the folder is replaced. */
const DAMAGES: readonly Damage[] = [
  {
    name: 'empty',
    damage: (call) => {
      truncateSync(call.shortcut);
    },
  },
  {
    name: 'garbage',
    damage: (call) => {
      writeFileSync(call.shortcut, Buffer.alloc(999, 0xa5));
    },
  },
  { name: 'another schema', damage: fields({ schema: 'vyre-cache.shortcut/1' }) },
  { name: 'another record', damage: fields({ record: 'file 1 2 3 4 5' }) },
  { name: 'no record', damage: fields({ record: 'absent' }) },
  { name: 'a checksum that is none', damage: fields({ entryChecksum: 'x' }) },
  { name: 'the checksum of another entry', damage: fields({ entryChecksum: 'a'.repeat(64) }) },
  { name: 'a time of the compiler that is none', damage: fields({ wallSeconds: -1 }) },
  { name: 'no words of the compiler', damage: fields({ stdout: null, stderr: undefined }) },
  { name: 'a fingerprint that is none', damage: fields({ fingerprint: '../../x' }) },
  { name: 'the fingerprint of nothing', damage: fields({ fingerprint: 'a'.repeat(64) }) },
  { name: 'one field more', damage: fields({ more: 1 }) },
  { name: 'one field less', damage: fields({ looks: undefined }) },
  { name: 'no outputs', damage: fields({ outputs: [] }) },
  {
    name: 'two outputs',
    damage: document((shortcut) => ({
      ...shortcut,
      outputs: [...(shortcut['outputs'] as unknown[]), ...(shortcut['outputs'] as unknown[])],
    })),
  },
  { name: 'an output that is none', damage: fields({ outputs: [{ name: 'x', path: 3, isStdout: false }] }) },
  { name: 'a negative limit', damage: fields({ maxPayloadBytes: -1 }) },
  { name: 'a limit that the entry exceeds', damage: fields({ maxPayloadBytes: 2 }) },
  { name: 'a time that is none', damage: fields({ leftAtMs: '0' }) },
  { name: 'no time', damage: fields({ leftAtMs: undefined }) },
  { name: 'seven days ago', damage: left(-7 * DAY_MS) },
  { name: 'long ago', damage: fields({ leftAtMs: 0 }) },
  { name: 'in the future', damage: left(HOUR_MS) },
  { name: 'NUL in the name of an output', damage: output({ name: 'out\0.txt' }) },
  { name: 'NUL in the path of an output', damage: output({ path: '/\0' }) },
  { name: 'no looks', damage: fields({ looks: '' }) },
  { name: 'looks of an unknown kind', damage: looks((text) => `${text}\nt/`) },
  { name: 'a look without a state', damage: looks((text) => `${text}\np/`) },
  { name: 'a look at where links lead without an answer', damage: looks((text) => `${text}\nr/`) },
  { name: 'no states', damage: fields({ states: [] }) },
  { name: 'states that are none', damage: fields({ states: 'none' }) },
  {
    name: 'a state more',
    damage: document((shortcut) => ({ ...shortcut, states: [...(shortcut['states'] as unknown[]), 0] })),
  },
  { name: 'a look at what is no path', damage: looks((text) => `${text}\na/\0`) },
  {
    name: 'a look at a circle of links',
    damage: (call) => {
      symlinkSync('c', call.bench.path('c'));
      looks((text) => `${text}\nr${call.bench.path('c')}\tx`)(call, Buffer.alloc(0));
    },
  },
  {
    name: 'no object',
    damage: (call) => {
      call.write([]);
    },
  },
  {
    name: 'JSON that ends early',
    damage: (call) => {
      call.write('{"schema":');
    },
  },
  {
    name: 'deep JSON',
    damage: (call) => {
      call.write('['.repeat(100_000));
    },
  },
  { name: '5 MiB', damage: looks((text) => `${text}${`\na/nowhere/in/this/world`.repeat(250_000)}`) },
  {
    name: 'sparse 4 TiB',
    damage: (call) => {
      truncateSync(call.shortcut, 2 ** 42);
    },
  },
  { name: 'absent', damage: instead(NOTHING) },
  {
    name: 'a link to itself',
    damage: instead((path) => {
      symlinkSync(path, path);
    }),
  },
  {
    name: 'a link to the whole one',
    damage: (call, whole) => {
      instead((path) => {
        writeFileSync(`${path}x`, whole);
        symlinkSync(`${path}x`, path);
      })(call, whole);
    },
  },
  { name: 'a FIFO', damage: instead(fifo) },
];

const callOf = yard.plot({ name: 'undamaged' });

/** All that it says but when it was left. */
function meaning(call: RepeatedCall): unknown {
  return { ...call.document(), leftAtMs: null };
}

describe('a shortcut that is damaged is none', { skip: shortcutObstacle() ?? false }, () => {
  let call: RepeatedCall;
  let whole: Buffer;
  let meant: unknown;
  before(async () => {
    const repeated = await callOf();
    assert.ok(repeated !== null);
    call = repeated;
    await call.leave();
    whole = call.read();
    meant = meaning(call);
  });
  const put = (): void => {
    rmSync(call.shortcut, { recursive: true, force: true });
    writeFileSync(call.shortcut, whole);
  };
  const restored = async (what: string): Promise<void> => {
    const atMs = Date.now();
    const ended = await call.go();
    assert.deepEqual(
      [ended.way, ended.stdout.toString(), ended.stderr.toString()],
      ['long way', 'said\n', 'warned\n'],
      what,
    );
    assert.deepEqual(meaning(call), meant, what);
    assert.ok(Number(call.document()['leftAtMs']) >= atMs, what);
  };
  for (const { name, damage } of DAMAGES) {
    it(name, async () => {
      put();
      damage(call, whole);
      await restored(name);
    });
  }
  it('cut, or with a bit flipped', async () => {
    const step = Math.ceil(whole.byteLength / 12);
    for (let index = 0; index < whole.byteLength; index += step) {
      const flipped = Buffer.from(whole);
      flipped[index] = (flipped[index] ?? 0) ^ (1 << (index % 8));
      for (const bytes of [whole.subarray(0, index), flipped]) {
        writeFileSync(call.shortcut, bytes);
        await restored(`at byte ${index}`);
      }
    }
  });
  it('but not one that was left some days ago', async () => {
    put();
    left(HOUR_MS - 7 * DAY_MS)(call, whole);
    assert.equal(await call.isTaken(), true);
  });
  it('a folder, which stays, and the long way is gone', async () => {
    rmSync(call.shortcut);
    mkdirSync(call.shortcut);
    const made = answer(call, succeeded(await call.run()), ['out.txt']);
    assert.deepEqual(made, answer(call, await call.runLong(), ['out.txt']));
    rmSync(call.shortcut, { recursive: true });
  });
  for (const { name, skip = false, spoil } of FOLDERS) {
    it(`in a folder that is ${name}, where none is left either`, { skip }, async () => {
      const { folder } = call;
      put();
      spoil(folder);
      assert.equal(await call.isTaken(), false);
      rmSync(call.shortcut);
      succeeded(await call.run());
      assert.ok(!existsSync(call.shortcut));
      if (lstatSync(folder).isSymbolicLink()) {
        rmSync(folder);
        renameSync(`${folder}x`, folder);
      }
      chownSync(folder, process.geteuid?.() ?? 0, process.getegid?.() ?? 0);
      chmodSync(folder, 0o700);
      put();
      assert.equal(await call.isTaken(), true);
    });
  }
  it('in the home, too', async () => {
    const planted = join(call.root, '.vyre-cache/shortcuts', basename(call.shortcut));
    put();
    mkdirSync(dirname(planted));
    renameSync(call.shortcut, planted);
    succeeded(await call.run());
    assert.ok(existsSync(call.shortcut));
  });
});
