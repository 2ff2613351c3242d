import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { execFileSync } from 'node:child_process';
import { CommandMemo } from '../../src/compile/command-memo.js';
import { run, type RunRequest, type RunResult } from '../../src/compile/runner.js';
import { Stamps } from '../../src/compile/stamps.js';
import { systemHost, type Host } from '../../src/host/host.js';
import { pageBytesIn } from '../../src/host/proc.js';
import type { Captured, Processes } from '../../src/host/processes.js';
import { ACTIVE_VARIABLE } from '../../src/model/lifecycle.js';
import { eventually } from '../support/eventually.js';
import { errnoError } from '../support/fake-host.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const PATH = '/usr/bin:/bin';

function shell(script: string, cwd: string, variables: Readonly<Record<string, string>> = {}) {
  return {
    program: '/bin/sh',
    argv0: 'sh',
    args: ['-c', script],
    cwd,
    environment: { PATH, ...variables },
  };
}

async function runScript(
  script: string,
  cwd: string,
  changed: Partial<RunRequest> = {},
  host: Host = systemHost(),
): Promise<RunResult> {
  return run(host, {
    spawn: shell(script, cwd),
    mark: null,
    timeoutMs: null,
    memoryBytes: null,
    stdoutFd: null,
    signal: null,
    onOverflow: null,
    ...changed,
  });
}

/** A host whose processes are the system's but for some functions. */
function withProcesses(changed: Partial<Processes>): Host {
  const host = systemHost();
  return { ...host, processes: Object.assign(Object.create(host.processes) as Processes, changed) };
}

/** The process that a test has left behind on purpose and that wrote its pid into a file; it ends with the test. */
function leftBehind(t: TestContext, file: string): number {
  const pid = pidIn(file);
  assert.ok(pid !== null, `expected a pid in ${file}`);
  t.after(() => {
    process.kill(pid, 'SIGKILL');
  });
  return pid;
}

function pidIn(file: string): number | null {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return text.endsWith('\n') ? Number(text) : null;
}

function isRunning(host: Host, pid: number): boolean {
  const info = host.processes.info(pid);
  return info !== null && !info.zombie;
}

describe('children that a compiler leaves behind', () => {
  test('are noticed although they hold no pipe', async (t) => {
    const folder = temporaryFolder(t);
    const script =
      '(echo $(exec sh -c "echo \\$PPID") > pid; exec sleep 600) > /dev/null 2>&1 & while [ ! -s pid ]; do sleep 0.01; done; echo done';
    const { lingering, stdout, end } = await runScript(script, folder);
    leftBehind(t, join(folder, 'pid'));
    assert.deepEqual([lingering, stdout.toString(), end], [true, 'done\n', { status: 0, signal: null }]);
  });

  test('are none when they ended before', async (t) => {
    const folder = temporaryFolder(t);
    for (const script of [
      'true',
      'true & true & wait',
      'sleep 0.2 &',
      'sh -c "sleep 0.05; echo x" & exit 0',
    ]) {
      assert.equal((await runScript(script, folder)).lingering, false, script);
    }
  });

  test('the list of processes is not read after a program that leaves none', async (t) => {
    let lists = 0;
    const host = systemHost();
    const counting = withProcesses({
      list: () => {
        lists += 1;
        return host.processes.list();
      },
    });
    await runScript('true', temporaryFolder(t), {}, counting);
    assert.equal(lists, 0);
  });
});

test('the pid of the started program is told at once', async (t) => {
  const folder = temporaryFolder(t);
  const started: number[] = [];
  const result = await runScript('echo $$; ps -o pgid= -p $$', folder, {
    onStarted: (pid) => {
      assert.ok(isRunning(systemHost(), pid));
      started.push(pid);
    },
  });
  const [pid, group] = result.stdout.toString().trim().split(/\s+/).map(Number);
  assert.deepEqual([started, group], [[pid], pid]);
});

