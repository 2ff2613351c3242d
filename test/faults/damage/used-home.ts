import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CompileRequest } from '../../../src/index.js';
import { eventually } from '../../support/eventually.js';
import { writePvf } from '../../support/other-caches.js';
import type { Cleanup } from '../../support/temporary-folder.js';
import { settled } from '../../support/shortcuts.js';
import { Workbench, type RunOptions } from '../../support/workbench.js';

/** What a user asks for again and again. */
export interface UsedRequest {
  readonly name: string;
  readonly request: CompileRequest;
  /** The same as words of `compile`. */
  readonly words: readonly string[];
}

/** How the requests of {@link UsedHome} are answered while nothing is damaged. */
export const EXPECTED_OUTCOMES = ['disk', 'disk', 'remembered-failure', 'disk'] as const;

/** A home after real use: whatever private file a command makes lies in it. */
export class UsedHome {
  readonly bench: Workbench;
  readonly requests: readonly UsedRequest[];

  private constructor(bench: Workbench) {
    this.bench = bench;
    const gcc = ['gcc', '-O1', '-c', '{input}', '-o', '{output}'];
    this.requests = [
      this.#request('with a header', { inputs: ['main.c'], outputs: ['main.o'], command: gcc }),
      this.#request('pending', { inputs: ['late.c'], outputs: ['late.o'], command: gcc }),
      this.#request('that fails', { inputs: ['wrong.c'], outputs: ['wrong.o'], command: gcc }),
      this.#request('with two outputs', {
        inputs: ['in.txt'],
        outputs: ['one', 'two'],
        command: ['sh', '-c', 'tee "$2" "$3" < "$1"', 'sh', '{input}', '{output:1}', '{output:2}'],
      }),
    ];
  }

  #request(name: string, given: Pick<CompileRequest, 'inputs' | 'outputs' | 'command'>): UsedRequest {
    const { inputs, outputs, command } = given;
    const words = [...inputs, ...outputs.flatMap((path) => ['-o', path]), '--', ...command];
    return { name, request: this.bench.request(given), words };
  }

  get foreignRoot(): string {
    return join(this.bench.folder, 'pvf-artifacts');
  }

  get configFolder(): string {
    return join(this.bench.home, '.config', 'vyre-cache');
  }

  static async make(t: Cleanup): Promise<UsedHome> {
    const home = new UsedHome(Workbench.make(t));
    await home.#use();
    return home;
  }

  async #use(): Promise<void> {
    const { bench } = this;
    bench.write('shared.h', 'int shared(void);\n');
    bench.write(
      'main.c',
      '#include "shared.h"\n#warning said on stderr\nint main(void) { return shared(); }\n',
    );
    bench.write('late.c', '#include "shared.h"\nint late(void) { return 2; }\n');
    bench.write('wrong.c', '#include "shared.h"\nint wrong(void) { nonsense }\n');
    bench.write('in.txt', 'text');
    mkdirSync(this.configFolder, { recursive: true });
    writeFileSync(join(this.configFolder, 'config.toml'), 'care_max_size = "9GiB"\n\n[prune]\nttl = "30d"\n');
    bench.write('vyre-cache.toml', 'lock_timeout = "5m"\n');
    await this.#run(['config', 'trust']);
    const [withHeader, pending, failing, twoOutputs] = this.requests;
    await this.#run(['compile', 'in.txt', '-o', 'rot.txt', '--', 'cp', '{input}', '{output}']);
    await this.#quarantineEverything();
    await this.#run(['compile', ...(withHeader?.words ?? [])]);
    const slow = ['compile', 'in.txt', '-o', 'slow', '--', 'sh', '-c', 'sleep 1; cp "$1" "$2"', 'sh'];
    for (let time = 0; time < 2; time += 1) await this.#run([...slow, '{input}', '{output}']);
    await this.#run(['compile', ...(twoOutputs?.words ?? [])]);
    await this.#run(['compile', ...(failing?.words ?? [])], { status: 1 });
    await this.#run(['compile', ...(withHeader?.words ?? [])]);
    for (let time = 0; time < 2; time += 1) {
      await this.#run([
        'compile',
        '--refresh',
        '--stdout',
        'random',
        '--',
        'head',
        '-c',
        '8',
        '/dev/urandom',
      ]);
    }
    const tooLarge = ['compile', 'in.txt', '-o', 'large', '--', 'cp', '{input}', '{output}'];
    await this.#run(tooLarge, { environment: { VYRE_CACHE_MAX_PAYLOAD: '1B' } });
    writePvf(this.foreignRoot);
    await this.#run(['verify', this.foreignRoot, '--seal']);
    await this.#run(['stats']);
    await this.#run(['flush']);
    await this.#run(['compile', ...(pending?.words ?? [])]);
    await settled(bench.folder);
    for (const repeated of [withHeader, twoOutputs]) await this.#run(['compile', ...(repeated?.words ?? [])]);
    await this.#leaveWorker();
  }

  async #run(
    words: readonly string[],
    {
      status = 0,
      environment = {},
    }: { readonly status?: number; readonly environment?: RunOptions['environment'] } = {},
  ): Promise<void> {
    const ended = await this.bench.run(words, { environment });
    if (ended.status === status) return;
    throw new Error(`expected ${words.join(' ')} to exit ${status}: ${ended.stderr.toString('utf8')}`);
  }

  async #quarantineEverything(): Promise<void> {
    const { bench } = this;
    for (const fingerprint of bench.entries()) writeFileSync(bench.entryPath(fingerprint), 'rot');
    await this.#run(['verify', '--quarantine'], { status: 1 });
  }

  /** A compilation that was killed, with what it had in the home. */
  async #leaveWorker(): Promise<void> {
    const { bench } = this;
    const victim = bench.start([
      'compile',
      'in.txt',
      '-o',
      'never',
      '--',
      'tail',
      '-f',
      '{input}',
      '{output}',
    ]);
    await eventually('the compiler runs', () =>
      bench.workers().some((name) => lines(join(bench.root, name, 'owner')) === 2),
    );
    victim.kill('SIGKILL');
    await victim.ended;
    for (const pid of bench.processes()) process.kill(pid, 'SIGKILL');
  }

  /** Fingerprints and payloads of the entries. */
  payloads(): ReadonlyMap<string, Buffer> {
    return new Map(
      this.bench.entries().map((fingerprint) => {
        const bytes = readFileSync(this.bench.entryPath(fingerprint));
        return [fingerprint, bytes.subarray(0, -32)];
      }),
    );
  }
}

function lines(path: string): number {
  try {
    return readFileSync(path, 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}
