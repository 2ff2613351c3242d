import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCache, type Cache } from '../../src/index.js';
import { encodeRecord } from '../../src/model/record.js';
import type { ArtifactRecord } from '../../src/model/record-head.js';
import { entryBytes, fingerprintFrom, hashOf, makeRecord } from '../support/artifacts.js';
import { keyOf, signingOf, writeKey } from '../support/signing-keys.js';
import { findTool, SEARCH_PATH } from '../support/tools.js';
import type { Scope } from './experiment.js';

/** The user's key, and one of somebody else. */
export const OURS = 1;
export const FOREIGN = 2;

export interface Answer {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** What a compilation came to, and the bytes that it delivered. */
export interface Compiled {
  readonly status: number | null;
  readonly outcome: string | null;
  readonly reason: string | null;
  readonly fingerprint: string;
  readonly output: Buffer | null;
}

/** Stored bytes of an artifact. */
export interface Stored {
  readonly entry: Buffer;
  readonly record: Buffer;
}

/** A project with a home of its own, compiled with a key by the real program and the real wat2wasm. */
export class SignedProject {
  readonly folder: string;
  readonly #scope: Scope;
  readonly #keys: ReadonlyMap<number, string>;

  constructor(scope: Scope, name: string) {
    this.#scope = scope;
    this.folder = join(scope.folder, name);
    mkdirSync(this.folder);
    this.#keys = new Map(
      [OURS, FOREIGN].map((byte) => [byte, writeKey(join(this.folder, `key-${byte}`), byte)]),
    );
  }

  get root(): string {
    return join(this.folder, 'cache');
  }

  /** The home with the user's key, in this process. */
  open(): Cache {
    return openCache({ root: this.root, keyFile: this.#keys.get(OURS) ?? null });
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Writes the source; the bytes that the compiler makes of it without a cache. */
  source(text: string): Buffer {
    writeFileSync(this.path('in.wat'), text);
    const output = this.path('expected.wasm');
    const { status, stderr } = spawnSync(findTool('wat2wasm') ?? '', ['in.wat', '-o', output], {
      cwd: this.folder,
    });
    if (status !== 0) throw new Error(`wat2wasm failed: ${stderr.toString('utf8')}`);
    return readFileSync(output);
  }

  /** Null: without a key. */
  run(args: readonly string[], key: number | null = OURS): Answer {
    const { program, words, options } = this.#call(args, key);
    const { status, stdout, stderr } = spawnSync(program, words, options);
    return { status, stdout, stderr: stderr.toString('utf8') };
  }

  /** The same, while this process goes on. */
  async start(args: readonly string[]): Promise<Answer> {
    const { program, words, options } = this.#call(args, OURS);
    return new Promise((resolve, reject) => {
      const child = spawn(program, words, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
      child.once('error', reject);
      child.once('close', (status) => {
        resolve({
          status,
          stdout: Buffer.concat(stdout),
          stderr: Buffer.concat(stderr).toString('utf8'),
        });
      });
    });
  }

  #call(args: readonly string[], key: number | null) {
    const [program = '', ...words] = this.#scope.program;
    const env = {
      PATH: SEARCH_PATH,
      HOME: this.folder,
      VYRE_CACHE_DIR: this.root,
      ...(key === null ? {} : { VYRE_CACHE_KEY_FILE: this.#keys.get(key) ?? '' }),
    };
    return { program, words: [...words, ...args], options: { cwd: this.folder, env } };
  }

  compile(key: number | null = OURS): Compiled {
    rmSync(this.path('out.wasm'), { force: true });
    const { status, stdout, stderr } = this.run(['compile', '--json', ...COMPILATION], key);
    const text = stdout.toString('utf8');
    if (!text.startsWith('{')) throw new Error(`expected a report, got ${text}${stderr}`);
    const { jobs } = JSON.parse(text) as { jobs: Omit<Compiled, 'status' | 'output'>[] };
    const [job] = jobs;
    if (job === undefined) throw new Error('expected one job');
    return { ...job, status, output: this.#output() };
  }

  #output(): Buffer | null {
    try {
      return readFileSync(this.path('out.wasm'));
    } catch {
      return null;
    }
  }

  /** Compiles a source of this number; what is stored of it, and the right bytes. */
  store(number: number): { readonly fingerprint: string; readonly bytes: Buffer; readonly stored: Stored } {
    const bytes = this.source(`(module (memory ${number + 1}))\n`);
    const { fingerprint, status } = this.compile();
    if (status !== 0) throw new Error('expected a compilation');
    return { fingerprint, bytes, stored: this.read(fingerprint) };
  }

  read(fingerprint: string): Stored {
    return {
      entry: readFileSync(this.storePath(fingerprint, 'bin')),
      record: readFileSync(this.storePath(fingerprint, 'json')),
    };
  }

  /** A part that is left out is removed. */
  place(fingerprint: string, { entry, record }: Partial<Stored>): void {
    for (const [suffix, bytes] of [
      ['bin', entry],
      ['json', record],
    ] as const) {
      const path = this.storePath(fingerprint, suffix);
      if (bytes === undefined) rmSync(path, { force: true });
      else writeFileSync(path, bytes, { mode: 0o600 });
    }
  }

  storePath(fingerprint: string, suffix: 'bin' | 'json'): string {
    return join(this.root, 'pipelines', `${fingerprint}.${suffix}`);
  }
}

export const COMPILATION: readonly string[] = [
  'in.wat',
  '-o',
  'out.wasm',
  '--',
  'wat2wasm',
  '{input}',
  '-o',
  '{output}',
];

/** An artifact as somebody makes it who knows the formats: its checksums fit. */
export function forged(
  fingerprint: string,
  { signedBy, about = {} }: { readonly signedBy: number | null; readonly about?: Partial<ArtifactRecord> },
): Stored {
  const payload = Buffer.from('forged');
  const outputs = [{ name: 'out.wasm', executable: true }];
  const record = makeRecord(fingerprintFrom(fingerprint), payload, { outputs, ...about });
  const signing = signedBy === null ? null : signingOf(keyOf(signedBy));
  return { entry: entryBytes(payload), record: Buffer.from(encodeRecord(record, hashOf, signing)) };
}
