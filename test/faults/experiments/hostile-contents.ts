import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { packMembers } from '../../../src/model/archive.js';
import { isFingerprint, type Fingerprint } from '../../../src/model/fingerprint.js';
import { decodeRecord, encodeRecord, isFailureRecord, sealRecord } from '../../../src/model/record.js';
import { digestOf, entryBytes, hashOf } from '../../support/artifacts.js';
import { HOSTILE_JSON } from '../../support/hostile-bytes.js';
import { listing } from '../../support/listing.js';
import type { Workbench } from '../../support/workbench.js';
import { Tally, type Experiment, type Outcome, type Scope } from '../experiment.js';
import {
  compileHarmless,
  getHarmless,
  PAIR,
  prepareHostile,
  runHarmless,
  sampleOf,
} from '../hostile-bench.js';
import { withBench } from '../with-bench.js';

/** Contents with checksums that fit, and words on the command line, made to be misunderstood. */
export const HOSTILE_CONTENT_EXPERIMENTS: readonly Experiment[] = [
  {
    group: 'hostile',
    fault: 'tar with .., absolute names, links, bombs',
    where: 'an entry of two outputs',
    needs: [],
    run: archives,
  },
  {
    group: 'hostile',
    fault: 'JSON: deep, double and prototype keys, huge numbers',
    where: 'a record with a checksum that fits',
    needs: [],
    run: records,
  },
  {
    group: 'hostile',
    fault: 'words from a fuzzer',
    where: 'get, rm and verify of a fingerprint',
    needs: [],
    run: words,
  },
];

const BLOCK = 512;
const AT = { name: 0, mode: 100, size: 124, checksum: 148, type: 156, linkName: 157 } as const;

/** A header of the archive with another field, and a checksum that fits. */
function withField(archive: Buffer, field: keyof typeof AT, text: string, member = 0): Buffer {
  const changed = Buffer.from(archive);
  const block = changed.subarray(member * 2 * BLOCK, member * 2 * BLOCK + BLOCK);
  block.write(`${text}\0`, AT[field], 'latin1');
  block.fill(' ', AT.checksum, AT.checksum + 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, AT.checksum, 'latin1');
  return changed;
}

/** Of two members of one block each. */
function hostileArchives(archive: Buffer): Readonly<Record<string, Buffer>> {
  const link = (type: string): Buffer =>
    withField(withField(archive, 'type', type), 'linkName', '/etc/passwd');
  return {
    'a name with ..': withField(archive, 'name', '../../evil.txt'),
    'an absolute name': withField(archive, 'name', '/tmp/vyre-cache-evil'),
    'the second name with ..': withField(archive, 'name', '../evil.txt', 1),
    'two members of one name': withField(archive, 'name', '1', 1),
    'a symbolic link': link('2'),
    'a hard link': link('1'),
    'a device': link('3'),
    'a pipe': link('6'),
    'a folder': withField(archive, 'type', '5'),
    'an extended header': withField(archive, 'type', 'x'),
    'a long name': withField(archive, 'type', 'L'),
    'a sparse file': withField(archive, 'type', 'S'),
    'a set-user-id mode': withField(archive, 'mode', '0004755'),
    'a bomb of 8 GiB': withField(archive, 'size', '77777777777'),
    'a negative size': withField(archive, 'size', '-0000000001'),
    'a size in base 256': withField(archive, 'size', '\x80\0\0\0\0\0\0\x7f\xff\xff\xff'),
    'no end': archive.subarray(0, -2 * BLOCK),
    'something behind the end': Buffer.concat([archive, archive]),
    'a third member': packMembers([0, 1, 2].map(() => ({ bytes: Buffer.from('x'), executable: false }))),
    'no member': packMembers([]),
  };
}

async function archives(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  await withBench(async (bench) => {
    prepareHostile(bench);
    await compilePair(bench, tally, 'before');
    const fingerprint = bench.entries().find(isFingerprint);
    if (fingerprint === undefined) throw new Error('expected an entry');
    const archive = readFileSync(bench.entryPath(fingerprint)).subarray(0, -32);
    const before = namesOf(bench);
    const all = Object.entries(hostileArchives(archive));
    const chosen = scope.isFull ? all : sampleOf(all, 5, scope);
    for (const [name, payload] of chosen) {
      if (scope.signal.aborted) break;
      tally.addPoint();
      publish(bench, fingerprint, payload);
      const { status } = await runHarmless(bench, tally, { name, words: ['get', ...PAIR] });
      if (status !== 1) tally.addWrongBytes(`${name}: get ended with ${status}`);
      await compilePair(bench, tally, name);
      const added = namesOf(bench).filter((path) => !before.includes(path));
      if (added.length > 0) tally.addWrongBytes(`${name}: made ${added.join(', ')}`);
    }
  });
  return tally.outcome();
}

async function compilePair(bench: Workbench, tally: Tally, name: string): Promise<void> {
  const { status } = await runHarmless(bench, tally, { name, words: ['compile', ...PAIR] });
  if (status !== 0) tally.addFailedNextRun(`${name}: compile ended with ${status}`);
  else if (bench.text('one.txt') !== 'HARMLESS\n' || bench.text('two.txt') !== 'harmless\n')
    tally.addWrongBytes(name);
}

