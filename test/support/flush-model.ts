import { judgeLook, staysNoted, type FlushOutcome, type Look } from '../../src/maintenance/entry-sync.js';
import type { Fingerprint } from '../../src/model/fingerprint.js';
import {
  CLEAN_LIST,
  decodeNotes,
  EVERY,
  mergeNotes,
  noteOf,
  successorOf,
  type Notes,
} from '../../src/store/pending-list.js';
import { fingerprintFrom } from './artifacts.js';

/**
 * A small world of publishers, flushes and one who removes entries. Each takes one step at a time, in every order, and
 * may be killed before each of its steps. What a flush decides is decided by the functions of the product.
 */

/** A file of an entry. `version` 0: not there. It survives a power cut when its data and its name were synced. */
interface ModelFile {
  readonly version: number;
  readonly hasData: boolean;
  readonly hasName: boolean;
}

interface ModelEntry {
  readonly entry: ModelFile;
  readonly record: ModelFile;
}

/** What is written in a list. */
export interface ModelList {
  readonly header: boolean;
  /** Bits of the fingerprints. */
  readonly notes: number;
  /** Somebody was killed while writing: the last line has no end. */
  readonly torn: boolean;
  /** Too long to be read and to be added to. */
  readonly full: boolean;
}

const PUBLISHER_STEPS = ['lock', 'note', 'record', 'entry', 'unlock', 'ended'] as const;
type PublisherStep = (typeof PUBLISHER_STEPS)[number];

interface Publisher {
  readonly step: PublisherStep;
}

const FLUSH_STEPS = [
  'begin',
  'leave',
  'probe',
  'sync-entry',
  'sync-record',
  'folder',
  'note',
  'drop',
  'ended',
] as const;
type FlushStep = (typeof FLUSH_STEPS)[number];
const FOUND: readonly Look['found'][] = ['synced', 'absent', 'failed'];
const OUTCOMES: readonly (FlushOutcome | null)[] = [null, 'flushed', 'gone', 'failed', 'pending'];

interface Flush {
  readonly step: FlushStep;
  /** Versions that were committed when it began, by fingerprint: `[entry, record]`. */
  readonly due: readonly (readonly [number, number])[];
  readonly noted: number;
  readonly every: boolean;
  /** Bits of the taken lists it answers for. */
  readonly lists: number;
  readonly item: number;
  readonly isHeld: boolean;
  readonly found: Look['found'];
  readonly outcomes: readonly (FlushOutcome | null)[];
  readonly failed: boolean;
}

interface ModelState {
  readonly entries: readonly ModelEntry[];
  readonly list: ModelList | null;
  /** Lists that were taken away, by the flush that did. */
  readonly taken: readonly (ModelList | null)[];
  /** The flush that holds the pending list alone; -1: nobody. */
  readonly exclusive: number;
  readonly publishers: readonly Publisher[];
  readonly flushes: readonly Flush[];
  readonly mayRemove: boolean;
  /** What the step that led here broke. */
  readonly broken: Violation | null;
}

/** How flushes and publishers behave; anything but {@link SOUND} is broken on purpose. */
export interface Rules {
  readonly judge: typeof judgeLook;
  readonly successor: typeof successorOf;
  readonly notesBeforeRename: boolean;
  readonly takes: 'rename' | 'truncate' | 'snapshot';
  readonly probesBeforeLook: boolean;
  readonly notesBeforeDrop: boolean;
}

export const SOUND: Rules = {
  judge: judgeLook,
  successor: successorOf,
  notesBeforeRename: true,
  takes: 'rename',
  probesBeforeLook: true,
  notesBeforeDrop: true,
};

/** Who does what in a world. */
export interface World {
  readonly fingerprints: number;
  /** The fingerprint of each publisher. */
  readonly publishers: readonly number[];
  readonly flushes: number;
  /** What is there before: entries that are not durable and noted. */
  readonly oldEntries: readonly number[];
  readonly list: ModelList | null;
  readonly mayRemove: boolean;
  /** Syncs, notes and new lists may fail. */
  readonly mayFail: boolean;
  readonly mayKill: boolean;
}