describe('a slow reader of the overflow', () => {
  /** Prints 64 MiB, and says in a file when it is through. */
  const PRINT = 'dd if=/dev/zero bs=65536 count=1024 2>/dev/null; echo through > through';

  test('holds the program back instead of filling the memory, and gets every byte', async (t) => {
    const folder = temporaryFolder(t);
    let taken = 0;
    let isFirst = true;
    let wentOn: boolean | null = null;
    let grownBytes = 0;
    const result = await runScript(PRINT, folder, {
      onOverflow: async (_stream, chunk) => {
        taken += chunk.byteLength;
        if (!isFirst) return;
        isFirst = false;
        const before = process.memoryUsage().arrayBuffers;
        for (let look = 0; look < 20; look += 1) await pause();
        wentOn = existsSync(join(folder, 'through'));
        grownBytes = process.memoryUsage().arrayBuffers - before;
      },
    });
    assert.equal(wentOn, false, 'the program waits as long as its reader does');
    assert.ok(grownBytes < 16_777_216, `${grownBytes} bytes more are held`);
    assert.deepEqual([taken, result.lingering, result.overflowed], [67_108_864, false, true]);
    assert.ok(existsSync(join(folder, 'through')));
  });

  test('that fails holds nobody back', async (t) => {
    const result = await runScript(PRINT, temporaryFolder(t), {
      onOverflow: async () => Promise.reject(new Error('a closed pipe')),
    });
    assert.deepEqual(result.end, { status: 0, signal: null });
  });

  test('that never comes back ends with the abort', async (t) => {
    const controller = new AbortController();
    const result = await runScript(PRINT, temporaryFolder(t), {
      signal: controller.signal,
      onOverflow: async () => {
        controller.abort();
        await new Promise(() => undefined);
      },
    });
    assert.equal(result.end, 'stopped');
  });
});

async function pause(): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, 20);
  });
}

describe('the memory of a tree', () => {
  test('is counted in pages of the size that the kernel uses', () => {
    const vector = readFileSync('/proc/self/auxv');
    const actual = Number(execFileSync('getconf', ['PAGESIZE'], { encoding: 'utf8' }));
    assert.equal(pageBytesIn(vector), actual);
    const other = Buffer.alloc(48);
    for (const [index, value] of [3n, 77n, 6n, 65_536n, 0n, 0n].entries()) {
      other.writeBigUInt64LE(value, index * 8);
    }
    assert.equal(pageBytesIn(other), 65_536);
    for (const bytes of [0, 1, 8, 15, 16]) assert.equal(pageBytesIn(other.subarray(0, bytes)), null);
    const own = systemHost().processes.info(process.pid);
    const status = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    const ratio = (own?.residentBytes ?? 0) / (Number(status?.[1]) * 1024);
    assert.ok(ratio > 0.5 && ratio < 2, `${ratio}`);
  });

  test('is watched without reading the environment of a process twice', async (t) => {
    const folder = temporaryFolder(t);
    const mark = 'a/b';
    const looks = new Map<string, number>();
    let lists = 0;
    const { processes } = systemHost();
    const host = withProcesses({
      list: () => {
        lists += 1;
        return processes.list();
      },
      variableOf: (pid, name) => {
        const key = `${pid}/${processes.info(pid)?.startTicks}`;
        looks.set(key, (looks.get(key) ?? 0) + 1);
        return processes.variableOf(pid, name);
      },
    });
    const variables = { [ACTIVE_VARIABLE]: mark };
    const script = 'setsid sleep 600 > /dev/null 2>&1 & while [ ! -e enough ]; do sleep 0.02; done; kill $!';
    const running = runScript(
      script,
      folder,
      {
        spawn: shell(script, folder, variables),
        mark,
        memoryBytes: 1e15,
      },
      host,
    );
    await eventually('several looks', () => lists >= 5);
    execFileSync('touch', [join(folder, 'enough')]);
    assert.deepEqual((await running).end, { status: 0, signal: null });
    assert.ok(looks.size > 0);
    assert.deepEqual(
      [...looks].filter(([, count]) => count > 1),
      [],
    );
  });
});

