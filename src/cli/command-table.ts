import type { CommandEntry } from './command.js';
import { getCommand } from './commands/get.js';

/**
 * Every command that exists, in the order of the help. A new one is a file in `commands/` and a row here. What a hit
 * needs is imported at once, because the bundle keeps that in one file; all else where it is used.
 */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'compile',
    summary: 'look up what a command would make, or run it and keep the result',
    load: async () => (await import('./commands/compile.js')).compileCommand,
  },
  {
    name: 'get',
    summary: 'read an artifact from the cache, without ever compiling',
    load: async () => Promise.resolve(getCommand),
  },
  {
    name: 'fingerprint',
    summary: 'show the key of a compilation and what it is made of',
    load: async () => (await import('./commands/fingerprint.js')).fingerprintCommand,
  },
  {
    name: 'verify',
    summary: 'check every byte of every artifact',
    load: async () => (await import('./commands/verify.js')).verifyCommand,
  },
  {
    name: 'stats',
    summary: 'show hits, misses and their reasons, sizes, ages and trouble',
    load: async () => (await import('./commands/stats.js')).statsCommand,
  },
  {
    name: 'ls',
    summary: 'list the entries',
    load: async () => (await import('./commands/ls.js')).lsCommand,
  },
  {
    name: 'rm',
    summary: 'remove entries',
    load: async () => (await import('./commands/rm.js')).rmCommand,
  },
  {
    name: 'prune',
    summary: 'remove entries by age, size, number or free space',
    load: async () => (await import('./commands/prune.js')).pruneCommand,
  },
  {
    name: 'gc',
    summary: 'remove garbage: left-overs of crashes, records without an entry, unused notes',
    load: async () => (await import('./commands/gc.js')).gcCommand,
  },
  {
    name: 'flush',
    summary: 'make entries durable, so that they survive a power cut',
    load: async () => (await import('./commands/flush.js')).flushCommand,
  },
  {
    name: 'config',
    summary: 'show the settings and where each comes from, or trust a project’s file',
    load: async () => (await import('./commands/config.js')).configCommand,
  },
];
