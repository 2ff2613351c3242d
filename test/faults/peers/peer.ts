import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { findTool, SEARCH_PATH, type ToolName } from '../../support/tools.js';

/** A cache that stands in front of a compiler. */
export interface Peer {
  readonly name: ToolName & ('ccache' | 'sccache');
  /** What it needs in its environment to keep everything in one folder. */
  environment(folder: string, port: number): Readonly<Record<string, string>>;
  /** Words that start and end its server; null: it has none. */
  readonly server: { readonly start: readonly string[]; readonly stop: readonly string[] } | null;
}

export const PEERS: readonly Peer[] = [
  {
    name: 'ccache',
    environment: (folder) => ({ CCACHE_DIR: folder, CCACHE_CONFIGPATH: '/dev/null' }),
    server: null,
  },
  {
    name: 'sccache',
    environment: (folder, port) => ({
      SCCACHE_DIR: folder,
      SCCACHE_SERVER_PORT: String(port),
      SCCACHE_CONF: '/dev/null',
      // Ends by itself where nobody could stop it.
      SCCACHE_IDLE_TIMEOUT: '60',
    }),
    server: { start: ['--start-server'], stop: ['--stop-server'] },
  },
];

export interface PeerRun {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A project whose one file is compiled by gcc behind a peer; each run of the compiler proper adds a line to `runs`. */
export class PeerBench {
  readonly peer: Peer;
  readonly folder: string;
  readonly #port: number;

  private constructor(peer: Peer, folder: string, port: number) {
    this.peer = peer;
    this.folder = folder;
    this.#port = port;
  }

  static async make(peer: Peer, folder: string): Promise<PeerBench> {
    for (const name of ['store', 'home']) mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, 'a.c'), 'int a(int x) { return x * 42; }\n');
    return new PeerBench(peer, folder, await freePort());
  }

  get store(): string {
    return join(this.folder, 'store');
  }

  get program(): string {
    return findTool(this.peer.name) ?? this.peer.name;
  }

  get output(): string {
    return join(this.folder, 'a.o');
  }

  get environment(): Readonly<Record<string, string>> {
    const own = this.peer.environment(this.store, this.#port);
    return { PATH: SEARCH_PATH, HOME: join(this.folder, 'home'), ...own };
  }

  /** The words of a compilation by this compiler. */
  words(compiler: string = findTool('gcc') ?? 'gcc', output: string = this.output): readonly string[] {
    return [this.program, compiler, '-c', 'a.c', '-o', output];
  }

  run(words: readonly string[]): PeerRun {
    const [program = '', ...args] = words;
    const { status, signal } = spawnSync(program, args, {
      cwd: this.folder,
      env: this.environment,
      stdio: 'ignore',
      timeout: 60_000,
    });
    return { status, signal };
  }

  async runBeside(words: readonly string[]): Promise<PeerRun> {
    const [program = '', ...args] = words;
    const child = spawn(program, args, { cwd: this.folder, env: this.environment, stdio: 'ignore' });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status, signal) => {
        resolve({ status, signal });
      });
    });
  }

  startServer(): void {
    if (this.peer.server !== null) this.run([this.program, ...this.peer.server.start]);
  }

  stopServer(): void {
    if (this.peer.server !== null) this.run([this.program, ...this.peer.server.stop]);
  }

  empty(): void {
    rmSync(this.store, { recursive: true, force: true });
    mkdirSync(this.store);
  }

  /** The files that it has stored something in. */
  files(): readonly string[] {
    return readdirSync(this.store, { withFileTypes: true, recursive: true })
      .filter((item) => item.isFile())
      .map((item) => join(item.parentPath, item.name))
      .toSorted();
  }
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
