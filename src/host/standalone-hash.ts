// oxlint-disable typescript/no-require-imports -- an import would load at every start what is needed late or never.
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { ADDON_TRAILER_BYTES, addonBytesIn } from './attached-addon.js';
import { nativeBlake3, type Blake3 } from './hash.js';
import type * as portableHash from './portable-hash.js';
import { libC } from './standalone-libc.js';

const OWN_FILE = '/proc/self/exe';
const COPY_BYTES = 65_536;
/** Programs that we start must not inherit the descriptor. */
const MFD_CLOEXEC = 1;

/**
 * Loads the addon that is attached to the executable, by way of a file that exists in memory only.
 * @throws where the system allows no such file or no program in it, and where nothing is attached.
 */
function loadAttachedAddon(): unknown {
  const memory = libC()?.memfd_create(Buffer.from('vyre-cache-addon\0'), MFD_CLOEXEC) ?? -1;
  if (memory < 0) throw new Error('no file in memory');
  try {
    copyAddon(memory);
    const loaded = { exports: {} };
    process.dlopen(loaded, `/proc/self/fd/${memory}`);
    return loaded.exports;
  } finally {
    closeSync(memory);
  }
}

function copyAddon(target: number): void {
  const executable = openSync(OWN_FILE, 'r');
  try {
    const end = fstatSync(executable).size - ADDON_TRAILER_BYTES;
    const trailer = Buffer.alloc(ADDON_TRAILER_BYTES);
    readSync(executable, trailer, 0, ADDON_TRAILER_BYTES, end);
    const bytes = addonBytesIn(trailer);
    if (bytes === null) throw new Error('no addon is attached');
    const buffer = Buffer.allocUnsafe(COPY_BYTES);
    for (let position = end - bytes; position < end;) {
      const count = readSync(executable, buffer, 0, Math.min(COPY_BYTES, end - position), position);
      if (count === 0) throw new Error('the executable was cut');
      for (let done = 0; done < count;) done += writeSync(target, buffer, done, count - done);
      position += count;
    }
  } finally {
    closeSync(executable);
  }
}

function attachedAddon(): unknown {
  try {
    return loadAttachedAddon();
  } catch {
    // Best effort: without the addon the portable implementation does the same work, slower.
    return null;
  }
}

/** Loaded where it is needed: its tables take longer to make than a hit. */
function portable(): Blake3 {
  return (require('./portable-hash.js') as typeof portableHash).portableBlake3;
}

/** Loaded at the first use: a call that hashes nothing does not wait for it. */
export function lazyBlake3(): Blake3 {
  let loaded: Blake3 | null = null;
  const implementation = (): Blake3 => {
    loaded ??= nativeBlake3(attachedAddon()) ?? portable();
    return loaded;
  };
  return {
    get name() {
      return implementation().name;
    },
    create: () => implementation().create(),
    createKeyed: (key) => implementation().createKeyed(key),
    digest: (bytes) => implementation().digest(bytes),
    text: (bytes) => implementation().text(bytes),
    matches: (bytes, footer, start) => implementation().matches(bytes, footer, start),
  };
}
