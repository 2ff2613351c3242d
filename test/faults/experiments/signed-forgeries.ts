import { encodeRecord, sealRecord } from '../../../src/model/record.js';
import { fingerprintFrom, hashOf, makeFailure } from '../../support/artifacts.js';
import { keyOf, signingOf } from '../../support/signing-keys.js';
import { Tally, type Experiment, type Outcome, type Scope } from '../experiment.js';
import { forged, FOREIGN, SignedProject, type Stored } from '../signed-project.js';

interface Victim {
  readonly fingerprint: string;
  readonly stored: Stored;
  /** Another signed entry of the same home. */
  readonly other: { readonly fingerprint: string; readonly stored: Stored };
}

interface Forgery {
  readonly name: string;
  /** True for what a reader without a key takes for good: the forgery does what it is meant to do. */
  readonly fools: boolean;
  make(victim: Victim): Partial<Stored>;
}

const MAC = /"mac":"[0-9a-f]{64}"/;

/** The record with another MAC, its checksum made to fit. */
function withMac(record: Buffer, mac: string): Buffer {
  return sealRecord(Buffer.from(record.toString('utf8').replace(MAC, mac)), hashOf);
}

function macIn(record: Buffer): string {
  return MAC.exec(record.toString('utf8'))?.[0] ?? '';
}

const FORGERIES: readonly Forgery[] = [
  {
    name: 'entry and record without a MAC',
    fools: true,
    make: ({ fingerprint }) => forged(fingerprint, { signedBy: null }),
  },
  {
    name: 'entry and record signed by a foreign key',
    fools: true,
    make: ({ fingerprint }) => forged(fingerprint, { signedBy: FOREIGN }),
  },
  {
    name: 'the MAC of the signed record in a forged one',
    fools: true,
    make: ({ fingerprint, stored }) => {
      const made = forged(fingerprint, { signedBy: FOREIGN });
      return { ...made, record: withMac(made.record, macIn(stored.record)) };
    },
  },
  {
    name: 'the MAC of another signed record in a forged one',
    fools: true,
    make: ({ fingerprint, other }) => {
      const made = forged(fingerprint, { signedBy: FOREIGN });
      return { ...made, record: withMac(made.record, macIn(other.stored.record)) };
    },
  },
  {
    name: 'the signed entry under this name',
    fools: false,
    make: ({ other }) => other.stored,
  },
  {
    name: 'the signed payload of another entry',
    fools: false,
    make: ({ stored, other }) => ({ ...stored, entry: other.stored.entry }),
  },
  {
    name: 'the signed record of another entry',
    fools: false,
    make: ({ stored, other }) => ({ ...stored, record: other.stored.record }),
  },
  {
    name: 'a forged payload below the signed record',
    fools: false,
    make: ({ fingerprint, stored }) => ({ ...stored, entry: forged(fingerprint, { signedBy: null }).entry }),
  },
  {
    name: 'the MAC stripped',
    fools: true,
    make: ({ stored }) => ({ ...stored, record: withMac(stored.record, '"mac":null') }),
  },
  {
    name: 'an empty MAC',
    fools: true,
    make: ({ stored }) => ({ ...stored, record: withMac(stored.record, '"mac":""') }),
  },
  {
    name: 'the words of the compiler edited',
    fools: true,
    make: ({ stored }) => ({
      ...stored,
      record: sealRecord(
        Buffer.from(stored.record.toString('utf8').replace('"stderr":""', '"stderr":"Zm9yZ2Vk"')),
        hashOf,
      ),
    }),
  },
  {
    name: 'the mode of the output edited',
    fools: true,
    make: ({ stored }) => ({
      ...stored,
      record: sealRecord(
        Buffer.from(stored.record.toString('utf8').replace('"executable":false', '"executable":true')),
        hashOf,
      ),
    }),
  },
  {
    name: 'a forged failure in the place of the record',
    fools: false,
    make: ({ fingerprint, stored }) => ({
      ...stored,
      record: Buffer.from(encodeRecord(makeFailure(fingerprintFrom(fingerprint)), hashOf)),
    }),
  },
  { name: 'the record removed', fools: false, make: ({ stored }) => ({ entry: stored.entry }) },
];

type Check = (
  project: SignedProject,
  victim: Victim & { readonly bytes: Buffer },
  judge: { readonly tally: Tally; readonly forgery: Forgery },
) => void;

