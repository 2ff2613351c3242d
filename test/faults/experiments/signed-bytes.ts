import { sealRecord } from '../../../src/model/record.js';
import { hashOf } from '../../support/artifacts.js';
import { Tally, type Experiment, type Outcome, type Scope } from '../experiment.js';
import { SignedProject } from '../signed-project.js';

/** A byte whose change the checksum alone would find is no edit of somebody who forges. */
function edited(record: Buffer, at: number, mask: number): Buffer | null {
  const copy = Buffer.from(record);
  copy[at] = (copy[at] ?? 0) ^ mask;
  const sealed = sealRecord(copy, hashOf);
  return sealed.equals(record) ? null : sealed;
}

/** All bytes, or some of them that are spread over the record. */
function positions(record: Buffer, count: number, scope: Scope): readonly number[] {
  if (count >= record.byteLength) return [...record.keys()];
  const step = record.byteLength / count;
  return Array.from({ length: count }, (_, index) => Math.trunc((index + scope.random()) * step));
}

/** Other values of each byte. */
const FULL_ROUNDS = 4;

interface Edit {
  readonly what: string;
  readonly record: Buffer;
}

/** Until the run is interrupted. */
function* edits(stored: Buffer, count: number, scope: Scope): Generator<Edit> {
  for (const at of positions(stored, count, scope)) {
    if (scope.signal.aborted) return;
    const mask = 1 + Math.trunc(scope.random() * 255);
    const record = edited(stored, at, mask);
    if (record !== null) yield { what: `byte ${at} of the record ^ ${mask}`, record };
  }
}

/** Each byte for the library, and some of them for the program as well. */
async function editForGet(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  const project = new SignedProject(scope, 'edited');
  const { fingerprint, bytes, stored } = project.store(0);
  const bytesOfRecord = stored.record.byteLength;
  const rounds = scope.isFull ? FULL_ROUNDS : 1;
  for (let round = 0; round < rounds; round += 1) {
    for (const { what, record } of edits(stored.record, bytesOfRecord, scope)) {
      project.place(fingerprint, { ...stored, record });
      tally.addPoint();
      const cache = project.open();
      const read = await cache.get(fingerprint);
      await cache.close();
      if (read.hit) tally.addWrongBytes(`${what} was served`);
    }
  }
  for (const { what, record } of edits(stored.record, scope.isFull ? 100 : 10, scope)) {
    project.place(fingerprint, { ...stored, record });
    const read = project.run(['get', fingerprint]);
    tally.addPoint();
    if (read.status === 0) tally.addWrongBytes(`${what} was served`);
    else if (read.status !== 1 || !read.stderr.includes('miss ('))
      tally.addFailedNextRun(`${what}: ${read.status}, ${read.stderr}`);
  }
  project.place(fingerprint, stored);
  const last = project.run(['get', fingerprint]);
  if (last.status !== 0 || !last.stdout.equals(bytes)) tally.addLost('the signed entry');
  return tally.outcome(`a record of ${bytesOfRecord} bytes`);
}

async function editForCompile(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  const project = new SignedProject(scope, 'edited');
  const { fingerprint, bytes, stored } = project.store(0);
  const count = scope.isFull ? 120 : 10;
  for (const { what, record } of edits(stored.record, count, scope)) {
    project.place(fingerprint, { ...stored, record });
    const made = project.compile();
    tally.addPoint();
    if (made.output?.equals(bytes) !== true || made.outcome === 'disk')
      tally.addWrongBytes(`${what}: ${made.outcome}`);
    else if (made.status !== 0) tally.addFailedNextRun(`${what}: ${made.status}`);
    // A record that claims a newer version is never overwritten.
    else if (made.reason !== 'newer-format' && project.compile().outcome !== 'disk')
      tally.addFailedNextRun(`${what} was not repaired`);
  }
  return tally.outcome();
}

export const EDITED: readonly Experiment[] = [
  {
    group: 'signed',
    fault: 'a byte of a signed record edited, its checksum made to fit',
    where: 'get',
    needs: ['wat2wasm'],
    run: editForGet,
  },
  {
    group: 'signed',
    fault: 'a byte of a signed record edited, its checksum made to fit',
    where: 'compile',
    needs: ['wat2wasm'],
    run: editForCompile,
  },
];
