import type { CompileOptions } from '../../src/compile/request.js';

/** Of an ordinary compilation. */
export const COMPILE: CompileOptions = {
  timeoutMs: null,
  memoryBytes: null,
  lockTimeoutMs: 600_000,
  refresh: false,
  noCache: false,
  retryFailed: false,
  failureMemory: true,
};
