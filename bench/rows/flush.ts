import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { formatCount } from '../../src/model/units.js';
import { join } from 'node:path';
import { openCache } from '../../src/index.js';
import { hashChunks, loadNativeBlake3 } from '../../src/host/hash.js';
import { portableBlake3 } from '../../src/host/portable-hash.js';
import { entryChunks } from '../../src/model/entry.js';
import { nameOf, noise } from '../data/entries.js';
import { measureRow } from '../measure.js';
import type { Group } from '../row.js';
import type { Site } from '../site.js';

const COUNT = 10_000;
const PAYLOAD_BYTES = 4096;
const FILE_BYTES = 16_384;
/** Each of them is waited for. */
const SAMPLE = 500;

/** Making entries durable: all at once, by the whole file system, or one by one. */
export const flush: Group = {
  rows: ['flush'],
  needs: [],
  spaceBytes: (scale) => Math.max(1, scale * COUNT) * FILE_BYTES,
  async measure(site) {
    const count = site.count(COUNT);
    const sample = Math.min(count, SAMPLE);
    await measureRow(site, {
      id: 'flush',
      title: `flush of ${formatCount(count)} entries, per entry`,
      ours: {
        name: 'vyre-cache flush',
        needs: [],
        run: async () => afterPuts(site, count, () => site.ours(['flush', site.path('home')])),
      },
      rivals: [
        {
          name: 'sync -f',
          bound: null,
          needs: ['sync'],
          run: async () => afterPuts(site, count, () => site.shell('sync -f home')),
        },
        { name: 'fsync at every put', bound: null, needs: [], run: async () => syncEach(site, sample) },
      ],
    });
  },
};

/** Stores new entries and times what makes them durable. */
async function afterPuts(
  site: Site,
  count: number,
  command: () => ReturnType<Site['command']>,
): Promise<number> {
  rmSync(site.path('home'), { recursive: true, force: true });
  const hash = loadNativeBlake3() ?? portableBlake3;
  const cache = openCache({ root: site.path('home'), stateDirectory: site.path('user') });
  const puts: Promise<unknown>[] = [];
  await site.forEach(count, (index) => {
    puts.push(cache.put(nameOf(hash, index), payloadOf(index)));
  });
  await Promise.all(puts);
  await cache.close();
  return (await site.time(command())) / count;
}

/** What a cache would wait for that makes every entry, its record and their folder durable at once. */
async function syncEach(site: Site, count: number): Promise<number> {
  const folder = site.path('each');
  mkdirSync(folder);
  const hash = loadNativeBlake3() ?? portableBlake3;
  let nanoseconds = 0n;
  await site.forEach(count, (index) => {
    const payload = payloadOf(index);
    const name = join(folder, nameOf(hash, index));
    nanoseconds += writeDurably(`${name}.json`, [payload.subarray(0, 1024)]);
    nanoseconds += writeDurably(`${name}.bin`, entryChunks(payload, hashChunks(hash, [payload])));
    nanoseconds += timed(() => {
      withDescriptor(folder, 'r', fsyncSync);
    });
  });
  rmSync(folder, { recursive: true });
  return Number(nanoseconds) / 1e9 / count;
}

function writeDurably(path: string, chunks: readonly Uint8Array[]): bigint {
  const temporary = `${path}.tmp`;
  const nanoseconds = withDescriptor(temporary, 'wx', (fd) => {
    for (const chunk of chunks) writeSync(fd, chunk);
    return timed(() => {
      fsyncSync(fd);
    });
  });
  renameSync(temporary, path);
  return nanoseconds;
}

function withDescriptor<T>(path: string, flags: string, work: (fd: number) => T): T {
  const fd = openSync(path, flags);
  try {
    return work(fd);
  } finally {
    closeSync(fd);
  }
}

function timed(work: () => void): bigint {
  const start = process.hrtime.bigint();
  work();
  return process.hrtime.bigint() - start;
}

const NOISE = noise(portableBlake3, PAYLOAD_BYTES);

function payloadOf(index: number): Buffer {
  const payload = Buffer.from(NOISE);
  payload.writeUInt32LE(index, 0);
  return payload;
}
