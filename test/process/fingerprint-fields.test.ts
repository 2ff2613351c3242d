import assert from 'node:assert/strict';
import { appendFileSync, copyFileSync, cpSync, lstatSync, mkdirSync, renameSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemHost } from '../../src/host/host.js';
import type { CompileRequest, FingerprintResult, Host } from '../../src/index.js';
import { findTool, has } from '../support/tools.js';
import { Workbench } from '../support/workbench.js';

/** A request and the outside it is made in. */
interface Asked {
  readonly bench: Workbench;
  readonly request: CompileRequest;
  readonly host?: Host;
}

interface Change {
  readonly name: string;
  /** Changes files, or gives another request. */
  change(asked: Asked): Partial<CompileRequest> | { readonly host: Host } | void;
}

interface Telling extends Change {
  /** The fields that differ afterwards, each matched by one of these, and each of these matching one. */
  readonly fields: readonly RegExp[];
}

async function fingerprintOf({ bench, request, host }: Asked): Promise<FingerprintResult> {
  const cache = bench.open(host === undefined ? {} : { host });
  try {
    return await cache.fingerprint(request);
  } finally {
    await cache.close();
  }
}

async function afterwards(asked: Asked, change: Change): Promise<FingerprintResult> {
  const changed = change.change(asked) ?? {};
  if ('host' in changed) return fingerprintOf({ ...asked, host: changed.host });
  return fingerprintOf({ ...asked, request: { ...asked.request, ...changed } });
}

function differing(a: FingerprintResult, b: FingerprintResult): readonly string[] {
  const values = (result: FingerprintResult): ReadonlyMap<string, string> =>
    new Map(result.fields.map((field) => [field.name, JSON.stringify(field)]));
  const [left, right] = [values(a), values(b)];
  const names = new Set([...left.keys(), ...right.keys()]);
  return [...names].filter((name) => left.get(name) !== right.get(name)).toSorted();
}

async function tells(asked: Asked, change: Telling): Promise<void> {
  const before = await fingerprintOf(asked);
  const after = await afterwards(asked, change);
  assert.notEqual(after.fingerprint, before.fingerprint);
  const names = differing(before, after);
  for (const name of names) {
    assert.ok(
      change.fields.some((field) => field.test(name)),
      `did not expect another ${name}`,
    );
  }
  for (const field of change.fields) {
    assert.ok(
      names.some((name) => field.test(name)),
      `expected another ${field}, got ${names.join(', ')}`,
    );
  }
}

async function doesNotTell(asked: Asked, change: Change): Promise<void> {
  const before = await fingerprintOf(asked);
  const after = await afterwards(asked, change);
  assert.deepEqual(differing(before, after), []);
  assert.equal(after.fingerprint, before.fingerprint);
}

/** A compiler of its own, and a request that uses everything that can be said about a compilation. */
function full(t: TestContext): Asked {
  const bench = Workbench.make(t);
  for (const folder of ['bin', 'bin2', 'out', 'out2']) mkdirSync(bench.path(folder));
  // A copy and never a link: bytes are appended to it.
  copyFileSync(findTool('cp') ?? '', bench.path('bin/mycc'));
  bench.script('bin/helper', 'exec cat "$1"');
  bench.write('in.txt', 'input');
  bench.write('second.txt', 'second');
  bench.write('dep.txt', 'dependency');
  bench.write('other.txt', 'other dependency');
  bench.write('option.conf', 'option');
  bench.write('response', 'response');
  bench.write('version', 'version 1\n');
  const request = bench.request({
    inputs: ['in.txt'],
    outputs: ['out/o.txt'],
    command: ['mycc', '-ab', 'c', '--config=option.conf', '@response', '{input}', '{output}'],
    deps: ['dep.txt', 'other.txt'],
    env: ['MODE'],
    keys: ['one', 'two'],
    tools: ['helper'],
    compilerVersion: 'cat version',
    environment: {
      ...bench.environment,
      PATH: `${bench.path('bin')}:${bench.environment['PATH'] ?? ''}`,
      MODE: 'a',
      OTHER: 'x',
      SOURCE_DATE_EPOCH: '1',
    },
  });
  return { bench, request };
}

function withEnvironment(
  request: CompileRequest,
  variables: Readonly<Record<string, string>>,
): Partial<CompileRequest> {
  return { environment: { ...request.environment, ...variables } };
}

function withMachine(machine: Partial<Host['machine']>): { readonly host: Host } {
  const host = systemHost();
  return { host: { ...host, machine: { ...host.machine, ...machine } } };
}

