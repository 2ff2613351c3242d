import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { errnoOf } from '../model/error.js';

/** A process as `/proc/<pid>/stat` describes it. */
export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Start time in clock ticks since boot: with the pid it names a process for the life of the machine. */
  readonly startTicks: number;
  /** A zombie has ended and waits to be reaped. */
  readonly zombie: boolean;
  readonly residentBytes: number;
}

/** What a process that is gone answers, one of somebody else, and a platform without /proc. */
const UNTOLD: ReadonlySet<string | null> = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM']);

/**
 * Decoded behind the read: where it is asked for text, Node aborts when the file cannot be closed.
 * @throws the errno error of a read that would have answered.
 */
function readText(path: string): string | null {
  try {
    return readFileSync(path).toString('utf8');
  } catch (error) {
    if (UNTOLD.has(errnoOf(error))) return null;
    throw error;
  }
}

/** Null for whatever reason. */
function readTextQuietly(path: string): string | null {
  try {
    return readText(path);
  } catch (error) {
    // Best effort: what asks this takes no answer for an answer.
    if (errnoOf(error) === null) throw error;
    return null;
  }
}

/** What `/proc/<pid>/stat` counts in: 4 KiB on x64, up to 64 KiB on arm64. Of use where the kernel does not tell. */
const USUAL_PAGE_BYTES = 4096;
/** The entry of the auxiliary vector that holds the size of a page (`AT_PAGESZ`). */
const PAGE_SIZE_KEY = 6n;
let knownPageBytes: number | null = null;

/** The size of a page in the auxiliary vector that the kernel gives to each process: pairs of u64; null without one. */
export function pageBytesIn(vector: Buffer): number | null {
  for (let offset = 0; offset + 16 <= vector.byteLength; offset += 16) {
    if (vector.readBigUInt64LE(offset) !== PAGE_SIZE_KEY) continue;
    const bytes = Number(vector.readBigUInt64LE(offset + 8));
    return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null;
  }
  return null;
}

function pageBytes(): number {
  knownPageBytes ??= readPageBytes() ?? USUAL_PAGE_BYTES;
  return knownPageBytes;
}

function readPageBytes(): number | null {
  try {
    return pageBytesIn(readFileSync('/proc/self/auxv'));
  } catch {
    // Best effort: without /proc there is no process to count pages of either.
    return null;
  }
}

/** Decodes a line of `/proc/<pid>/stat`; the name in brackets may hold spaces and brackets itself. */
function parseProcStat(text: string): ProcessInfo | null {
  const nameEnd = text.lastIndexOf(')');
  const pid = Number.parseInt(text, 10);
  if (nameEnd < 0 || !Number.isSafeInteger(pid)) return null;
  const fields = text.slice(nameEnd + 2).split(' ');
  const at = (index: number): number => Number(fields[index]);
  const found = {
    pid,
    parent: at(1),
    group: at(2),
    session: at(3),
    startTicks: at(19),
    zombie: fields[0] === 'Z' || fields[0] === 'X',
    residentBytes: at(21) * pageBytes(),
  };
  return Number.isFinite(found.startTicks) && Number.isFinite(found.group) ? found : null;
}

function parseIfTold(text: string | null): ProcessInfo | null {
  return text === null ? null : parseProcStat(text);
}

export function info(pid: number): ProcessInfo | null {
  return parseIfTold(readTextQuietly(statFile(pid)));
}

function statFile(pid: number): string {
  return `/proc/${pid}/stat`;
}

export function list(): readonly ProcessInfo[] {
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch (error) {
    // Best effort: a platform without /proc; the caller then knows only the group.
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  const found: ProcessInfo[] = [];
  for (const name of names) {
    if (!/^[0-9]+$/.test(name)) continue;
    const process = parseIfTold(readText(statFile(Number(name))));
    if (process !== null) found.push(process);
  }
  return found;
}

export function variableOf(pid: number, name: string): string | null {
  const text = readText(`/proc/${pid}/environ`);
  if (text === null) return null;
  const prefix = `${name}=`;
  for (const assignment of text.split('\0')) {
    if (assignment.startsWith(prefix)) return assignment.slice(prefix.length);
  }
  return null;
}

/** Of this start of the machine; null where it cannot be told. */
export function bootId(): string | null {
  return readTextQuietly('/proc/sys/kernel/random/boot_id')?.trim() ?? null;
}

export function pidNamespace(): string | null {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    // Best effort: without namespaces in sight, a leftover of another place is left alone for a day.
    return null;
  }
}
