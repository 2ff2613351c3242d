/** What went wrong, for scripts: `usage` exits 2, `environment` exits 3, `not-found` 127, `not-executable` 126. */
export type ErrorCode = 'usage' | 'environment' | 'not-found' | 'not-executable';

export interface CacheErrorOptions {
  /** A sentence that says what to do. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** An error that the user can fix. The message states the expectation first and quotes the value that was found. */
export class CacheError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | null;

  constructor(code: ErrorCode, message: string, options: CacheErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CacheError';
    this.code = code;
    this.hint = options.hint ?? null;
  }
}

/** The errno name of a failed system call (`ENOENT`, `EACCES`, …), or null for any other value. */
export function errnoOf(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null;
  if (ERRNO.test(error.code)) return error.code;
  const isUnnamed = UNNAMED.test(error.code) && 'errno' in error && typeof error.errno === 'number';
  return isUnnamed ? nameOf(Math.abs(Number(error.errno))) : null;
}

/** What Node calls a failed system call of which libuv knows no name. */
const UNNAMED = /^(?:UNKNOWN$|Unknown system error)/;

/** Names of Linux that libuv lacks, for what file systems answer. */
const MORE_NAMES: ReadonlyMap<number, string> = new Map([
  [37, 'ENOLCK'],
  [116, 'ESTALE'],
  [117, 'EUCLEAN'],
  [121, 'EREMOTEIO'],
  [122, 'EDQUOT'],
]);

function nameOf(errno: number): string {
  return MORE_NAMES.get(errno) ?? `E${errno}`;
}

/** What a failed write of the cache is called: a full disk, or a quota that is used up, is the user's to mend. */
export function troubleKind(errno: string): 'no-space' | 'io-error' {
  return errno === 'ENOSPC' || errno === 'EDQUOT' ? 'no-space' : 'io-error';
}

/** Node's own codes (`ERR_…`) and ours are none. */
const ERRNO = /^E[A-Z0-9]+$/;

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
