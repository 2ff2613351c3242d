import { dlopen, read } from 'bun:ffi';

/** What is called of the C library itself, where Bun's own modules have no way to it. */
export interface LibC {
  readonly fcntl: (fd: number, command: number, lock: Uint8Array) => number;
  /** The name ends with a zero byte. */
  readonly memfd_create: (name: Uint8Array, flags: number) => number;
  /** Of the last call. */
  readonly errno: () => number;
}

let loaded: LibC | null | undefined = undefined;

/** Loaded at the first use; null where there is no glibc of 2018 or newer. */
export function libC(): LibC | null {
  if (loaded === undefined) loaded = loadOrNull();
  return loaded;
}

function loadOrNull(): LibC | null {
  try {
    return load();
  } catch {
    // Best effort: without it processes do not wait for each other, as under Node without its addon, and hashing is slow.
    return null;
  }
}

function load(): LibC {
  const { symbols } = dlopen('libc.so.6', {
    fcntl: { args: ['i32', 'i32', 'ptr'], returns: 'i32' },
    memfd_create: { args: ['ptr', 'i32'], returns: 'i32' },
    __errno_location: { args: [], returns: 'ptr' },
  });
  return {
    fcntl: symbols.fcntl,
    memfd_create: symbols.memfd_create,
    errno: () => {
      const location = symbols['__errno_location']();
      return location === null ? 0 : read.i32(location, 0);
    },
  };
}
