import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemClock } from '../../src/host/clock.js';
import { systemFiles, type Files } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { Tally, type CounterName } from '../../src/model/counters.js';
import { LockFile } from '../../src/store/lock-file.js';
import { PrivateState, type CacheEvent } from '../../src/store/private-state.js';
import { foreignStateFolder } from '../../src/store/state-folders.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { goldenBytes } from '../support/golden.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';

interface Rig {
  readonly folder: string;
  readonly state: PrivateState;
  readonly lock: LockFile;
}

function makeRig(t: Cleanup, host: Host = fakeHost(), folder = temporaryFolder(t)): Rig {
  const state = new PrivateState(host, folder);
  const lock = new LockFile(host, state.lockPath);
  t.after(() => {
    lock.close();
  });
  return { folder, state, lock };
}

async function add(rig: Rig, values: Partial<Record<CounterName, number>>): Promise<boolean> {
  const tally = new Tally();
  for (const [name, amount] of Object.entries(values)) tally.add(name as CounterName, amount);
  return rig.state.addToCounters(tally, rig.lock);
}

/** Files of a process that, once it is on, dies in the middle of a write. */
class DyingWriter {
  isOn = false;
  readonly files: Files;

  constructor(cut: number) {
    this.files = failingFiles({
      writeAt: (fd, bytes, position) => {
        systemFiles.writeAt(fd, this.isOn ? bytes.subarray(0, cut) : bytes, position);
        if (this.isOn) throw errnoError('EIO');
      },
    });
  }
}

function figures(rig: Rig): Record<string, number> | null {
  const counters = rig.state.readCounters();
  return counters === null ? null : Object.fromEntries(counters.values);
}

