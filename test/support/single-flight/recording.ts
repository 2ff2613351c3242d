import { basename, dirname } from 'node:path';
import { systemFiles } from '../../../src/host/files.js';
import type { Host } from '../../../src/host/host.js';
import type { HomePaths } from '../../../src/layouts/vyre/home-paths.js';
import { isFingerprint } from '../../../src/model/fingerprint.js';
import { fingerprintByte, FINGERPRINT_BYTES } from '../../../src/store/lock-file.js';
import { fakeHost } from '../fake-host.js';
import type { Observation } from './path.js';

/** A call of the real code to the outside that may be a step of the protocol, in the order of all actors. */
export interface Call {
  readonly actor: string;
  readonly name:
    | 'lstat'
    | 'open'
    | 'rename'
    | 'unlink'
    | 'locked'
    | 'refused'
    | 'unlock'
    | 'start'
    | 'exited';
  /** Of `open`, whether it makes the file. */
  readonly makes?: boolean;
  /** What it is about; of a rename the target. */
  readonly path?: string;
  readonly from?: string;
  readonly offset?: number;
}

/** The real outside; whatever may be a step of the protocol is noted in `calls`. */
export function recordingHost(actor: string, calls: Call[]): Host {
  const host = fakeHost();
  const note = (call: Omit<Call, 'actor'>): void => {
    calls.push({ actor, ...call });
  };
  const { locks, processes } = host;
  return {
    ...host,
    files: {
      ...systemFiles,
      lstat: (path) => {
        note({ name: 'lstat', path });
        return systemFiles.lstat(path);
      },
      open: (path, flags, mode) => {
        note({ name: 'open', path, makes: flags.startsWith('create') });
        return systemFiles.open(path, flags, mode);
      },
      rename: (from, to) => {
        note({ name: 'rename', path: to, from });
        systemFiles.rename(from, to);
      },
      unlink: (path) => {
        note({ name: 'unlink', path });
        systemFiles.unlink(path);
      },
    },
    locks: {
      ...locks,
      tryLock: (fd, range) => {
        const granted = locks.tryLock(fd, range);
        note({ name: granted ? 'locked' : 'refused', offset: range.offset });
        return granted;
      },
      unlock: (fd, range) => {
        note({ name: 'unlock', offset: range.offset });
        locks.unlock(fd, range);
      },
    },
    processes: {
      ...processes,
      start: async (options, sinks) => {
        note({ name: 'start' });
        const running = await processes.start(options, sinks);
        const exited = running.exited.then((exit) => {
          note({ name: 'exited' });
          return exit;
        });
        return { ...running, exited };
      },
    },
  };
}

/** What the calls are in terms of the model, for callers who all ask for the same. */
export function observationsOf(calls: readonly Call[], home: HomePaths): readonly Observation[] {
  const entry = calls.find(({ name, path }) => name === 'rename' && isEntry(path))?.path;
  const complete = entry === undefined ? null : fingerprintByte(fingerprintOf(entry));
  const primary =
    calls.find(({ name, offset }) => name === 'locked' && isFingerprintByte(offset))?.offset ?? null;
  return calls.flatMap((call) => {
    const labels = labelsOf(call, { home, primary, complete });
    return labels === null ? [] : [{ actor: call.actor, ...labels }];
  });
}

interface Named {
  readonly home: HomePaths;
  readonly primary: number | null;
  readonly complete: number | null;
}

type Labels = Omit<Observation, 'actor'> | null;

/** Null: no step of the protocol. */
function labelsOf(call: Call, named: Named): Labels {
  const { name, path = '', offset } = call;
  switch (name) {
    case 'lstat':
      return looked(path, named.home);
    case 'open':
      return opened(call, named.home);
    case 'rename':
      return renamed(call, named.home);
    case 'unlink':
      if (dirname(path) !== named.home.store) return null;
      return exactly(isEntry(path) ? 'remove-entry' : 'remove-record');
    case 'locked':
      if (offset === named.primary) return exactly('lock');
      return offset === named.complete ? exactly('lock-complete') : null;
    case 'refused':
      return offset === named.primary || offset === named.complete ? possibly('wait', 'skip') : null;
    case 'unlock':
      if (offset === named.primary) return exactly('unlock');
      return offset === named.complete ? exactly('unlock-complete') : null;
    case 'start':
      return exactly('compile', 'compile-alone');
    case 'exited':
      return possibly('compiled');
    default:
      return name satisfies never;
  }
}

/** The code looks more often than the protocol does: what is no step of it changes nothing. */
function looked(path: string, home: HomePaths): Labels {
  if (dirname(path) === home.dependencySets) return possibly('look-entry', 'again-entry');
  if (dirname(path) !== home.store) return null;
  return isEntry(path) ? possibly('look-entry', 'again-entry') : possibly('look-record', 'again-record');
}

function opened({ path = '', makes }: Call, home: HomePaths): Labels {
  if (path === home.unstored && makes === true) return exactly('mark');
  if (makes !== true || !dirname(path).startsWith(home.workerDirectory(''))) return null;
  if (basename(path) === 'record') return exactly('stage-record');
  return basename(path) === 'entry' ? exactly('stage-entry') : null;
}

function renamed({ path = '', from = '' }: Call, home: HomePaths): Labels {
  if (path.startsWith(home.workerDirectory(''))) return exactly('make-worker');
  if (from.startsWith(home.workerDirectory('')) && dirname(path) === home.staging)
    return exactly('remove-worker');
  if (dirname(path) === home.store) return exactly(isEntry(path) ? 'rename-entry' : 'rename-record');
  if (dirname(path) === home.dependencySets) return exactly('remember-set');
  return basename(path).startsWith('out') ? exactly('deliver') : null;
}

function exactly(...labels: readonly string[]): Labels {
  return { labels, isOptional: false };
}

function possibly(...labels: readonly string[]): Labels {
  return { labels, isOptional: true };
}

function isEntry(path = ''): boolean {
  return path.endsWith('.bin');
}

function fingerprintOf(entry: string): Parameters<typeof fingerprintByte>[0] {
  const name = basename(entry, '.bin');
  if (!isFingerprint(name)) throw new Error(`expected the name of an entry, got "${name}"`);
  return name;
}

function isFingerprintByte(offset = 0): boolean {
  return offset >= FINGERPRINT_BYTES.offset;
}