/** Everything on the bench but what the cache keeps for itself. */
function namesOf(bench: Workbench): readonly string[] {
  return readdirSync(bench.folder, { recursive: true, encoding: 'utf8' }).filter(
    (path) => !path.startsWith('cache/') && !path.startsWith('state/'),
  );
}

/** An entry and a record whose checksums fit. */
function publish(bench: Workbench, fingerprint: Fingerprint, payload: Buffer): void {
  const path = bench.recordPath(fingerprint);
  const decoded = decodeRecord(readFileSync(path), hashOf);
  if (!decoded.ok || isFailureRecord(decoded.record)) throw new Error('expected the record of an artifact');
  const record = { ...decoded.record, payloadDigest: digestOf(payload), payloadBytes: payload.byteLength };
  writeFileSync(bench.entryPath(fingerprint), entryBytes(payload));
  writeFileSync(path, encodeRecord(record, hashOf));
}

const VALUE = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null/g;

/** Each of the hostile values in the place of each value of a record, or a sample. */
async function records(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  await withBench(async (bench) => {
    prepareHostile(bench);
    await compileHarmless(bench, tally, 'before');
    const [fingerprint = ''] = bench.entries();
    const path = bench.recordPath(fingerprint);
    const good = readFileSync(path, 'utf8');
    // The schema and the checksum are the first four strings.
    const places = [...good.matchAll(VALUE)].slice(4);
    const count = scope.isFull ? 240 : 8;
    for (let point = 0; point < count && !scope.signal.aborted; point += 1) {
      const place = places[Math.floor(scope.random() * places.length)];
      const hostile = HOSTILE_JSON[point % HOSTILE_JSON.length] ?? 'null';
      if (place === undefined) throw new Error('expected values in a record');
      const text = good.slice(0, place.index) + hostile + good.slice(place.index + place[0].length);
      writeFileSync(path, sealRecord(Buffer.from(text, 'utf8'), hashOf));
      tally.addPoint();
      const name = `${hostile.slice(0, 40)} in the place of ${place[0].slice(0, 40)}`;
      await getHarmless(bench, tally, name);
      await runHarmless(bench, tally, { name, words: ['ls'] });
      await compileHarmless(bench, tally, name);
      writeFileSync(path, good);
    }
  });
  return tally.outcome();
}

/** So many digits name an entry. */
const MIN_PREFIX = 8;
const HEX = Array.from('0123456789abcdefABCDEF');

/** What may be mistaken for a fingerprint, a path or an option; an argument of a process holds no NUL. */
const WORD = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.string({ unit: fc.constantFrom(...HEX), maxLength: 70 }),
    fc.string({ unit: fc.constantFrom(...HEX, '/', '.', '\n', '*', '-', ' '), minLength: 8, maxLength: 70 }),
    fc.constantFrom('..', '../secret.txt', '/', '.', '*', '--', '-', '', '__proto__', 'a'.repeat(100_000)),
  )
  .map((word) => word.replaceAll('\0', ''));

/** Nearly the start of a fingerprint: too short, too long, or with something behind it. */
function nearlyPrefixes(fingerprint: string): readonly string[] {
  const start = fingerprint.slice(0, MIN_PREFIX);
  const short = [0, 1, MIN_PREFIX - 1].map((digits) => fingerprint.slice(0, digits));
  return [...short, `${fingerprint}0`, ...['\n', '*', '.bin', '/', ' '].map((end) => `${start}${end}`)];
}

/** A path is a directory for `verify`, and nobody wants the whole disk verified. */
function commandFor(word: string, at: number): string {
  const command = ['get', 'rm', 'verify'][at % 3] ?? 'get';
  return command === 'verify' && /^\.|\//.test(word) ? 'rm' : command;
}

/** No word but the start of a fingerprint names an entry, and none does anything else. */
async function words(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  await withBench(async (bench) => {
    prepareHostile(bench);
    await compileHarmless(bench, tally, 'before');
    const [fingerprint = ''] = bench.entries();
    const before = JSON.stringify([...listing(bench.project), bench.entries()]);
    const count = scope.isFull ? 600 : 20;
    const sample = fc.sample(WORD, { numRuns: count, seed: Math.floor(scope.random() * 2 ** 31) });
    const near = nearlyPrefixes(fingerprint);
    for (const [at, word] of [...near, ...sample].entries()) {
      if (scope.signal.aborted) break;
      if (at >= near.length && word.length >= MIN_PREFIX && fingerprint.startsWith(word.toLowerCase()))
        continue;
      tally.addPoint();
      // What is nearly a fingerprint is tried where it would do harm.
      const command = at < near.length ? 'rm' : commandFor(word, at);
      const name = `${command} ${JSON.stringify(word.slice(0, 80))}`;
      await runHarmless(bench, tally, { name, words: [command, '-q', word] });
      if (JSON.stringify([...listing(bench.project), bench.entries()]) !== before)
        tally.addLost(`${name}: something was changed`);
    }
  });
  return tally.outcome();
}
