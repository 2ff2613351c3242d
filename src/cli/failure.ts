import { CacheError, errnoOf, messageOf, type ErrorCode } from '../model/error.js';

/** Exit codes of ours (sysexits calls 70 a software error). */
export const EXIT = {
  ok: 0,
  negative: 1,
  usage: 2,
  environment: 3,
  bug: 70,
  notExecutable: 126,
  notFound: 127,
} as const;

const EXIT_OF: Readonly<Record<ErrorCode, number>> = {
  usage: EXIT.usage,
  environment: EXIT.environment,
  'not-found': EXIT.notFound,
  'not-executable': EXIT.notExecutable,
};

/** How the process ends because of what was thrown. */
export interface Failure {
  readonly exitCode: number;
  /** For people, on stderr. */
  readonly text: string;
  /** For `--json`, on stdout. */
  readonly document: {
    readonly schema: 'vyre-cache.error/1';
    readonly code: ErrorCode | 'bug';
    readonly message: string;
    readonly hint: string | null;
  };
}

/** One line and a hint for what the user can fix; the stack for a bug. */
export function describeFailure(thrown: unknown): Failure {
  const schema = 'vyre-cache.error/1';
  const error = isSystemError(thrown)
    ? new CacheError('environment', thrown.message, { cause: thrown })
    : thrown;
  if (error instanceof CacheError) {
    const { code, message, hint } = error;
    return {
      exitCode: EXIT_OF[code],
      text: problemLines(message, hint),
      document: { schema, code, message, hint },
    };
  }
  const message = messageOf(error);
  const stack = error instanceof Error && error.stack !== undefined ? error.stack : message;
  const hint = 'This is a bug in vyre-cache; please report it with the lines above.';
  return {
    exitCode: EXIT.bug,
    text: problemLines(stack, hint),
    document: { schema, code: 'bug', message, hint },
  };
}

/** A failed system call that nobody has given words of its own: the environment's, not a bug. */
function isSystemError(error: unknown): error is Error {
  return errnoOf(error) !== null && error instanceof Error && 'syscall' in error;
}

/** `vyre-cache: message`, and the hint below it. */
export function problemLines(message: string, hint: string | null = null): string {
  return `vyre-cache: ${message}\n${hint === null ? '' : `hint: ${hint}\n`}`;
}
