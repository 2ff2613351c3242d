import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { childProgram } from '../../support/child-program.js';
import { eventually } from '../../support/eventually.js';
import { findTool, SEARCH_PATH } from '../../support/tools.js';
import type { Scope } from '../experiment.js';
import type { Peer } from './peer.js';

const WITH_CACACHE = fileURLToPath(
  new URL('../../support/children/compile-with-cacache.ts', import.meta.url),
);
/** Whoever is not back by then waits for ever, also on a machine that is busy. */
const STUCK_MS = 600_000;
const GCC = findTool('gcc') ?? 'gcc';

export interface PeerRun {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that runs meanwhile. */
export interface PeerProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<PeerRun>;
}

/** A project whose one file is compiled by gcc behind a peer. */
export class PeerBench {
  readonly peer: Peer;
  readonly folder: string;
  readonly #program: readonly string[];
  readonly #port: number;

  private constructor(peer: Peer, folder: string, started: { program: readonly string[]; port: number }) {
    this.peer = peer;
    this.folder = folder;
    this.#program = started.program;
    this.#port = started.port;
  }

  static async make(peer: Peer, { folder, program }: Scope): Promise<PeerBench> {
    for (const name of ['store', 'home']) mkdirSync(join(folder, name), { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, 'a.c'), 'int a(int x) { return x * 42; }\n');
    const started =
      peer.name === 'cacache' ? [process.execPath, await childProgram(WITH_CACACHE, folder)] : program;
    return new PeerBench(peer, folder, { program: started, port: await freePort() });
  }

  get store(): string {
    return join(this.folder, 'store');
  }

  get output(): string {
    return join(this.folder, 'a.o');
  }

  get #environment(): Readonly<Record<string, string>> {
    const own = this.peer.environment(this.store, this.#port);
    return { PATH: SEARCH_PATH, HOME: join(this.folder, 'home'), ...own };
  }

  /** The words of a compilation by this compiler. */
  words(compiler: string = GCC, output: string = this.output): readonly string[] {
    return this.peer.words({ program: this.#program, compiler, store: this.store, output });
  }

  run(words: readonly string[]): PeerRun {
    const [program = '', ...args] = words;
    const { status, signal } = spawnSync(program, args, {
      cwd: this.folder,
      env: this.#environment,
      stdio: 'ignore',
      timeout: STUCK_MS,
    });
    return { status, signal };
  }

  start(words: readonly string[], environment: Readonly<Record<string, string>> = {}): PeerProcess {
    const [program = '', ...args] = words;
    const env = { ...this.#environment, ...environment };
    const child = spawn(program, args, { cwd: this.folder, env, stdio: 'ignore' });
    const ended = new Promise<PeerRun>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status, signal) => {
        resolve({ status, signal });
      });
    });
    return { child, ended };
  }

  startServer(): void {
    if (this.peer.server !== null) this.run(this.peer.server.start);
  }

  stopServer(): void {
    if (this.peer.server !== null) this.run(this.peer.server.stop);
  }

  /** The server as a child of this process, once it answers; null: the peer has none. */
  async serve(): Promise<PeerProcess | null> {
    const { server } = this.peer;
    if (server === null) return null;
    const [program = ''] = server.start;
    const started = this.start([program], server.foreground);
    await eventually('the server answers', async () => answers(this.#port));
    return started;
  }

  empty(): void {
    rmSync(this.store, { recursive: true, force: true });
    mkdirSync(this.store, { mode: 0o700 });
    for (const name of ['runs', 'compiled']) rmSync(join(this.folder, name), { force: true });
  }

  /** The files that it has stored something in. */
  files(): readonly string[] {
    return readdirSync(this.store, { withFileTypes: true, recursive: true })
      .filter((item) => item.isFile())
      .map((item) => join(item.parentPath, item.name))
      .toSorted();
  }

  /** What the compiler makes without a cache. */
  rightObject(): Buffer {
    const right = join(this.folder, 'right.o');
    const ended = this.run([GCC, '-c', 'a.c', '-o', right]);
    if (ended.status !== 0) throw new Error('expected gcc to compile');
    return readFileSync(right);
  }

  /**
   * A compiler that takes a while and notes when it begins and ends to make an object, beside the calls in which it is
   * asked who it is.
   */
  countingCompiler(): string {
    const path = join(this.folder, 'gcc');
    const script = [
      '#!/bin/sh',
      `case " $* " in *" -E "*) exec ${GCC} "$@" ;; *" -c "*) ;; *) exec ${GCC} "$@" ;; esac`,
      `printf x >> '${this.folder}/runs'`,
      'sleep 0.3',
      `${GCC} "$@" || exit`,
      `printf x >> '${this.folder}/compiled'`,
    ];
    writeFileSync(path, `${script.join('\n')}\n`, { mode: 0o755 });
    return path;
  }

  /** How often the {@link countingCompiler} was run. */
  get compilations(): number {
    return contentOf(join(this.folder, 'runs')).byteLength;
  }

  /** True when it has come to its end. */
  get hasCompiled(): boolean {
    return contentOf(join(this.folder, 'compiled')).byteLength > 0;
  }
}

/** Empty where there is none. */
export function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

async function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', () => {
      end(true);
    });
    socket.once('error', () => {
      end(false);
    });
  });
}

/** A port on loopback that nobody uses at this moment. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return typeof address === 'object' && address !== null ? address.port : 0;
}
