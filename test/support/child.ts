import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ChildTask } from './child-tasks.js';
import type { Cleanup } from './temporary-folder.js';

const TASKS = join(import.meta.dirname, 'child-tasks.ts');

/** Another process of this project that does one of the tasks of `child-tasks.ts`. */
export class Child {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;
  readonly lines: string[] = [];

  constructor(child: ChildProcess) {
    this.#process = child;
    if (child.stdout === null) throw new Error('expected a pipe');
    const reader = createInterface({ input: child.stdout });
    reader.on('line', (line) => this.lines.push(line));
    this.#lines = reader[Symbol.asyncIterator]();
    this.#ended = once(child, 'close');
  }

  /** The next line that it says. */
  async line(): Promise<string> {
    const next = await this.#lines.next();
    if (next.done === true) throw new Error('expected a line, but the process has ended');
    return next.value;
  }

  /** Lets it go on where it waits. */
  go(): void {
    this.#process.stdin?.write('\n');
  }

  /** Everything it said, when it has ended well. */
  async end(): Promise<readonly string[]> {
    await this.#ended;
    if (this.#process.exitCode !== 0) throw new Error(`expected status 0, got ${this.#process.exitCode}`);
    return this.lines;
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }
}

export function startChild(t: Cleanup, task: ChildTask, ...args: readonly string[]): Child {
  const child = spawn(process.execPath, ['--import', 'tsx', TASKS, task, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => {
    child.kill('SIGKILL');
  });
  return new Child(child);
}