describe('the counters of a home', () => {
  it('are nothing before something was counted', async (t) => {
    const rig = makeRig(t);
    assert.equal(figures(rig), null);
    await add(rig, {});
    assert.equal(existsSync(rig.state.countersPath), false);
  });

  it('add up over time, since the first', async (t) => {
    const clock = new FakeClock(5_000_000);
    const rig = makeRig(t, fakeHost({ clock }));
    await add(rig, { hits: 1, lookups: 2 });
    clock.advance(1000);
    await add(rig, { lookups: 3, 'missReason:absent': 1 });
    assert.deepEqual(figures(rig), { hits: 1, lookups: 5, 'missReason:absent': 1 });
    assert.equal(rig.state.readCounters()?.sinceMs, 5_000_000);
  });

  it('are one preallocated file of two pages, of 0600', async (t) => {
    const rig = makeRig(t);
    for (let round = 0; round < 3; round += 1) {
      await add(rig, { hits: 1 });
      assert.equal(statSync(rig.state.countersPath).size, 8192);
    }
    assert.equal(statSync(rig.state.countersPath).mode & 0o777, 0o600);
  });

  it('overwrite the page that is not in force', async (t) => {
    const rig = makeRig(t);
    await add(rig, { hits: 1 });
    for (let round = 0; round < 4; round += 1) {
      const before = readFileSync(rig.state.countersPath);
      await add(rig, { hits: 1 });
      const after = readFileSync(rig.state.countersPath);
      const first = before.subarray(0, 4096).equals(after.subarray(0, 4096));
      const second = before.subarray(4096).equals(after.subarray(4096));
      assert.notEqual(first, second);
    }
  });

  it('are read from the golden page wherever it lies', (t) => {
    const rig = makeRig(t);
    const golden = goldenBytes('counters-page.bin');
    for (const bytes of [
      [golden, Buffer.alloc(4096)],
      [Buffer.alloc(4096), golden],
    ]) {
      writeFileSync(rig.state.countersPath, Buffer.concat(bytes));
      assert.equal(rig.state.readCounters()?.values.get('hits'), 1001);
    }
  });

  it('add up exactly from eight processes', async (t) => {
    const folder = temporaryFolder(t);
    const children = Array.from({ length: 8 }, () => startChild(t, 'count', folder, '40'));
    for (const child of children) assert.equal(await child.line(), 'ready');
    for (const child of children) child.go();
    for (const child of children) await child.end();
    const rig = makeRig(t, fakeHost(), folder);
    assert.deepEqual(figures(rig), { lookups: 320, hits: 320, evictedBytes: 320_000 });
  });

  it('lose nothing that was written when processes are killed at any moment', async (t) => {
    const rig = makeRig(t);
    let before = 0;
    for (let round = 0; round < 6; round += 1) {
      const child = startChild(t, 'count', rig.folder, '1000000');
      assert.equal(await child.line(), 'ready');
      child.go();
      for (let lines = 0; lines <= round * 7; lines += 1) await child.line();
      await child.kill();
      const said = child.lines.length - 1;
      const now = figures(rig)?.['hits'] ?? 0;
      assert.ok(now >= before + said, `expected at least ${before} + ${said}, got ${now}`);
      assert.ok(now <= before + said + 1, `expected at most one more than ${before} + ${said}, got ${now}`);
      assert.equal(figures(rig)?.['lookups'], now);
      before = now;
    }
  });

  for (const [cut, name] of [
    [0, 'nothing'],
    [1, 'one byte'],
    [2048, 'half a page'],
    [4095, 'all but the last byte'],
  ] as const) {
    it(`keep the older figures when a process dies after it wrote ${name} of a page`, async (t) => {
      const dying = new DyingWriter(cut);
      // One time for all runs: else one in 256 pages happens to end in the byte that was there before.
      const rig = makeRig(t, fakeHost({ files: dying.files, clock: new FakeClock(5_000_000) }));
      for (let round = 1; round <= 4; round += 1) {
        dying.isOn = false;
        await add(rig, { hits: 1 });
        dying.isOn = true;
        await assert.rejects(add(rig, { hits: 100 }), { code: 'EIO' });
        assert.deepEqual(figures(rig), { hits: round });
      }
    });
  }

  for (const page of [0, 1]) {
    it(`fall back to the other page when page ${page} is damaged`, async (t) => {
      const rig = makeRig(t);
      // Generations 1 and 2: the odd one lies in the second page.
      await add(rig, { hits: 1 });
      await add(rig, { hits: 1 });
      const bytes = readFileSync(rig.state.countersPath);
      bytes[page * 4096 + 100] = 0xaa;
      writeFileSync(rig.state.countersPath, bytes);
      const left = figures(rig)?.['hits'];
      assert.equal(left, page === 0 ? 1 : 2);
      await add(rig, { hits: 10 });
      assert.deepEqual(figures(rig), { hits: (left ?? 0) + 10 });
      await add(rig, { hits: 10 });
      assert.deepEqual(figures(rig), { hits: (left ?? 0) + 20 });
    });
  }

  const damages: readonly (readonly [string, (path: string) => void])[] = [
    ['deleted', (path) => rmSync(path)],
    ['emptied', (path) => truncateSync(path, 0)],
    ['cut to a byte', (path) => truncateSync(path, 1)],
    ['zeroed', (path) => writeFileSync(path, Buffer.alloc(8192))],
    ['overwritten', (path) => writeFileSync(path, 'x'.repeat(8192))],
    [
      'damaged in both pages',
      (path) => writeFileSync(path, readFileSync(path).fill(1, 100, 101).fill(1, 5000, 5001)),
    ],
  ];
  for (const [name, damage] of damages) {
    it(`start at zero with a new since when the file was ${name}`, async (t) => {
      const clock = new FakeClock(5_000_000);
      const rig = makeRig(t, fakeHost({ clock }));
      await add(rig, { hits: 1 });
      await add(rig, { hits: 1 });
      damage(rig.state.countersPath);
      assert.equal(figures(rig), null);
      clock.advance(1000);
      await add(rig, { hits: 5 });
      await add(rig, { hits: 5 });
      assert.deepEqual(figures(rig), { hits: 10 });
      assert.equal(rig.state.readCounters()?.sinceMs, 5_001_000);
      assert.equal(statSync(rig.state.countersPath).size, 8192);
    });
  }

  for (const [name, damage] of [
    ['cut to its first page', (path: string) => truncateSync(path, 4096)],
    ['longer than it should be', (path: string) => appendFileSync(path, 'x')],
    ['a giant', (path: string) => truncateSync(path, 2 ** 40)],
  ] as const) {
    it(`go on counting when the file is ${name}`, async (t) => {
      const rig = makeRig(t);
      await add(rig, { hits: 1 });
      await add(rig, { hits: 1 });
      damage(rig.state.countersPath);
      const left = figures(rig)?.['hits'] ?? 0;
      await add(rig, { hits: 5 });
      assert.deepEqual(figures(rig), { hits: left + 5 });
      await add(rig, { hits: 5 });
      assert.deepEqual(figures(rig), { hits: left + 10 });
      assert.equal(statSync(rig.state.countersPath).size, 8192);
    });
  }

  it('keep the older figures when a process dies while it makes a file longer again', async (t) => {
    let dying = false;
    const files = failingFiles({
      writeAt: (fd, bytes, position) => {
        systemFiles.writeAt(fd, bytes, position);
        if (dying) throw errnoError('EIO');
      },
    });
    const rig = makeRig(t, fakeHost({ files }));
    await add(rig, { hits: 1 });
    await add(rig, { hits: 1 });
    truncateSync(rig.state.countersPath, 4096);
    assert.deepEqual(figures(rig), { hits: 2 });
    dying = true;
    await assert.rejects(add(rig, { hits: 5 }), { code: 'EIO' });
    assert.deepEqual(figures(rig), { hits: 2 });
  });

  for (const [name, make] of [
    ['a folder', (path: string) => mkdirSync(path)],
    ['a link', (path: string) => symlinkSync('/dev/null', path)],
    ['a FIFO', (path: string) => void execFileSync('mkfifo', [path])],
  ] as const) {
    it(`are neither read from nor written into ${name}`, async (t) => {
      const rig = makeRig(t);
      make(rig.state.countersPath);
      assert.equal(figures(rig), null);
      await assert.rejects(
        add(rig, { hits: 1 }),
        (error: NodeJS.ErrnoException) => typeof error.code === 'string',
      );
    });
  }

  it('fail with the error of the system where they cannot be written', async (t) => {
    const files = failingFiles({
      writeAt: () => {
        throw errnoError('ENOSPC');
      },
    });
    const rig = makeRig(t, fakeHost({ files }));
    await assert.rejects(add(rig, { hits: 1 }), { code: 'ENOSPC' });
  });
});