const NO_FILE: ModelFile = { version: 0, hasData: false, hasName: false };
const NO_ENTRY: ModelEntry = { entry: NO_FILE, record: NO_FILE };
const OLD_VERSION = 1;
export const CLEAN: ModelList = { header: true, notes: 0, torn: false, full: false };
const ENDED: Flush = {
  step: 'ended',
  due: [],
  noted: 0,
  every: false,
  lists: 0,
  item: 0,
  isHeld: false,
  found: 'absent',
  outcomes: [],
  failed: false,
};

const BEGIN: Flush = { ...ENDED, step: 'begin' };

function fingerprintOf(index: number): Fingerprint {
  return fingerprintFrom('ab'[index] ?? '');
}

const decoded = new Map<string, Notes>();

/** What the product reads in a list. */
function read(list: ModelList | null): Notes {
  if (list === null || list.full) return EVERY;
  const key = `${list.header} ${list.torn} ${list.notes}`;
  const known = decoded.get(key) ?? decodeNotes(bytesOf(list));
  decoded.set(key, known);
  return known;
}

function bytesOf({ header, notes, torn }: ModelList): Buffer {
  const lines = [0, 1].filter((index) => (notes & (1 << index)) !== 0).map(fingerprintOf);
  const start = header ? CLEAN_LIST : Buffer.alloc(0);
  return Buffer.concat([start, Buffer.from(lines.map(noteOf).join('')), Buffer.from(torn ? 'abc' : '')]);
}

function bitsOf(notes: Notes): number {
  return (notes.noted.has(fingerprintOf(0)) ? 1 : 0) | (notes.noted.has(fingerprintOf(1)) ? 2 : 0);
}

/** The list after an append. Who finds none begins one without the header; behind a torn line nothing can be read. */
function appended(list: ModelList | null, notes: number): ModelList {
  if (list === null) return { ...CLEAN, header: false, notes };
  return list.full || list.torn ? list : { ...list, notes: list.notes | notes };
}

function replaced<T>(items: readonly T[], index: number, item: T): readonly T[] {
  return items.map((each, at) => (at === index ? item : each));
}

function isDurable(file: ModelFile): boolean {
  return file.version === 0 || (file.hasData && file.hasName);
}

/** A model of one world under one set of rules. */
class FlushModel {
  readonly #rules: Rules;
  readonly #world: World;
  readonly #publisherSteps: readonly PublisherStep[];

  constructor(world: World, rules: Rules) {
    this.#world = world;
    this.#rules = rules;
    this.#publisherSteps = rules.notesBeforeRename
      ? PUBLISHER_STEPS
      : ['lock', 'record', 'entry', 'note', 'unlock', 'ended'];
  }

  start(): ModelState {
    const { fingerprints, publishers, flushes, oldEntries, list, mayRemove } = this.#world;
    const old: ModelFile = { version: OLD_VERSION, hasData: false, hasName: false };
    return {
      entries: Array.from({ length: fingerprints }, (_, index) =>
        oldEntries.includes(index) ? { entry: old, record: old } : NO_ENTRY,
      ),
      list,
      // One more than flushes: the one that looks whether a later flush gets everything done.
      taken: Array.from({ length: flushes + 1 }, () => null),
      exclusive: -1,
      publishers: publishers.map(() => ({ step: 'lock' })),
      flushes: Array.from({ length: flushes }, () => BEGIN),
      mayRemove,
      broken: null,
    };
  }

