import { dirname } from 'node:path';
import { lstatOrNull, statOrNull, type Files, type FileStat, type OpenFlags } from '../host/files.js';
import type { Host } from '../host/host.js';
import type { Processes } from '../host/processes.js';
import type { HomePaths } from '../layouts/vyre/home-paths.js';
import { errnoOf } from '../model/error.js';
import { answerOf, deviceIn, LOOK_END, NOTHING, PART_END, type LookKind } from './looks.js';
import { isSettled } from './stamps.js';

interface Seen {
  readonly kind: LookKind;
  readonly path: string;
  readonly answer: string;
  /** False where a later look may see the same although something has changed. */
  readonly isProof: boolean;
  /** The job of a batch in whose turns alone it was looked at; {@link ANY_JOB} for other looks. */
  readonly job: number;
}

const ANY_JOB = -1;

/** What a job of a batch names and no other job does. */
export interface OwnFiles {
  /** What it reads. */
  readonly read: ReadonlySet<string>;
  readonly outputs: ReadonlySet<string>;
}

export interface BatchLooks {
  /** What all jobs depend on. */
  readonly shared: string;
  /** By job, what it depends on besides; none where its looks prove nothing. */
  readonly own: ReadonlyMap<number, string>;
}

/** What opens a file to read what is in it. */
const READING: ReadonlyMap<OpenFlags, LookKind> = new Map([
  ['read', 'lstat'],
  ['scan', 'lstat'],
  ['follow', 'stat'],
]);

/**
 * Notes what is looked at through its host until {@link stop}: what a call comes to is the same as long as all of that
 * is. A look that failed, and a program that was asked, are no proof of anything.
 */
export class RecordedLooks {
  /** The one that is given, observed. */
  readonly host: Host;
  readonly #given: Host;
  /** By path, one of each kind. */
  readonly #seen = new Map<string, Seen[]>();
  #isOver = false;
  #isPaused = false;
  #hasAsked = false;
  #job = ANY_JOB;
  #isJudged: (path: string) => boolean = () => false;

  constructor(host: Host) {
    this.#given = host;
    this.host = {
      ...host,
      files: this.#observed(host.files),
      processes: this.#watched(host.processes),
    };
  }

  /** What is looked at from now on is what was delivered. */
  stop(): void {
    this.#isOver = true;
  }

  /** What is looked at meanwhile is looked at for this job of a batch. `work` waits for nothing. */
  inTurnOf<T>(job: number, work: () => T): T {
    this.#job = job;
    try {
      return work();
    } finally {
      this.#job = ANY_JOB;
      this.#isPaused = false;
    }
  }

  /** What is looked at meanwhile is remembered for other jobs, too. */
  forAllJobs<T>(work: () => T): T {
    const job = this.#job;
    this.#job = ANY_JOB;
    try {
      return work();
    } finally {
      this.#job = job;
    }
  }

  /** What is looked at in the rest of a turn is what was delivered. */
  pause(): void {
    this.#isPaused = true;
  }

  /** What the cache itself judges whenever it is used need not be noted from now on. */
  leaveOut(home: HomePaths): void {
    this.#isJudged = judging(home);
  }

  /** False after something that no look sees: then there is no list. */
  get isProof(): boolean {
    return !this.#hasAsked;
  }

  /** Nobody will ask for a list. */
  giveUp(): void {
    this.#isOver = true;
    this.#hasAsked = true;
    this.#seen.clear();
  }

