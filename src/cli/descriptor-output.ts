import { fstatSync, writeSync } from 'node:fs';
import { errnoOf } from '../model/error.js';
import { lostBytes, outputStream, type NodeOutput, type OutputStream } from './streams.js';

export interface DescriptorOptions {
  readonly name: 'stdout' | 'stderr';
  readonly fd: 1 | 2;
  /** The runtime's stream on the same descriptor. */
  readonly stream: () => NodeOutput;
}

/**
 * An output of the process, written without the runtime's stream as long as that is not needed: Bun takes longer to make
 * one than for all else that a hit does. A terminal, and a pipe that takes no more without waiting, get the stream.
 */
export function descriptorOutput({ name, fd, stream }: DescriptorOptions): OutputStream {
  let through: OutputStream | null = null;
  let closed = false;
  let failure: Error | null = null;
  const instead = (): OutputStream => {
    through ??= outputStream(name, stream());
    return through;
  };
  const terminal = (): OutputStream | null => (mayBeTerminal(fd) ? instead() : null);
  return {
    get isTerminal() {
      return terminal()?.isTerminal ?? false;
    },
    get columns() {
      return terminal()?.columns ?? 0;
    },
    write(chunk) {
      if (closed || chunk.length === 0) return;
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      if (through !== null) {
        through.write(bytes);
        return;
      }
      let done = 0;
      try {
        while (done < bytes.byteLength) done += writeSync(fd, bytes, done, bytes.byteLength - done);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        if (errnoOf(error) === 'EAGAIN') {
          // The stream waits until somebody reads on.
          instead().write(bytes.subarray(done));
          return;
        }
        closed = true;
        if (errnoOf(error) !== 'EPIPE') failure = error;
      }
    },
    async flush() {
      await through?.flush();
      if (failure === null) return;
      const cause = failure;
      failure = null;
      throw lostBytes(name, cause);
    },
  };
}

/** `/dev/null` and its like: major number 1 on Linux. */
const MEMORY_DEVICES = 1;

/** False as well for a descriptor that is closed: writing to it says so. */
function mayBeTerminal(fd: number): boolean {
  try {
    const stats = fstatSync(fd);
    return stats.isCharacterDevice() && stats.rdev >>> 8 !== MEMORY_DEVICES;
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return false;
  }
}