  /** Every state that one step of anybody leads to. */
  next(state: ModelState): readonly ModelState[] {
    const found: ModelState[] = [];
    for (const index of state.publishers.keys()) found.push(...this.#publisherNext(state, index));
    for (const index of state.flushes.keys()) {
      found.push(...this.#flushNext(state, index, this.#world.mayFail));
      if (this.#world.mayKill) found.push(...this.#flushKilled(state, index));
    }
    if (state.mayRemove) found.push(...this.#removed(state));
    return found;
  }

  #isHeld(state: ModelState, fingerprint: number): boolean {
    return state.publishers.some(
      ({ step }, index) =>
        this.#world.publishers[index] === fingerprint && step !== 'lock' && step !== 'ended',
    );
  }

  #removed(state: ModelState): readonly ModelState[] {
    return state.entries.flatMap(({ entry }, index) =>
      entry.version === 0 || this.#isHeld(state, index)
        ? []
        : [{ ...state, mayRemove: false, entries: replaced(state.entries, index, NO_ENTRY) }],
    );
  }

  #publisherNext(state: ModelState, index: number): readonly ModelState[] {
    const { step } = state.publishers[index] ?? { step: 'ended' };
    if (step === 'ended') return [];
    const fingerprint = this.#world.publishers[index] ?? 0;
    const at = (next: PublisherStep): readonly Publisher[] =>
      replaced(state.publishers, index, { step: next });
    const following = this.#publisherSteps[this.#publisherSteps.indexOf(step) + 1] ?? 'ended';
    const publishers = at(following);
    const killed: ModelState = { ...state, publishers: at('ended') };
    const kills = this.#world.mayKill && step !== 'lock' ? [killed] : [];
    const { entry, record } = state.entries[fingerprint] ?? NO_ENTRY;
    const fresh: ModelFile = { version: OLD_VERSION + 1 + index, hasData: false, hasName: false };
    const put = (made: ModelEntry): ModelState => ({
      ...state,
      publishers,
      entries: replaced(state.entries, fingerprint, made),
    });
    switch (step) {
      case 'lock':
        return this.#isHeld(state, fingerprint) ? [] : [{ ...state, publishers }];
      case 'note': {
        if (state.exclusive !== -1) return kills;
        const list = appended(state.list, 1 << fingerprint);
        const torn = { ...appended(state.list, 0), torn: true };
        const isTorn = kills.length > 0 ? [{ ...killed, list: torn }] : [];
        return [...kills, ...isTorn, { ...state, publishers, list }];
      }
      case 'record':
        return [...kills, put({ entry, record: fresh })];
      case 'entry':
        return [...kills, put({ entry: fresh, record })];
      case 'unlock':
        return [{ ...state, publishers }];
      default:
        return step satisfies never;
    }
  }

  #flushKilled(state: ModelState, index: number): readonly ModelState[] {
    const flush = state.flushes[index] ?? ENDED;
    if (flush.step === 'ended' || flush.step === 'begin') return [];
    const exclusive = state.exclusive === index ? -1 : state.exclusive;
    return [{ ...state, exclusive, flushes: replaced(state.flushes, index, ENDED) }];
  }

  #flushNext(state: ModelState, index: number, mayFail: boolean): readonly ModelState[] {
    const flush = state.flushes[index] ?? ENDED;
    const to = (changed: Partial<Flush>, rest: Partial<ModelState> = {}): ModelState => ({
      ...state,
      ...rest,
      flushes: replaced(state.flushes, index, { ...flush, ...changed }),
    });
    switch (flush.step) {
      case 'begin':
        return state.exclusive === -1 ? [this.#begun(state, index, to)] : [];
      case 'leave':
        return this.#leave(state, to, mayFail);
      case 'probe':
      case 'sync-entry':
      case 'sync-record':
        return this.#item(state, flush, to, mayFail);
      case 'folder':
        return this.#folder(state, flush, to, mayFail);
      case 'note':
      case 'drop':
        return this.#settle(state, flush, to, mayFail);
      case 'ended':
        return [];
      default:
        return flush.step satisfies never;
    }
  }