describe('counters that are set to zero', () => {
  it('start again with a new since, and give back what they were', async (t) => {
    const clock = new FakeClock(5_000_000);
    const rig = makeRig(t, fakeHost({ clock }));
    await add(rig, { hits: 3, lookups: 4 });
    clock.advance(1000);
    const before = await rig.state.zero(rig.lock);
    assert.deepEqual(Object.fromEntries(before?.values ?? []), { hits: 3, lookups: 4 });
    assert.equal(before?.sinceMs, 5_000_000);
    assert.deepEqual(figures(rig), {});
    assert.equal(rig.state.readCounters()?.sinceMs, 5_001_000);
    clock.advance(1000);
    await add(rig, { lookups: 1 });
    assert.deepEqual(figures(rig), { lookups: 1 });
    assert.equal(rig.state.readCounters()?.sinceMs, 5_001_000);
  });

  it('start counting where nothing was counted', async (t) => {
    const rig = makeRig(t, fakeHost({ clock: new FakeClock(5_000_000) }));
    assert.equal(await rig.state.zero(rig.lock), null);
    assert.deepEqual(figures(rig), {});
    assert.equal(rig.state.readCounters()?.sinceMs, 5_000_000);
  });

  for (const page of [0, 1]) {
    it(`stay at zero when page ${page} is damaged afterwards`, async (t) => {
      const rig = makeRig(t);
      await add(rig, { hits: 1 });
      await rig.state.zero(rig.lock);
      const bytes = readFileSync(rig.state.countersPath);
      bytes[page * 4096 + 100] = 0xaa;
      writeFileSync(rig.state.countersPath, bytes);
      assert.deepEqual(figures(rig), {});
    });
  }

  it('lose nothing that eight processes count meanwhile', async (t) => {
    const rig = makeRig(t);
    const children = Array.from({ length: 8 }, () => startChild(t, 'count', rig.folder, '40'));
    for (const child of children) assert.equal(await child.line(), 'ready');
    for (const child of children) child.go();
    const sum = { lookups: 0, hits: 0, evictedBytes: 0 };
    const take = async (): Promise<void> => {
      const before = await rig.state.zero(rig.lock);
      for (const name of ['lookups', 'hits', 'evictedBytes'] as const)
        sum[name] += before?.values.get(name) ?? 0;
    };
    const running = new Set(children);
    const ends = children.map(async (child) => {
      await child.end();
      running.delete(child);
    });
    while (running.size > 0) {
      await take();
      // A lock that is free gives nobody else a turn.
      await systemClock.breathe();
    }
    await Promise.all(ends);
    await take();
    assert.deepEqual(sum, { lookups: 320, hits: 320, evictedBytes: 320_000 });
    assert.deepEqual(figures(rig), {});
  });

  for (const cut of [0, 1, 2048, 4095]) {
    it(`keep the older figures when the process dies after ${cut} bytes of the first page`, async (t) => {
      const dying = new DyingWriter(cut);
      const rig = makeRig(t, fakeHost({ files: dying.files, clock: new FakeClock(5_000_000) }));
      await add(rig, { hits: 1 });
      await add(rig, { hits: 1 });
      dying.isOn = true;
      await assert.rejects(rig.state.zero(rig.lock), { code: 'EIO' });
      assert.deepEqual(figures(rig), { hits: 2 });
      dying.isOn = false;
      await add(rig, { hits: 1 });
      assert.deepEqual(figures(rig), { hits: 3 });
    });
  }

  it('keep their figures and the trouble where the journal cannot be written', async (t) => {
    const files = failingFiles({
      open: (path, flags, mode) => {
        if (flags === 'append') throw errnoError('ENOSPC');
        return systemFiles.open(path, flags, mode);
      },
    });
    const rig = makeRig(t, fakeHost({ files }));
    await add(rig, { hits: 1 });
    await assert.rejects(rig.state.zero(rig.lock), { code: 'ENOSPC' });
    assert.deepEqual(figures(rig), { hits: 1 });
  });

  it('say so when somebody holds their lock for long', async (t) => {
    const rig = makeRig(t, fakeHost({ clock: new FakeClock() }));
    await add(rig, { hits: 1 });
    const child = startChild(t, 'hold', rig.state.lockPath, '1');
    assert.equal(await child.line(), 'held');
    await assert.rejects(rig.state.zero(rig.lock), /are in use for more than 10 s/);
    assert.equal(await add(rig, { hits: 5 }), false);
    assert.deepEqual(figures(rig), { hits: 1 });
    child.go();
    await child.end();
  });
});