const getServesNone: Check = (project, { fingerprint }, { tally, forgery: { name, fools } }) => {
  if (fools && project.run(['get', fingerprint], null).status !== 0)
    tally.addFailedNextRun(`${name}: fools nobody, so it shows nothing`);
  const read = project.run(['get', fingerprint]);
  if (read.status === 0) tally.addWrongBytes(`${name}: served by get`);
  else if (read.status !== 1) tally.addFailedNextRun(`${name}: get ended with ${read.status}`);
};

const compileMakesIt: Check = (project, { bytes }, { tally, forgery: { name } }) => {
  const made = project.compile();
  if (made.output?.equals(bytes) !== true || made.outcome === 'disk')
    tally.addWrongBytes(`${name}: ${made.outcome} of compile`);
  if (made.status !== 0) tally.addFailedNextRun(`${name}: compile ended with ${made.status}`);
  if (project.compile().outcome !== 'disk') tally.addFailedNextRun(`${name}: not repaired`);
};

/** Each forgery on entries of its own; `rounds` times in full. */
function forging(check: Check, rounds: number): Experiment['run'] {
  return async (scope: Scope): Promise<Outcome> => {
    const tally = new Tally();
    const project = new SignedProject(scope, 'forged');
    const other = project.store(0);
    for (let round = 0; round < (scope.isFull ? rounds : 1); round += 1) {
      for (const [index, forgery] of FORGERIES.entries()) {
        if (scope.signal.aborted) return tally.outcome();
        const victim = { ...project.store(1 + round * FORGERIES.length + index), other };
        project.place(victim.fingerprint, forgery.make(victim));
        tally.addPoint();
        check(project, victim, { tally, forgery });
      }
    }
    return tally.outcome();
  };
}

/** All forgeries lie in one home, each beside an entry that is good. */
async function forgeForVerify(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  const project = new SignedProject(scope, 'verified');
  const other = project.store(0);
  const names = new Map<string, string>();
  for (let round = 0; round < (scope.isFull ? 10 : 1); round += 1) {
    for (const [index, forgery] of FORGERIES.entries()) {
      if (scope.signal.aborted) return tally.outcome();
      const victim = { ...project.store(1 + round * FORGERIES.length + index), other };
      project.place(victim.fingerprint, forgery.make(victim));
      names.set(victim.fingerprint, forgery.name);
      tally.addPoint();
    }
  }
  const { stdout, status } = project.run(['verify', '--json']);
  const { problems } = JSON.parse(stdout.toString('utf8')) as { problems: { fingerprint: string }[] };
  const named = new Set(problems.map(({ fingerprint }) => fingerprint));
  for (const [fingerprint, name] of names)
    if (!named.has(fingerprint)) tally.addWrongBytes(`${name}: not named by verify`);
  if (named.size > names.size) tally.addLost(`verify names ${named.size - names.size} good entries`);
  if (status !== 1) tally.addFailedNextRun(`verify ended with ${status}`);
  return tally.outcome();
}

/** A remembered failure that nobody had: the user's compilation would be said to fail. */
async function forgeFailures(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  const project = new SignedProject(scope, 'failures');
  for (let index = 0; index < (scope.isFull ? 50 : 4); index += 1) {
    if (scope.signal.aborted) break;
    const { fingerprint, bytes } = project.store(index);
    const failure = makeFailure(fingerprintFrom(fingerprint), { lastAtMs: Date.now() - 1000 });
    const signing = index % 2 === 0 ? null : signingOf(keyOf(FOREIGN));
    const record = Buffer.from(encodeRecord(failure, hashOf, signing));
    project.place(fingerprint, { record });
    if (project.compile(null).outcome !== 'remembered-failure')
      tally.addFailedNextRun('a forged failure fools nobody, so it shows nothing');
    project.place(fingerprint, { record });
    tally.addPoint();
    const made = project.compile();
    if (made.status !== 0 || made.output?.equals(bytes) !== true)
      tally.addWrongBytes(`failure ${index}: ${made.outcome}`);
    if (project.compile().outcome !== 'disk') tally.addFailedNextRun(`failure ${index} was not replaced`);
  }
  return tally.outcome();
}

const COMMON = { group: 'signed', needs: ['wat2wasm'] } as const;

export const FORGED: readonly Experiment[] = [
  { ...COMMON, fault: 'a forged artifact', where: 'get', run: forging(getServesNone, 10) },
  { ...COMMON, fault: 'a forged artifact', where: 'compile', run: forging(compileMakesIt, 8) },
  { ...COMMON, fault: 'a forged artifact', where: 'verify', run: forgeForVerify },
  { ...COMMON, fault: 'a forged failure', where: 'compile', run: forgeFailures },
];
