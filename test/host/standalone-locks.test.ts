import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { lazyLocks, type LockRange } from '../../src/host/locks.js';
import { bunFor } from '../support/standalone.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const CHILD = fileURLToPath(new URL('../support/children/standalone-locks.ts', import.meta.url));
/** The highest byte that a home uses: 2^20 and 48 bits of a fingerprint. */
const HIGH = 2 ** 48 + 2 ** 20;

type Verb = 'exclusive' | 'shared' | 'unlock' | 'readonly';

/** A process of Bun’s with the locks of the executable. */
class Peer {
  readonly #process: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(t: TestContext, bun: string, file: string) {
    this.#process = spawn(bun, [CHILD, file], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => this.#process.kill('SIGKILL'));
    assert.ok(this.#process.stdout !== null);
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** What it answers: `true`, `false` or an errno. */
  async ask(verb: Verb, offset = 0, length = 1): Promise<string> {
    this.#process.stdin?.write(`${verb} ${offset} ${length}\n`);
    const { value } = (await this.#answers.next()) as { readonly value: string };
    return value;
  }

  async kill(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }
}

/** A process of Node’s: this one, with the addon. */
class Own {
  readonly #locks = lazyLocks();
  readonly #fd: number;

  constructor(t: TestContext, file: string) {
    this.#fd = openSync(file, 'r+');
    t.after(() => {
      closeSync(this.#fd);
    });
  }

  lock(offset = 0, options: Pick<LockRange, 'shared'> & { readonly length?: number } = {}): boolean {
    return this.#locks.tryLock(this.#fd, { offset, length: 1, ...options });
  }

  unlock(offset = 0, length = 1): void {
    this.#locks.unlock(this.#fd, { offset, length });
  }
}

interface Pair {
  readonly node: Own;
  readonly bun: Peer;
  /** Another process of Bun’s. */
  readonly second: () => Peer;
}

function pair(t: TestContext): Pair | null {
  const program = bunFor(t);
  if (program === null) return null;
  const file = join(temporaryFolder(t), 'lock');
  writeFileSync(file, '');
  const second = (): Peer => new Peer(t, program, file);
  return { node: new Own(t, file), bun: second(), second };
}

describe('the locks of the executable and those of Node', () => {
  it('exclude each other in both directions, until they are released', async (t) => {
    const both = pair(t);
    if (both === null) return;
    const { node, bun } = both;
    assert.equal(node.lock(), true);
    assert.equal(await bun.ask('exclusive'), 'false');
    assert.equal(await bun.ask('shared'), 'false');
    node.unlock();
    assert.equal(await bun.ask('exclusive'), 'true');
    assert.equal(node.lock(), false);
    assert.equal(node.lock(0, { shared: true }), false);
    assert.equal(await bun.ask('unlock'), 'true');
    assert.equal(node.lock(), true);
  });

  it('of two executables exclude each other', async (t) => {
    const both = pair(t);
    if (both === null) return;
    const other = both.second();
    assert.equal(await both.bun.ask('exclusive'), 'true');
    assert.equal(await other.ask('exclusive'), 'false');
    assert.equal(await both.bun.ask('unlock'), 'true');
    assert.equal(await other.ask('exclusive'), 'true');
  });

  it('are of single bytes and ranges, up to the highest that a home uses', async (t) => {
    const both = pair(t);
    if (both === null) return;
    const { node, bun } = both;
    for (const byte of [0, 3, 2 ** 20, 2 ** 32, HIGH]) {
      assert.equal(node.lock(byte), true);
      assert.equal(await bun.ask('exclusive', byte), 'false', `byte ${byte}`);
      assert.equal(await bun.ask('exclusive', byte + 1), 'true', `byte ${byte + 1}`);
      assert.equal(node.lock(byte + 1), false, `byte ${byte + 1}`);
      assert.equal(await bun.ask('unlock', byte + 1), 'true');
    }
    assert.equal(await bun.ask('exclusive', 10, 10), 'true');
    for (const [byte, isFree] of [
      [9, true],
      [10, false],
      [19, false],
      [20, true],
    ] as const) {
      assert.equal(node.lock(byte), isFree, `byte ${byte}`);
    }
    // A part of a range can be released.
    assert.equal(await bun.ask('unlock', 15), 'true');
    assert.deepEqual([node.lock(14), node.lock(15), node.lock(16)], [false, true, false]);
  });

  it('are shared where both ask for that', async (t) => {
    const both = pair(t);
    if (both === null) return;
    const { node, bun } = both;
    assert.equal(node.lock(5, { shared: true }), true);
    assert.equal(await bun.ask('shared', 5), 'true');
    assert.equal(await bun.ask('exclusive', 5), 'false');
    assert.equal(node.lock(5), false);
    node.unlock(5);
    assert.equal(await bun.ask('exclusive', 5), 'true');
    assert.equal(node.lock(5, { shared: true }), false);
  });

  it('die with their holder', async (t) => {
    const both = pair(t);
    if (both === null) return;
    const { node, bun } = both;
    assert.equal(await bun.ask('exclusive', 7), 'true');
    assert.equal(node.lock(7), false);
    await bun.kill();
    assert.equal(node.lock(7), true);
  });

  it('name the errno of what cannot be locked', async (t) => {
    const both = pair(t);
    if (both === null) return;
    assert.equal(await both.bun.ask('readonly'), 'true');
    assert.equal(await both.bun.ask('exclusive'), 'EBADF');
  });
});
