import { readFileSync } from 'node:fs';
import type { Cache, CompileRequest, CompileResult } from '../../src/index.js';
import type { Ended, Workbench } from '../support/workbench.js';

/** Long enough for a busy machine; a lock that nobody gives back shows as a result that was not stored. */
const LOCK_TIMEOUT_SECONDS = 30;
const COMMAND = ['./tool', '{input}', '{output}'] as const;

/**
 * Prints on both streams and copies its input and the file `version`, which it does not declare: so a later run may
 * bring other bytes. It fails where its input says so, and hangs with a child that left its group where `hang` is.
 */
const TOOL = `echo said
echo warned >&2
if [ -e hang ]; then
  setsid sleep 600 &
  echo $$ > hanging
  sleep 600
fi
cat "$1" version > "$2"
! grep -q fails "$1"`;

/** Puts the compiler and its inputs into the project. */
export function writeProject(bench: Workbench): void {
  bench.script('tool', TOOL);
  bench.write('version', 'one');
  bench.write('in.txt', 'what is compiled, version ');
  bench.write('bad.txt', 'what fails, version ');
}

/** What the bare compiler gives. */
export interface Bare {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Of these one: a compiler may bring others each time. */
  readonly outputs: readonly string[];
}

export interface CompilationOptions {
  /** Makes its fingerprint and the name of its output. */
  readonly key: string;
  /** Where the compiler writes: into the worker directory, or to the real place. */
  readonly place: 'worker' | 'real';
  readonly input?: string;
  readonly refresh?: boolean;
}

/** In the place of bytes. */
export const NO_OUTPUT = 'no output';

/** One compilation as a call of the program, as a request of the library, and as its bare result. */
export class Compilation {
  readonly #options: CompilationOptions;
  readonly bare: Bare;

  constructor(options: CompilationOptions) {
    this.#options = options;
    const text = options.input === undefined ? 'what is compiled' : 'what fails';
    this.bare = {
      status: options.input === undefined ? 0 : 1,
      stdout: 'said\n',
      stderr: 'warned\n',
      outputs: ['one', 'two'].map((version) => `${text}, version ${version}`),
    };
  }

  get output(): string {
    return `${this.#options.key}.out`;
  }

  get #input(): string {
    return this.#options.input ?? 'in.txt';
  }

  get words(): readonly string[] {
    const { key, place, refresh } = this.#options;
    const flags = [
      ...(place === 'worker' ? ['--relocatable'] : []),
      ...(refresh === true ? ['--refresh'] : []),
    ];
    const limit = ['--lock-timeout', `${LOCK_TIMEOUT_SECONDS}s`];
    return [
      'compile',
      '-q',
      '--key',
      key,
      ...limit,
      ...flags,
      this.#input,
      '-o',
      this.output,
      '--',
      ...COMMAND,
    ];
  }

  /** For a manifest. */
  get job(): Readonly<Record<string, unknown>> {
    const { key, place } = this.#options;
    const relocatable = place === 'worker';
    return { inputs: [this.#input], outputs: [this.output], command: COMMAND, key: [key], relocatable };
  }

  /** From the library, in this process. */
  async compileWith(cache: Cache, bench: Workbench): Promise<CompileResult> {
    return cache.compile(this.#request(bench), { lockTimeoutMs: LOCK_TIMEOUT_SECONDS * 1000 });
  }

  /** The same as its words do: a fresh compilation where they ask for one. */
  async repeatWith(cache: Cache, bench: Workbench): Promise<CompileResult> {
    const { refresh = false } = this.#options;
    return cache.compile(this.#request(bench), { lockTimeoutMs: LOCK_TIMEOUT_SECONDS * 1000, refresh });
  }

  /** True when its entry is there with bytes of the compiler, before anybody compiles. */
  async isStored(cache: Cache, bench: Workbench): Promise<boolean> {
    const { fingerprint } = await cache.fingerprint(this.#request(bench));
    const found = await cache.get(fingerprint);
    return found.hit && this.bare.outputs.includes(Buffer.from(found.payload).toString('utf8'));
  }

  #request(bench: Workbench): CompileRequest {
    const { key, place } = this.#options;
    return bench.request({
      inputs: [this.#input],
      outputs: [this.output],
      keys: [key],
      relocatable: place === 'worker',
      command: COMMAND,
    });
  }

  /** What a call gave that the bare compiler would not have given, one line each. Lines of ours on stderr are allowed. */
  differences({ status, signal, stdout, stderr }: Ended): readonly string[] {
    const theirs = withoutOurs(stderr.toString('utf8'));
    const { bare } = this;
    return [
      ...(status === bare.status ? [] : [`status ${status ?? signal}: ${stderr.toString('utf8').trim()}`]),
      ...(stdout.toString('utf8') === bare.stdout ? [] : [`stdout "${stdout.toString('utf8')}"`]),
      ...(theirs === bare.stderr ? [] : [`stderr "${stderr.toString('utf8')}"`]),
    ];
  }

  /** The bytes that lie at the output where they are none of the compiler's; null: they are. */
  wrongBytes(bench: Workbench): string | null {
    const bytes = readOutput(bench.path(this.output));
    return bytes !== null && this.bare.outputs.includes(bytes) ? null : (bytes ?? NO_OUTPUT);
  }
}

function withoutOurs(stderr: string): string {
  return stderr.replaceAll(/^(?:vyre-cache|hint): .*\n/gm, '');
}

function readOutput(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