  /** Takes the pending lock and the list. */
  #begun(state: ModelState, index: number, to: To): ModelState {
    const { list } = state;
    const due = state.entries.map(
      ({ entry, record }) => [entry.version, entry.version === 0 ? 0 : record.version] as const,
    );
    const begun = { due, outcomes: state.entries.map(() => null) };
    const { takes } = this.#rules;
    const current = read(list);
    const isClean = !current.every && current.noted.size === 0;
    if (takes === 'rename' && isClean && state.taken.every((taken) => taken === null)) {
      return succeeded(state, { ...ENDED, ...begun }, to(ENDED));
    }
    if (takes !== 'rename') {
      const noted = { noted: bitsOf(current), every: current.every };
      return to({ step: 'probe', ...begun, ...noted }, takes === 'truncate' ? { list: CLEAN } : {});
    }
    // An empty list stands for one that is missing.
    const taken = replaced(state.taken, index, list ?? { ...CLEAN, header: false });
    return to({ step: 'leave', ...begun }, { exclusive: index, list: null, taken });
  }

  /** Reads what was taken away, leaves a clean list where it may, and lets the lock go. */
  #leave(state: ModelState, to: To, mayFail: boolean): readonly ModelState[] {
    const lists = state.taken.flatMap((list, slot) => (list === null ? [] : [1 << slot]));
    const notes = mergeNotes(state.taken.filter((list) => list !== null).map(read));
    const isQuiet = !state.entries.some((_, index) => this.#isHeld(state, index));
    const taken = {
      step: this.#rules.probesBeforeLook ? 'probe' : 'sync-entry',
      noted: bitsOf(notes),
      every: notes.every,
      lists: lists.reduce((sum, bit) => sum | bit, 0),
    } as const;
    const free = { exclusive: -1 };
    if (this.#rules.successor(notes, { isQuiet }) === 'none') return [to(taken, free)];
    const failing = mayFail ? [to({ ...taken, failed: true }, free)] : [];
    return [...failing, to(taken, { ...free, list: CLEAN })];
  }

  /** The look at one entry: probe, entry, record; those that are neither noted nor looked for are passed over. */
  #item(state: ModelState, flush: Flush, to: To, mayFail: boolean): readonly ModelState[] {
    const { item } = flush;
    const files = state.entries[item];
    const first = this.#rules.probesBeforeLook ? 'probe' : 'sync-entry';
    if (files === undefined) return this.#folder(state, flush, to, mayFail);
    const isNoted = (flush.noted & (1 << item)) !== 0;
    if (!flush.every && !isNoted) return [to({ step: first, item: item + 1 })];
    const judged = (look: Look, rest: Partial<ModelState>): ModelState => {
      const outcome = this.#rules.judge(look);
      const outcomes = replaced(flush.outcomes, item, outcome === 'gone' && !isNoted ? null : outcome);
      const step = item + 1 < state.entries.length ? first : 'folder';
      return to({ step, item: item + 1, outcomes, isHeld: false, found: 'absent' }, rest);
    };
    const looked = (found: Look['found'], rest: Partial<ModelState> = {}): ModelState =>
      this.#rules.probesBeforeLook
        ? judged({ isHeld: flush.isHeld, found }, rest)
        : to({ step: 'probe', found }, rest);
    if (flush.step === 'probe') {
      const isHeld = isNoted && this.#isHeld(state, item);
      return [
        this.#rules.probesBeforeLook
          ? to({ step: 'sync-entry', isHeld })
          : judged({ isHeld, found: flush.found }, {}),
      ];
    }
    if (flush.step === 'sync-record') {
      const record = { ...files.record, hasData: files.record.version !== 0 };
      return [looked('synced', { entries: replaced(state.entries, item, { ...files, record }) })];
    }
    if (files.entry.version === 0) return [looked('absent')];
    const entry = { ...files.entry, hasData: true };
    const synced = to(
      { step: 'sync-record' },
      { entries: replaced(state.entries, item, { ...files, entry }) },
    );
    return mayFail ? [looked('failed'), synced] : [synced];
  }

  #folder(state: ModelState, flush: Flush, to: To, mayFail: boolean): readonly ModelState[] {
    const step = this.#rules.notesBeforeDrop ? 'note' : 'drop';
    const named = (file: ModelFile): ModelFile => ({ ...file, hasName: file.version !== 0 });
    const entries = state.entries.map(({ entry, record }) => ({
      entry: named(entry),
      record: named(record),
    }));
    const outcomes = flush.outcomes.map((outcome) => (outcome === 'flushed' ? 'failed' : outcome));
    const failing = mayFail ? [to({ step, outcomes, failed: true })] : [];
    return [...failing, to({ step }, { entries })];
  }

  /** Notes again what stays, then drops the taken lists one by one. */
  #settle(state: ModelState, flush: Flush, to: To, mayFail: boolean): readonly ModelState[] {
    const { notesBeforeDrop } = this.#rules;
    if (flush.step === 'note') {
      const stays = flush.outcomes.reduce(
        (sum, outcome, item) => (outcome !== null && staysNoted(outcome) ? sum | (1 << item) : sum),
        0,
      );
      if (stays !== 0 && state.exclusive !== -1) return [];
      const list = stays === 0 ? state.list : appended(state.list, stays);
      const noted = notesBeforeDrop
        ? to({ step: 'drop' }, { list })
        : succeeded(state, flush, to({ ...ENDED }, { list }));
      return stays !== 0 && mayFail ? [to({ ...ENDED }), noted] : [noted];
    }
    const slot = state.taken.findIndex((list, each) => list !== null && (flush.lists & (1 << each)) !== 0);
    if (slot !== -1) {
      const lists = flush.lists & ~(1 << slot);
      return [to({ lists }, { taken: replaced(state.taken, slot, null) })];
    }
    const list = this.#rules.takes === 'snapshot' ? CLEAN : state.list;
    if (!notesBeforeDrop) return [to({ step: 'note', lists: 0 }, { list })];
    return [succeeded(state, flush, to({ ...ENDED }, { list }))];
  }

  /** A flush that nobody disturbs, after all others have ended. @returns what it leaves behind. */
  flushAlone(state: ModelState): ModelState {
    const index = state.taken.length - 1;
    let current: ModelState = {
      ...state,
      flushes: [...state.flushes, ...Array.from({ length: index + 1 - state.flushes.length }, () => BEGIN)],
    };
    while (current.flushes[index]?.step !== 'ended') {
      const [following] = this.#flushNext(current, index, false);
      if (following === undefined) throw new Error('expected a flush that is alone to go on');
      current = following;
    }
    return current;
  }
}