describe('a tree of processes that cannot be listed for a moment', () => {
  /** The first look fails. */
  function blindAtFirst(): Host {
    const { processes } = systemHost();
    let looks = 0;
    return withProcesses({
      list: () => {
        looks += 1;
        if (looks === 1) throw errnoError('EMFILE');
        return processes.list();
      },
    });
  }

  test('is ended all the same', async (t) => {
    const folder = temporaryFolder(t);
    const script = 'trap "" TERM; echo $$ > pid; while true; do sleep 0.05; done';
    const { end } = await runScript(script, folder, { timeoutMs: 300 }, blindAtFirst());
    assert.equal(end, 'timeout');
    const pid = pidIn(join(folder, 'pid'));
    assert.ok(pid !== null && !isRunning(systemHost(), pid));
  });

  test('is no reason to end it for its memory', async (t) => {
    const folder = temporaryFolder(t);
    const { end } = await runScript('sleep 0.5', folder, { memoryBytes: 1e15 }, blindAtFirst());
    assert.deepEqual(end, { status: 0, signal: null });
  });
});

describe('a question to a program', () => {
  const LIMITS = { maxBytes: 1000, timeoutMs: 600_000 };

  test('is ended with its group by an abort', async (t) => {
    const folder = temporaryFolder(t);
    const host = systemHost();
    const controller = new AbortController();
    const script = 'sh -c "echo \\$\\$ > pid; exec sleep 600"; true';
    const asked = host.processes.capture(shell(script, folder), { ...LIMITS, signal: controller.signal });
    const pid = await eventually('the child runs', () => pidIn(join(folder, 'pid')));
    controller.abort();
    assert.deepEqual(pick(await asked), [null, 'SIGKILL', '']);
    await eventually('the child has ended', () => !isRunning(host, pid));
  });

  test('is not asked after an abort', async (t) => {
    const folder = temporaryFolder(t);
    const limits = { ...LIMITS, signal: AbortSignal.abort() };
    assert.deepEqual(pick(await systemHost().processes.capture(shell('touch ran', folder), limits)), [
      null,
      'SIGKILL',
      '',
    ]);
    assert.equal(existsSync(join(folder, 'ran')), false);
  });

  test('does not wait for children that hold its pipes, and lets them live', async (t) => {
    const folder = temporaryFolder(t);
    const host = systemHost();
    const script =
      'sh -c "echo \\$\\$ > pid; exec sleep 600" & while [ ! -s pid ]; do sleep 0.01; done; echo 1.2';
    assert.deepEqual(pick(await host.processes.capture(shell(script, folder), LIMITS)), [0, null, '1.2\n']);
    assert.ok(isRunning(host, leftBehind(t, join(folder, 'pid'))));
  });

  test('is asked again when another caller stopped it, and once more when nobody did', async (t) => {
    const folder = temporaryFolder(t);
    const host = systemHost();
    const memo = new CommandMemo(host, new Stamps(host, null));
    const script =
      'mkdir first 2> /dev/null && echo x >> asked && exec sleep 600; echo x >> asked; echo answer';
    const { program, args, cwd, environment } = shell(script, folder);
    const question = { argv: [program, ...args], cwd, environment };
    const first = new AbortController();
    const stopped = memo.ask({ ...question, signal: first.signal }, []);
    const patient = memo.ask(question, []);
    await eventually('the question is asked', () => existsSync(join(folder, 'asked')));
    first.abort();
    assert.deepEqual(pick(await stopped), [null, 'SIGKILL', '']);
    assert.deepEqual(pick(await patient), [0, null, 'answer\n']);
    assert.deepEqual(pick(await memo.ask({ ...question, signal: first.signal }, [])), [0, null, 'answer\n']);
    assert.equal(readFileSync(join(folder, 'asked'), 'utf8'), 'x\nx\n');
  });
});

function pick(captured: Captured): readonly unknown[] {
  return [captured.status, captured.signal, captured.stdout.toString()];
}