  /**
   * The list of all looks but those at what the cache itself judges whenever it is used; null where it would prove
   * nothing.
   */
  listBeside(home: HomePaths): string | null {
    const counted = this.#counted(home);
    if (!counted.every(isListable) || !this.#areLocal(counted)) return null;
    const places = counted.filter(({ kind }) => kind === 'folder').map(({ path }) => path);
    return this.#listed(counted, places);
  }

  /**
   * {@link listBeside} for the jobs of a batch: a file that one job alone names, and that was looked at in its turns only,
   * is its own. What lies in the place of an output is judged by who delivers it.
   */
  listsBeside(home: HomePaths, files: ReadonlyMap<number, OwnFiles>): BatchLooks | null {
    const counted = this.#counted(home);
    if (!this.#areLocal(counted.filter(isListable))) return null;
    const shared: Seen[] = [];
    const own = new Map<number, Seen[]>([...files.keys()].map((job) => [job, []]));
    for (const look of counted) {
      const named = files.get(look.job);
      if (named?.outputs.has(look.path) === true) continue;
      const isOwn = named !== undefined && isOwnLook(look, named, home);
      const list = isOwn ? own.get(look.job) : shared;
      list?.push(look);
    }
    if (!shared.every(isListable)) return null;
    const places = new Set<string>();
    for (const { read, outputs } of files.values())
      for (const path of [...read, ...outputs]) places.add(dirname(path));
    const proven = [...own].filter(([, looks]) => looks.every(isListable));
    return {
      shared: this.#listed(shared, [...places].map(inside)),
      own: new Map(proven.map(([job, looks]) => [job, listOf(looks)])),
    };
  }

  /** What a list is made of; nothing that proves anything where a program was asked or looks go on. */
  #counted(home: HomePaths): readonly Seen[] {
    if (this.#hasAsked || !this.#isOver) return [UNPROVEN];
    const isJudged = judging(home);
    return [...this.#seen.values()].flat().filter(({ path }) => !isJudged(path));
  }

  /** Fewer looks that see as much. @param places where people work. */
  #listed(seen: readonly Seen[], places: readonly string[]): string {
    return listOf(this.#withFoldersForAbsent(withoutTargets(seen), places));
  }

  /**
   * Many names that are absent from one folder are absent as long as its names are as they are. Not from the folders in
   * which people work: there they change with each output.
   */
  #withFoldersForAbsent(seen: readonly Seen[], places: readonly string[]): readonly Seen[] {
    const absent = new Map<string, Seen[]>();
    for (const each of seen.filter(isAbsence)) {
      const folder = dirname(each.path);
      absent.set(folder, [...(absent.get(folder) ?? []), each]);
    }
    const lists = [...absent]
      .filter(([, looks]) => looks.length >= FOLDER_IS_SHORTER)
      .filter(([folder]) => !places.some((place) => place.startsWith(folder === '/' ? '/' : `${folder}/`)))
      .flatMap(([folder, looks]) => this.#listOf(folder, looks));
    const listed = new Set(lists.map(({ path }) => path));
    return [...lists, ...seen.filter((each) => !isAbsence(each) || !listed.has(dirname(each.path)))];
  }

  /** None for a folder that has changed a moment ago, or is not there. */
  #listOf(folder: string, absent: readonly Seen[]): readonly Seen[] {
    const { files } = this.#given;
    const stat = statOrNull(files, folder);
    if (stat?.type !== 'directory' || !this.#isSettled(stat)) return [];
    // Something may have appeared since it was looked for.
    if (!absent.every(({ path }) => statOrNull(files, path) === null)) return [];
    return [{ kind: 'list', path: folder, answer: answerOf('list', stat), isProof: true, job: ANY_JOB }];
  }

  /**
   * Whether all that is there lies where times are exact: not where other machines write, nor where the kernel makes up
   * what is read. A file system is asked once.
   */
  #areLocal(seen: readonly Seen[]): boolean {
    const paths = new Map(seen.map(({ path, answer }) => [deviceIn(answer), path]));
    paths.delete(null);
    try {
      return [...paths.values()].every((path) => this.#given.files.isLocal(path));
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return false;
    }
  }

  /** What is not replaced stays where it is: some of it is found out when it is asked for. */
  #watched(processes: Processes): Processes {
    const note = (): void => {
      this.#hasAsked = true;
    };
    const watched: Pick<Processes, 'start' | 'capture'> = {
      start: async (...given) => {
        note();
        return processes.start(...given);
      },
      capture: async (...given) => {
        note();
        return processes.capture(...given);
      },
    };
    return Object.setPrototypeOf(watched, processes) as Processes;
  }

  #observed(files: Files): Files {
    return {
      ...files,
      stat: (path) => this.#look('stat', path, () => files.stat(path)),
      lstat: (path) => this.#look('lstat', path, () => files.lstat(path)),
      open: (path, flags, mode) => {
        const kind = READING.get(flags);
        if (kind === undefined || this.#isBlindTo(path)) return files.open(path, flags, mode);
        const fd = this.#trying(kind, path, () => files.open(path, flags, mode));
        const stat = files.fstat(fd);
        const isProof = stat.type === 'file' && this.#isSettled(stat);
        this.#note(kind, path, answerOf(kind, stat), isProof);
        return fd;
      },
      isDirectory: (path) => {
        const answer = this.#trying('folder', path, () => files.isDirectory(path));
        this.#note('folder', path, String(answer), true);
        return answer;
      },
      readNames: (path) => this.#list(path, () => files.readNames(path)),
      readDirectory: (path) => this.#list(path, () => files.readDirectory(path)),
      scanDirectory: (path, visit) => {
        this.#list(path, () => {
          files.scanDirectory(path, visit);
        });
      },
      realpath: (path) => {
        try {
          const resolved = files.realpath(path);
          this.#note('real', path, resolved, true);
          return resolved;
        } catch (error) {
          // What leads nowhere is looked for as any other name: that throws nothing, and may go into the list of a folder.
          if (errnoOf(error) === 'ENOENT') this.#note('stat', path, NOTHING, true);
          else this.#note('real', path, '', false);
          throw error;
        }
      },
      readLink: (path) => {
        const target = this.#trying('lstat', path, () => files.readLink(path));
        const stat = lstatOrNull(files, path);
        this.#note('lstat', path, answerOf('lstat', stat), stat !== null && this.#isSettled(stat));
        return target;
      },
    };
  }