type To = (changed: Partial<Flush>, rest?: Partial<ModelState>) => ModelState;

/**
 * The end of a flush, which reports success unless something failed: then every file that was there when it began, and
 * was not replaced since, is durable.
 */
function succeeded(state: ModelState, flush: Flush, end: ModelState): ModelState {
  if (flush.failed || flush.outcomes.includes('failed')) return end;
  const isKept = flush.due.every(([entryVersion, recordVersion], index) => {
    const { entry, record } = state.entries[index] ?? NO_ENTRY;
    if (entryVersion === 0 || entry.version === 0) return true;
    const isEntryKept = entry.version !== entryVersion || isDurable(entry);
    return isEntryKept && (record.version !== recordVersion || isDurable(record));
  });
  return isKept ? end : { ...end, broken: 'promise' };
}

export type Violation = 'promise' | 'unnoted' | 'stuck';

/** True when every entry that a power cut may lose is noted on disk: whoever is alive may be killed at any moment. */
function allNoted(state: ModelState): boolean {
  const { noted, every } = mergeNotes([state.list, ...state.taken.filter((list) => list !== null)].map(read));
  return (
    every ||
    state.entries.every(
      ({ entry, record }, index) =>
        entry.version === 0 || (isDurable(entry) && isDurable(record)) || noted.has(fingerprintOf(index)),
    )
  );
}