describe('the journal', () => {
  const event = (changed: Partial<CacheEvent> = {}): CacheEvent => ({
    atMs: 1_700_000_000_000,
    kind: 'trouble',
    reason: 'no-space',
    fingerprint: null,
    message: 'no space left',
    ...changed,
  });

  it('is empty before something happened', (t) => {
    assert.deepEqual(makeRig(t).state.readEvents(), []);
  });

  it('gives back its events, oldest first', (t) => {
    const { state } = makeRig(t);
    const events = [
      event(),
      event({ kind: 'nondeterministic', fingerprint: 'a'.repeat(64), message: 'line\nbreak "quoted" ü' }),
      event({ kind: 'removed', atMs: 5 }),
      event({ kind: 'swept' }),
    ];
    for (const one of events) state.addEvent(one);
    assert.deepEqual(state.readEvents(), events);
    assert.equal(statSync(state.eventsPath).mode & 0o777, 0o600);
  });

  it('tells what happened since the last zero, wherever the clock stood', async (t) => {
    const rig = makeRig(t, fakeHost({ clock: new FakeClock(5_000_000) }));
    for (const atMs of [1, 9_000_000]) rig.state.addEvent(event({ atMs }));
    assert.equal(rig.state.readEventsSinceZero().length, 2);
    await rig.state.zero(rig.lock);
    assert.deepEqual(rig.state.readEventsSinceZero(), []);
    for (const atMs of [2, 8_000_000]) rig.state.addEvent(event({ atMs }));
    assert.deepEqual(
      rig.state.readEventsSinceZero().map(({ atMs }) => atMs),
      [2, 8_000_000],
    );
    await rig.state.zero(rig.lock);
    assert.deepEqual(rig.state.readEventsSinceZero(), []);
    assert.equal(rig.state.readEvents().length, 6);
  });

  it('tells all that it still has once the note of a zero has left it', async (t) => {
    const rig = makeRig(t);
    await rig.state.zero(rig.lock);
    for (let index = 0; index < 8000; index += 1) {
      rig.state.addEvent(event({ atMs: index, message: 'x'.repeat(100) }));
    }
    const events = rig.state.readEvents();
    assert.ok(events.every(({ kind }) => kind === 'trouble'));
    assert.deepEqual(rig.state.readEventsSinceZero(), events);
  });

  it('is bounded, and keeps the last events', (t) => {
    const rig = makeRig(t);
    for (let index = 0; index < 20_000; index += 1) {
      rig.state.addEvent(event({ atMs: index, message: 'x'.repeat(100) }));
    }
    const bytes = readdirSync(rig.folder).reduce(
      (sum, name) => sum + statSync(join(rig.folder, name)).size,
      0,
    );
    assert.ok(bytes < 600_000, `${bytes} bytes`);
    const times = rig.state.readEvents().map(({ atMs }) => atMs);
    assert.equal(times.at(-1), 19_999);
    assert.ok(times.length > 1000);
    assert.deepEqual(
      times,
      times.map((_, index) => 20_000 - times.length + index),
    );
  });

  it('stays bounded where the older half cannot be put aside', (t) => {
    const rig = makeRig(t);
    mkdirSync(`${rig.state.eventsPath}.old`);
    for (let index = 0; index < 5000; index += 1) {
      rig.state.addEvent(event({ atMs: index, message: 'x'.repeat(100) }));
    }
    const { size } = statSync(rig.state.eventsPath);
    assert.ok(size < 300_000, `${size} bytes`);
    assert.equal(rig.state.readEvents().at(-1)?.atMs, 4999);
  });

  it('keeps its older half when another process puts the same one aside first', (t) => {
    const rig = makeRig(t);
    const { eventsPath } = rig.state;
    let pending = true;
    const files = failingFiles({
      write: (fd, bytes) => {
        systemFiles.write(fd, bytes);
        if (systemFiles.fstat(fd).bytes <= 262_144 || !pending) return;
        pending = false;
        renameSync(eventsPath, `${eventsPath}.old`);
        rig.state.addEvent(event({ atMs: -1 }));
      },
    });
    const beside = new PrivateState(fakeHost({ files }), rig.folder);
    for (let index = 0; index < 1500; index += 1)
      beside.addEvent(event({ atMs: index, message: 'x'.repeat(100) }));
    assert.equal(pending, false);
    assert.equal(beside.readEvents().length, 1501);
  });

  it('stays bounded when an event has a giant message, and stays readable', (t) => {
    const rig = makeRig(t);
    rig.state.addEvent(event({ atMs: 1 }));
    rig.state.addEvent(event({ atMs: 2, message: 'ü'.repeat(5_000_000) }));
    rig.state.addEvent(event({ atMs: 3 }));
    const bytes = readdirSync(rig.folder).reduce(
      (sum, name) => sum + statSync(join(rig.folder, name)).size,
      0,
    );
    assert.ok(bytes < 600_000, `${bytes} bytes`);
    assert.deepEqual(
      rig.state.readEvents().map(({ atMs }) => atMs),
      [1, 2, 3],
    );
  });

  it('leaves out lines that do not decode', (t) => {
    const { state } = makeRig(t);
    state.addEvent(event({ atMs: 1 }));
    const broken = [
      'null',
      '[]',
      '{}',
      '"text"',
      '{"atMs":1',
      JSON.stringify({ ...event(), atMs: '1' }),
      JSON.stringify({ ...event(), kind: 'other' }),
      JSON.stringify({ ...event(), reason: null }),
      JSON.stringify({ ...event(), message: 5 }),
      '\u0000\u0000',
      '',
    ];
    appendFileSync(state.eventsPath, `${broken.join('\n')}\n`);
    state.addEvent(event({ atMs: 2 }));
    assert.deepEqual(
      state.readEvents().map(({ atMs }) => atMs),
      [1, 2],
    );
  });

  it('goes on behind a line that a crash cut', (t) => {
    const { state } = makeRig(t);
    for (const atMs of [1, 2]) state.addEvent(event({ atMs }));
    truncateSync(state.eventsPath, statSync(state.eventsPath).size - 5);
    // The next event ends the cut line and is lost with it.
    for (const atMs of [3, 4]) state.addEvent(event({ atMs }));
    assert.deepEqual(
      state.readEvents().map(({ atMs }) => atMs),
      [1, 4],
    );
  });

  for (const [name, make] of [
    ['a folder', (path: string) => mkdirSync(path)],
    ['a link', (path: string) => symlinkSync(`${path}.target`, path)],
    ['a FIFO that nobody reads', (path: string) => void execFileSync('mkfifo', [path])],
  ] as const) {
    it(`is not written into ${name}, and nobody waits or fails`, (t) => {
      const rig = makeRig(t);
      make(rig.state.eventsPath);
      rig.state.addEvent(event());
      assert.deepEqual(rig.state.readEvents(), []);
      assert.equal(existsSync(`${rig.state.eventsPath}.target`), false);
    });
  }

  it('may fail to be written', (t) => {
    const files = failingFiles({
      open: (path, flags, mode) => {
        if (flags === 'append') throw errnoError('EROFS');
        return systemFiles.open(path, flags, mode);
      },
    });
    const { state } = makeRig(t, fakeHost({ files }));
    state.addEvent(event());
    assert.deepEqual(state.readEvents(), []);
  });
});

describe('the state folder of a root that is not ours', () => {
  it('is one folder per root, below the state directory', () => {
    const host = fakeHost();
    const one = foreignStateFolder(host, '/state', '/a');
    assert.match(one, /^\/state\/roots\/[0-9a-f]{32}$/);
    assert.equal(foreignStateFolder(host, '/state', '/a'), one);
    assert.notEqual(foreignStateFolder(host, '/state', '/b'), one);
  });
});