  #look(kind: 'stat' | 'lstat', path: string, look: () => FileStat | null): FileStat | null {
    const stat = this.#trying(kind, path, look);
    if (this.#isBlindTo(path)) return stat;
    const hasTimes = stat?.type === 'file' || stat?.type === 'link';
    this.#note(kind, path, answerOf(kind, stat), !hasTimes || this.#isSettled(stat));
    return stat;
  }

  #list<T>(path: string, list: () => T): T {
    const listed = this.#trying('list', path, list);
    this.#noteList(path);
    return listed;
  }

  #noteList(path: string): void {
    const stat = statOrNull(this.#given.files, path);
    this.#note('list', path, answerOf('list', stat), stat !== null && this.#isSettled(stat));
  }

  #trying<T>(kind: LookKind, path: string, look: () => T): T {
    try {
      return look();
    } catch (error) {
      this.#note(kind, path, '', false);
      throw error;
    }
  }

  #isBlindTo(path: string): boolean {
    return this.#isOver || this.#isPaused || this.#isJudged(path);
  }

  #note(kind: LookKind, path: string, answer: string, isProof: boolean): void {
    if (this.#isBlindTo(path)) return;
    const looks = this.#seen.get(path) ?? [];
    const at = looks.findIndex((look) => look.kind === kind);
    const before = looks[at];
    if (before === undefined) {
      looks.push({ kind, path, answer, isProof, job: this.#job });
      this.#seen.set(path, looks);
      return;
    }
    const isSame = before.isProof && before.answer === answer;
    const job = before.job === this.#job ? this.#job : ANY_JOB;
    looks[at] = { kind, path, answer, isProof: isProof && isSame, job };
  }

  #isSettled(stat: FileStat): boolean {
    return isSettled(stat, this.#given.clock.nowMs());
  }
}

/** From so many on. */
const FOLDER_IS_SHORTER = 3;

/** Stands for a look that proves nothing. */
const UNPROVEN: Seen = { kind: 'stat', path: '', answer: '', isProof: false, job: ANY_JOB };

function listOf(seen: readonly Seen[]): string {
  return seen.map(({ kind, path, answer }) => [kind, path, answer].join(PART_END)).join(LOOK_END);
}

/** A file that a job reads, where its links lead, and what was noted of its compilations. */
function isOwnLook({ kind, path, answer }: Seen, { read }: OwnFiles, home: HomePaths): boolean {
  if (path.startsWith(inside(home.dependencySets))) return true;
  return read.has(path) && (kind === 'real' || answer.startsWith('file '));
}

function isAbsence({ kind, answer }: Seen): boolean {
  return kind === 'stat' && answer === NOTHING;
}

/** Without looks at what a link leads to that have seen the same as those through the link. */
function withoutTargets(seen: readonly Seen[]): readonly Seen[] {
  const through = new Map(seen.map((each) => [`${each.kind} ${each.path}`, each.answer]));
  const targets = new Set(
    seen
      .filter(({ kind, path, answer }) => kind === 'real' && path !== answer)
      .map(({ path, answer }) => `${answer} ${through.get(`stat ${path}`)}`),
  );
  return seen.filter(({ kind, path, answer }) => kind !== 'lstat' || !targets.has(`${path} ${answer}`));
}

function isListable({ path, answer, isProof }: Seen): boolean {
  return isProof && path.startsWith('/') && ![path, answer].some((text) => /[\t\n\0]/.test(text));
}

/** Tells what the cache judges itself. What was noted of requests, and of what they have read, is none of it. */
function judging(home: HomePaths): (path: string) => boolean {
  const folders = new Set([home.root, home.store, home.private]);
  const judged = [home.store, home.private].map(inside);
  const noted = [home.requests, home.dependencySets].map(inside);
  return (path) => folders.has(path) || (beginsWith(path, judged) && !beginsWith(path, noted));
}

function inside(folder: string): string {
  return `${folder}/`;
}

function beginsWith(path: string, starts: readonly string[]): boolean {
  return starts.some((start) => path.startsWith(start));
}