/** What lies on disk. */
function diskKeyOf(state: ModelState): string {
  const codes: number[] = [];
  for (const { version, hasData, hasName } of state.entries.flatMap(({ entry, record }) => [entry, record])) {
    codes.push(version * 4 + (hasData ? 2 : 0) + (hasName ? 1 : 0));
  }
  for (const list of [state.list, ...state.taken]) {
    const flags =
      (list?.header === true ? 4 : 0) + (list?.torn === true ? 2 : 0) + (list?.full === true ? 1 : 0);
    codes.push(list === null ? 0 : 1 + list.notes * 8 + flags);
  }
  return String.fromCharCode(...codes);
}

/** Who is where. */
function actorsKeyOf(state: ModelState): string {
  const codes: number[] = [state.exclusive + 1, state.mayRemove ? 1 : 0];
  for (const { step } of state.publishers) codes.push(PUBLISHER_STEPS.indexOf(step));
  for (const flush of state.flushes) {
    codes.push(FLUSH_STEPS.indexOf(flush.step));
    if (flush.step === 'ended' || flush.step === 'begin') continue;
    const flags = (flush.every ? 4 : 0) + (flush.isHeld ? 2 : 0) + (flush.failed ? 1 : 0);
    codes.push(flush.noted, flush.lists, flush.item * 8 + flags, FOUND.indexOf(flush.found));
    codes.push(...flush.outcomes.map((outcome) => OUTCOMES.indexOf(outcome)));
    codes.push(...flush.due.map(([entry, record]) => entry * 8 + record));
  }
  return String.fromCharCode(...codes);
}

export interface Exploration {
  readonly states: number;
  readonly violation: Violation | null;
}

/** Visits every state of a world, the nearest first, until a promise is broken. */
export function explore(world: World, rules: Rules = SOUND): Exploration {
  const model = new FlushModel(world, rules);
  const start = model.start();
  const seen = new Set<string>([diskKeyOf(start) + actorsKeyOf(start)]);
  /** By what lies on disk. */
  const noted = new Map<string, boolean>();
  const settled = new Map<string, boolean>();
  const violationOf = (state: ModelState, disk: string): Violation | null => {
    if (state.broken !== null) return state.broken;
    if (!remembered(noted, disk, () => allNoted(state))) return 'unnoted';
    const isSound = !isOver(state) || remembered(settled, disk, () => isSettled(model.flushAlone(state)));
    return isSound ? null : 'stuck';
  };
  let front: ModelState[] = [start];
  while (front.length > 0) {
    const following: ModelState[] = [];
    for (const next of front.flatMap((state) => model.next(state))) {
      const disk = diskKeyOf(next);
      const key = disk + actorsKeyOf(next);
      const violation = seen.has(key) && next.broken === null ? null : violationOf(next, disk);
      if (violation !== null) return { states: seen.size, violation };
      if (seen.has(key)) continue;
      seen.add(key);
      following.push(next);
    }
    front = following;
  }
  return { states: seen.size, violation: null };
}

function remembered(known: Map<string, boolean>, key: string, find: () => boolean): boolean {
  const value = known.get(key) ?? find();
  known.set(key, value);
  return value;
}

function isOver({ publishers, flushes }: ModelState): boolean {
  return [...publishers, ...flushes].every(({ step }) => step === 'ended');
}

/** Nothing is pending any more: a clean list, no other one, and every entry durable. */
function isSettled({ entries, list, taken }: ModelState): boolean {
  return (
    list !== null &&
    list.header &&
    !list.torn &&
    list.notes === 0 &&
    taken.every((each) => each === null) &&
    entries.every(({ entry, record }) => entry.version === 0 || (isDurable(entry) && isDurable(record)))
  );
}
