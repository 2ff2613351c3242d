import { findTool, type ToolName } from '../../support/tools.js';

/** What a compilation is started with. */
export interface Call {
  /** The words that start our program, and the one that uses cacache. */
  readonly program: readonly string[];
  /** Absolute. */
  readonly compiler: string;
  readonly store: string;
  readonly output: string;
}

/** A server that a peer starts for itself. */
export interface Server {
  readonly start: readonly string[];
  readonly stop: readonly string[];
  /** What makes its program the server itself, in the foreground, ready when its port answers. */
  readonly foreground: Readonly<Record<string, string>>;
}

/** A cache that stands in front of a compiler. */
export interface Peer {
  readonly name: 'vyre-cache' | 'ccache' | 'sccache' | 'cacache';
  readonly needs: readonly ToolName[];
  /** What it needs in its environment to keep everything in one folder. */
  environment(folder: string, port: number): Readonly<Record<string, string>>;
  /** The words of a compilation of `a.c`. */
  words(call: Call): readonly string[];
  /** Null: it has none. */
  readonly server: Server | null;
}

const behind = (name: ToolName): Peer['words'] => {
  return ({ compiler, output }) => [findTool(name) ?? name, compiler, '-c', 'a.c', '-o', output];
};

/** Ours first, through the same adapter as the others. */
export const PEERS: readonly Peer[] = [
  {
    name: 'vyre-cache',
    needs: [],
    environment: (folder) => ({ VYRE_CACHE_DIR: folder }),
    words: ({ program, compiler, output }) => {
      // As with the others, the object is the same wherever it goes.
      const ours = [...program, 'compile', '-q', '--relocatable', 'a.c', '-o', output];
      return [...ours, '--', compiler, '-c', '{input}', '-o', '{output}'];
    },
    server: null,
  },
  {
    name: 'ccache',
    needs: ['ccache'],
    environment: (folder) => ({ CCACHE_DIR: folder, CCACHE_CONFIGPATH: '/dev/null' }),
    words: behind('ccache'),
    server: null,
  },
  {
    name: 'sccache',
    needs: ['sccache'],
    environment: (folder, port) => ({
      SCCACHE_DIR: folder,
      SCCACHE_SERVER_PORT: String(port),
      SCCACHE_CONF: '/dev/null',
      // Ends by itself where nobody could stop it.
      SCCACHE_IDLE_TIMEOUT: '60',
    }),
    words: behind('sccache'),
    server: {
      start: [findTool('sccache') ?? 'sccache', '--start-server'],
      stop: [findTool('sccache') ?? 'sccache', '--stop-server'],
      foreground: { SCCACHE_START_SERVER: '1', SCCACHE_NO_DAEMON: '1' },
    },
  },
  {
    name: 'cacache',
    needs: [],
    environment: () => ({}),
    words: ({ program, compiler, store, output }) => [...program, store, compiler, 'a.c', output],
    server: null,
  },
];
