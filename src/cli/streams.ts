import { CacheError, errnoOf } from '../model/error.js';

/** The part of Node's output streams that is used here, so that tests can pass their own. */
export interface NodeOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(chunk: Uint8Array | string, done: (error?: Error | null) => void): boolean;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** One output of the process. Bytes go out in the order of the calls. */
export interface OutputStream {
  readonly isTerminal: boolean;
  /** 0 where the stream is no terminal, or one that does not know its width. */
  readonly columns: number;
  write(chunk: Uint8Array | string): void;
  /**
   * Waits until everything is out. A reader that has gone away is fine (B: `| head`): what follows is dropped.
   * @throws CacheError `environment` when bytes were lost otherwise.
   */
  flush(): Promise<void>;
}

export interface Terminal {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
}

/** Wraps a stream of Node. From then on its errors are ours: none of them crashes the process. */
export function outputStream(name: 'stdout' | 'stderr', output: NodeOutput): OutputStream {
  let failure: Error | null = null;
  let closed = false;
  let last: Promise<void> = Promise.resolve();
  const note = (error: Error): void => {
    closed = true;
    if (errnoOf(error) !== 'EPIPE') failure ??= error;
  };
  output.on('error', note);
  return {
    isTerminal: output.isTTY === true,
    // The user may resize the terminal.
    get columns() {
      return output.isTTY === true ? (output.columns ?? 0) : 0;
    },
    write(chunk) {
      if (closed || chunk.length === 0) return;
      const written = new Promise<void>((resolve) => {
        output.write(chunk, (error) => {
          if (error) note(error);
          resolve();
        });
      });
      last = Promise.all([last, written]).then(() => undefined);
    },
    async flush() {
      await last;
      if (failure === null) return;
      const cause = failure;
      failure = null;
      throw lostBytes(name, cause);
    },
  };
}

/** The error for bytes that did not get out. */
export function lostBytes(name: 'stdout' | 'stderr', cause: Error): CacheError {
  return new CacheError('environment', `${name} cannot be written (${errnoOf(cause) ?? cause.message})`, {
    cause,
  });
}
