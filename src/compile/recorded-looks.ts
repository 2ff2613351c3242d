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
  readonly #seen = new Map<string, Seen>();
  #isOver = false;
  #hasAsked = false;

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

  /**
   * The list of all looks but those at what the cache itself judges whenever it is used; null where it would prove
   * nothing.
   */
  listBeside(home: HomePaths): string | null {
    if (this.#hasAsked || !this.#isOver) return null;
    const isJudged = judging(home);
    const counted = [...this.#seen.values()].filter(({ path }) => !isJudged(path));
    if (!counted.every(isListable) || !this.#areLocal(counted)) return null;
    return this.#shortened(counted)
      .map(({ kind, path, answer }) => [kind, path, answer].join(PART_END))
      .join(LOOK_END);
  }

  /** Fewer looks that see as much. */
  #shortened(seen: readonly Seen[]): readonly Seen[] {
    return this.#withFoldersForAbsent(withoutTargets(seen));
  }

  /**
   * Many names that are absent from one folder are absent as long as its names are as they are. Not from the folders in
   * which people work: there they change with each output.
   */
  #withFoldersForAbsent(seen: readonly Seen[]): readonly Seen[] {
    const absent = new Map<string, Seen[]>();
    for (const each of seen.filter(isAbsence)) {
      const folder = dirname(each.path);
      absent.set(folder, [...(absent.get(folder) ?? []), each]);
    }
    const places = seen.filter(({ kind }) => kind === 'folder').map(({ path }) => path);
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
    return [{ kind: 'list', path: folder, answer: answerOf('list', stat), isProof: true }];
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
        if (kind === undefined) return files.open(path, flags, mode);
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

  #note(kind: LookKind, path: string, answer: string, isProof: boolean): void {
    if (this.#isOver) return;
    const key = `${kind}${PART_END}${path}`;
    const before = this.#seen.get(key);
    const isSame = before === undefined || (before.isProof && before.answer === answer);
    this.#seen.set(key, { kind, path, answer, isProof: isProof && isSame });
  }

  #isSettled(stat: FileStat): boolean {
    return isSettled(stat, this.#given.clock.nowMs());
  }
}

/** From so many on. */
const FOLDER_IS_SHORTER = 3;

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
