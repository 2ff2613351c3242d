import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { BenchError } from '../bench-error.js';
import type { Service } from '../commands.js';
import type { Site } from '../site.js';

const TRIES = 200;
const WAIT_MS = 25;

interface SccacheServer extends Service {
  /** What its client needs. */
  readonly env: Readonly<Record<string, string>>;
}

/** Starts a server of its own cache, in the foreground, on a free port of the loopback. */
export async function startSccache(site: Site): Promise<SccacheServer> {
  const port = await freePort();
  const env = {
    SCCACHE_DIR: site.path('sccache'),
    SCCACHE_CONF: site.path('sccache.conf'),
    SCCACHE_SERVER_PORT: String(port),
    SCCACHE_IDLE_TIMEOUT: '0',
  };
  const alone = { ...env, SCCACHE_START_SERVER: '1', SCCACHE_NO_DAEMON: '1' };
  const service = site.setting.commands.serve(site.command(['sccache'], { env: alone }));
  try {
    await listening(port);
  } catch (error) {
    await service.end();
    throw error;
  }
  return { ...service, env };
}

/** @throws BenchError unless at least so many of its calls so far were hits. */
export async function demandHits(site: Site, env: SccacheServer['env'], count: number): Promise<void> {
  const argv = ['sccache', '--show-stats', '--stats-format', 'json'];
  const { stdout } = await site.run(site.command(argv, { env, captures: true }));
  const hits = Number(/"cache_hits":\s*\{\s*"counts":\s*\{[^}]*?:\s*(\d+)/.exec(stdout)?.[1] ?? 0);
  if (hits < count) throw new BenchError(`expected ${count} hits of sccache, got ${hits}`);
}

/** Somebody else may take it in between; the server ends then, and so does the bench, with a message. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (await answers(port)) return;
    await setTimeout(WAIT_MS);
  }
  throw new BenchError(`expected the server of sccache on port ${port}, found none`);
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    // Not yet.
    return false;
  } finally {
    socket.destroy();
  }
}
