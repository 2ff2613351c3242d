import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../../src/host/host.js';
import { Examination, partName } from '../../src/layouts/examination.js';
import type { Format, Named, Section } from '../../src/layouts/layout.js';
import { damaged, type Verdict } from '../../src/layouts/verdict.js';
import { DEFAULT_MAX_PAYLOAD_BYTES } from '../../src/model/entry.js';
import { fakeHost } from './fake-host.js';

export interface Examined {
  readonly format: Format;
  readonly verdict: Verdict;
  readonly bytesRead: number;
  /** Of all that was read, as hex digits. */
  readonly digest: string;
}

export interface ExaminedSubject {
  readonly format: Format;
  readonly folder: string;
  readonly stem: string;
  /** Part numbers that a listing found; those that are there where it is left out. */
  readonly listed?: readonly number[];
}

/** Examines the artifact of which a file in a folder of this section is a part. */
export function examineAt(section: Section, folder: string, name: string, host: Host = fakeHost()): Examined {
  const { format, stem } = partNamed(section, name);
  const listed = readdirSync(folder).flatMap((each) => {
    const named = section.file(each);
    return named?.kind === 'part' && named.format === format && named.stem === stem ? [named.part] : [];
  });
  return examineSubject({ format, folder, stem, listed }, host);
}

/** What is in the place of a part counts as that part, whatever it is. */
export function examineSubject(subject: ExaminedSubject, host: Host = fakeHost()): Examined {
  const { format, folder, stem } = subject;
  const listed =
    subject.listed ??
    format.parts.flatMap((_, part) => {
      const path = join(folder, partName(format, part, stem));
      return lstatSync(path, { throwIfNoEntry: false }) === undefined ? [] : [part];
    });
  const present = listed.reduce((bits, part) => bits | (1 << part), 0);
  const examination = new Examination(host, {
    maxPayloadBytes: DEFAULT_MAX_PAYLOAD_BYTES,
    takesDigest: true,
  });
  const wholeness = format.wholeness(present);
  if (wholeness !== 'artifact') {
    const verdict: Verdict = wholeness === 'half' ? damaged('half-pair') : { kind: 'litter' };
    return { format, verdict, bytesRead: 0, digest: '' };
  }
  const verdict = examination.examine({ format, folder, stem, present });
  const digest = Buffer.from(examination.digest()).toString('hex');
  return { format, verdict, bytesRead: examination.bytesRead, digest };
}

/** The section of a folder in another one. */
export function sectionIn(section: Section, name: string): Section {
  const below = section.folder(name);
  if (below === null || below === 'private') throw new Error(`expected a section for "${name}"`);
  return below;
}

/** A part by its name. */
export function partNamed(section: Section, name: string): Named & { readonly kind: 'part' } {
  const named = section.file(name);
  if (named?.kind !== 'part')
    throw new Error(`expected "${name}" to be a part, got ${named?.kind ?? 'an alien'}`);
  return named;
}

/** A verdict in one word: the reason of damage, else the kind. */
export function wordOf(verdict: Verdict): string {
  return verdict.kind === 'damaged' ? verdict.reason : verdict.kind;
}

/** What a name is to a section, in one word. */
export function kindOf(section: Section, name: string): string {
  const named = section.file(name);
  if (named === null) return 'alien';
  return named.kind === 'part' ? `${named.format.name} ${named.part} of ${named.stem}` : named.kind;
}

/** Things that may lie where a file should be; each replaces what is there. */
export const NO_FILES: readonly (readonly [string, (path: string) => void])[] = [
  ['a folder', (path) => mkdirSync(path)],
  ['a FIFO', (path) => assert.equal(spawnSync('mkfifo', [path]).status, 0)],
  [
    'a link to a file',
    (path) => {
      writeFileSync(`${path}-target`, 'elsewhere');
      symlinkSync(`${path}-target`, path);
    },
  ],
  ['a link to nothing', (path) => symlinkSync('nowhere', path)],
];

export function replaceBy(path: string, make: (path: string) => void): void {
  rmSync(path, { force: true, recursive: true });
  make(path);
}