const TELLING: readonly Telling[] = [
  {
    name: 'an argument',
    change: ({ request }) => ({ command: request.command.with(2, 'd') }),
    fields: [/^arg\/000002$/],
  },
  {
    name: 'a byte that moves from one argument to the next',
    change: ({ request }) => ({ command: request.command.with(1, '-a').with(2, 'bc') }),
    fields: [/^arg\/000001$/, /^arg\/000002$/],
  },
  {
    name: 'an argument more',
    change: ({ request }) => ({ command: [...request.command, '-z'] }),
    fields: [/^arg\/000007$/],
  },
  {
    name: 'the order of the arguments',
    change: ({ request }) => ({ command: request.command.with(1, 'c').with(2, '-ab') }),
    fields: [/^arg\/000001$/, /^arg\/000002$/],
  },
  {
    name: 'how the program was typed',
    change: ({ request }) => ({ command: request.command.with(0, 'bin/mycc') }),
    fields: [/^arg\/000000$/],
  },
  {
    name: 'a key',
    change: () => ({ keys: ['one', '2'] }),
    fields: [/^key\/000001$/],
  },
  {
    name: 'the order of the keys',
    change: () => ({ keys: ['two', 'one'] }),
    fields: [/^key\/000000$/, /^key\/000001$/],
  },
  {
    name: 'a key more',
    change: () => ({ keys: ['one', 'two', ''] }),
    fields: [/^key\/000002$/],
  },
  {
    name: 'a variable of --env',
    change: ({ request }) => withEnvironment(request, { MODE: 'b' }),
    fields: [/^env\/MODE$/],
  },
  {
    name: 'a value of --env',
    change: () => ({ env: ['MODE=b'] }),
    fields: [/^env\/MODE$/],
  },
  {
    name: 'a name of --env',
    change: () => ({ env: ['MODE', 'OTHER'] }),
    fields: [/^env\/OTHER$/],
  },
  {
    name: 'an empty variable instead of one that is not set',
    change: ({ request }) => ({ env: ['MODE', 'NEW'], ...withEnvironment(request, { NEW: '' }) }),
    fields: [/^env\/NEW$/],
  },
  {
    name: 'the language of --env',
    change: () => ({ env: ['MODE', 'LC_ALL=C'] }),
    fields: [/^env\/LC_ALL$/],
  },
  {
    name: 'SOURCE_DATE_EPOCH',
    change: ({ request }) => withEnvironment(request, { SOURCE_DATE_EPOCH: '2' }),
    fields: [/^env\/SOURCE_DATE_EPOCH$/],
  },
  {
    name: 'SOURCE_DATE_EPOCH that is gone',
    change: ({ request }) => {
      const { SOURCE_DATE_EPOCH: _, ...environment } = request.environment;
      return { environment };
    },
    fields: [/^env\/SOURCE_DATE_EPOCH$/],
  },
  {
    name: 'the folder of PATH where the program is found',
    change: ({ bench, request }) => {
      copyFileSync(bench.path('bin/mycc'), bench.path('bin2/mycc'));
      return withEnvironment(request, { PATH: `${bench.path('bin2')}:${request.environment['PATH'] ?? ''}` });
    },
    fields: [/^env\/PATH$/],
  },
  {
    name: 'the working directory',
    change: ({ bench }) => {
      const other = join(bench.folder, 'elsewhere');
      cpSync(bench.project, other, { recursive: true });
      return { cwd: other };
    },
    fields: [/^cwd$/],
  },
  {
    name: 'the bytes of an input',
    change: ({ bench }) => {
      bench.write('in.txt', 'inpuT');
    },
    fields: [/^input\/in\.txt$/],
  },
  {
    name: 'the name of an input',
    change: ({ bench }) => {
      renameSync(bench.path('in.txt'), bench.path('renamed.txt'));
      return { inputs: ['renamed.txt'] };
    },
    fields: [/^arg\/000005$/, /^input\/in\.txt$/, /^input\/renamed\.txt$/],
  },
  {
    name: 'an input more',
    change: () => ({ inputs: ['in.txt', 'second.txt'] }),
    fields: [/^arg\//, /^input\/second\.txt$/],
  },
  {
    name: 'the bytes of a dependency',
    change: ({ bench }) => {
      bench.write('dep.txt', 'Dependency');
    },
    fields: [/^dep\/dep\.txt$/],
  },
  {
    name: 'a dependency less',
    change: () => ({ deps: ['other.txt'] }),
    fields: [/^dep\/dep\.txt$/],
  },
  {
    name: 'the bytes of a file behind = in an argument',
    change: ({ bench }) => {
      bench.write('option.conf', 'Option');
    },
    fields: [/^dep\/option\.conf$/],
  },
  {
    name: 'the bytes of a file behind @ in an argument',
    change: ({ bench }) => {
      bench.write('response', 'Response');
    },
    fields: [/^dep\/response$/],
  },
  {
    name: 'the base name of an output',
    change: () => ({ outputs: ['out/p.txt'] }),
    fields: [/^output\/000000$/],
  },
  {
    name: 'the folder of an output',
    change: () => ({ outputs: ['out2/o.txt'] }),
    fields: [/^output\/000000$/],
  },
  {
    name: 'an output more',
    change: () => ({ outputs: ['out/o.txt', 'out/p.txt'] }),
    fields: [/^arg\//, /^output\/000001$/],
  },
  {
    name: 'an output that is stdout instead of a file',
    change: ({ request }) => ({
      command: request.command.with(6, '{input}'),
      outputs: [],
      stdoutFile: 'out/o.txt',
    }),
    fields: [/^arg\/000006$/, /^output\/000000$/, /^stdout$/],
  },
  {
    name: 'the bytes of a tool',
    change: ({ bench }) => {
      bench.script('bin/helper', 'exec cat -A "$1"');
    },
    fields: [/^compiler\/tool\/helper$/],
  },
  {
    name: 'a tool less',
    change: () => ({ tools: [] }),
    fields: [/^compiler\//],
  },
  {
    name: 'what the compiler says of its version',
    change: ({ bench }) => {
      bench.write('version', 'version 2\n');
    },
    fields: [/^compiler\/version$/],
  },
  {
    name: 'the bytes of the compiler',
    change: ({ bench }) => {
      appendFileSync(bench.path('bin/mycc'), 'x');
    },
    fields: [/^compiler\/program$/],
  },
  { name: 'the operating system', change: () => withMachine({ platform: 'plan9' }), fields: [/^platform$/] },
  { name: 'the processor', change: () => withMachine({ arch: 'mips' }), fields: [/^arch$/] },
  {
    name: 'the promise that it is relocatable',
    change: () => ({ relocatable: true }),
    fields: [/^cwd$/, /^output\/000000$/],
  },
];

const SILENT: readonly Change[] = [
  {
    name: 'the order of the dependencies',
    change: () => ({ deps: ['other.txt', 'dep.txt'] }),
  },
  {
    name: 'a dependency that is named twice',
    change: () => ({ deps: ['dep.txt', 'other.txt', 'dep.txt'] }),
  },
  {
    name: 'a variable that is not named',
    change: ({ request }) => withEnvironment(request, { OTHER: 'y', NEW: 'z' }),
  },
  {
    name: 'the home of the user',
    change: ({ bench, request }) => withEnvironment(request, { HOME: bench.project, TMPDIR: bench.project }),
  },
  {
    name: 'the language and the time zone of the user',
    change: ({ request }) =>
      withEnvironment(request, { LC_ALL: 'de_DE.UTF-8', LANG: 'de_DE.UTF-8', TZ: 'Asia/Tokyo' }),
  },
  {
    name: 'a folder of PATH where nothing of this is found',
    change: ({ bench, request }) =>
      withEnvironment(request, {
        PATH: `${bench.path('bin2')}:${request.environment['PATH'] ?? ''}:/nowhere`,
      }),
  },
  {
    name: 'the order of the folders behind the one where the program is found',
    change: ({ bench, request }) => withEnvironment(request, { PATH: `${bench.path('bin')}:/bin:/usr/bin` }),
  },
  {
    name: 'the times of an input, a dependency and the compiler',
    change: ({ bench }) => {
      for (const name of ['in.txt', 'dep.txt', 'bin/mycc']) utimesSync(bench.path(name), 1, 1);
    },
  },
  {
    name: 'a file that lies beside the inputs',
    change: ({ bench }) => {
      bench.write('beside.txt', 'x');
    },
  },
];

describe('the fingerprint changes with', () => {
  for (const change of TELLING) {
    it(change.name, async (t) => {
      await tells(full(t), change);
    });
  }

  it('the bytes of a compiler that is a script, and of its interpreter', async (t) => {
    const bench = Workbench.make(t);
    bench.write('in.txt', 'input');
    // A copy and never a link: bytes are appended to it.
    copyFileSync(findTool('sh') ?? '', bench.path('mysh'));
    assert.ok(lstatSync(bench.path('mysh')).isFile());
    const write = (text: string): void => {
      bench.script('tool', text);
      bench.write('tool', `#!${bench.path('mysh')}\n${text}\n`);
    };
    write('cp "$1" "$2"');
    const request = bench.request({
      inputs: ['in.txt'],
      outputs: ['out.txt'],
      command: ['./tool', '{input}', '{output}'],
    });
    await tells(
      { bench, request },
      { name: '', change: () => write('cp -v "$1" "$2"'), fields: [/^compiler\/program$/] },
    );
    await tells(
      { bench, request },
      {
        name: '',
        change: () => {
          appendFileSync(bench.path('mysh'), 'x');
        },
        fields: [/^compiler\/interpreter\/mysh$/],
      },
    );
  });
});

describe('the fingerprint does not change with', () => {
  for (const change of SILENT) {
    it(change.name, async (t) => {
      await doesNotTell(full(t), change);
    });
  }

  it('the working directory and the folders of the outputs where the user says that they cannot matter', async (t) => {
    const { bench, request } = full(t);
    const relocatable = { ...request, relocatable: true };
    await doesNotTell(
      { bench, request: relocatable },
      { name: '', change: () => ({ outputs: ['out2/o.txt'] }) },
    );
    await doesNotTell(
      { bench, request: relocatable },
      {
        name: '',
        change: () => {
          const other = join(bench.folder, 'elsewhere');
          cpSync(bench.project, other, { recursive: true });
          return { cwd: other };
        },
      },
    );
  });
});

/** A C file that includes a header of a folder of the include path. */
function cSource(t: TestContext, flags: readonly string[] = []): Asked {
  const bench = Workbench.make(t);
  bench.write('a.c', '#include "config.h"\nint f(void) { return VALUE; }\n');
  bench.write('include/config.h', '#define VALUE 1\n');
  mkdirSync(bench.path('earlier'));
  mkdirSync(bench.path('out'));
  const request = bench.request({
    inputs: ['a.c'],
    outputs: ['a.o'],
    command: ['gcc', ...flags, '-Iearlier', '-Iinclude', '-c', '{input}', '-o', '{output}'],
  });
  return { bench, request };
}

describe('the fingerprint of a C compilation', () => {
  it('changes with a header that was discovered', async (t) => {
    if (!has(t, 'gcc')) return;
    await tells(cSource(t), {
      name: '',
      change: ({ bench }) => {
        bench.write('include/config.h', '#define VALUE 2\n');
      },
      fields: [/^dep\/include\/config\.h$/],
    });
  });

  it('changes with a header that appears earlier on the include path', async (t) => {
    if (!has(t, 'gcc')) return;
    await tells(cSource(t), {
      name: '',
      change: ({ bench }) => {
        bench.write('earlier/config.h', '#define VALUE 1\n');
      },
      fields: [/^dep\/earlier\/config\.h/, /^dep\/include\/config\.h/],
    });
  });

  it('changes with the project folder where debug information names it', async (t) => {
    if (!has(t, 'gcc')) return;
    await tells(cSource(t, ['-g']), {
      name: '',
      change: ({ bench }) => {
        const other = join(bench.folder, 'elsewhere');
        cpSync(bench.project, other, { recursive: true });
        return { cwd: other };
      },
      fields: [/^cwd$/],
    });
  });

  const silent: readonly Change[] = [
    {
      name: 'the project folder',
      change: ({ bench }) => {
        const other = join(bench.folder, 'elsewhere');
        cpSync(bench.project, other, { recursive: true });
        return { cwd: other };
      },
    },
    { name: 'the folder of the output', change: () => ({ outputs: ['out/a.o'] }) },
    {
      name: 'the home of the user',
      change: ({ bench, request }) => withEnvironment(request, { HOME: bench.project }),
    },
    {
      name: 'a header that nobody includes',
      change: ({ bench }) => {
        bench.write('include/unused.h', '#define VALUE 3\n');
      },
    },
    {
      name: 'the times of a header',
      change: ({ bench }) => {
        utimesSync(bench.path('include/config.h'), 1, 1);
      },
    },
    {
      name: "gcc's own variables, which it does not get",
      change: ({ bench, request }) =>
        withEnvironment(request, { CPATH: bench.path('earlier'), C_INCLUDE_PATH: '/', GCC_EXEC_PREFIX: '/' }),
    },
  ];
  for (const change of silent) {
    it(`does not change with ${change.name}`, async (t) => {
      if (!has(t, 'gcc')) return;
      await doesNotTell(cSource(t), change);
    });
  }
});
