import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { CacheError } from '../../src/model/error.js';
import { systemHost, type Host } from '../../src/host/host.js';
import { declareEnvironment } from '../../src/compile/environment.js';
import { FileDigests } from '../../src/compile/file-digests.js';
import { Identifier, type Identity } from '../../src/compile/identity.js';
import { presetFor } from '../../src/compile/presets/registry.js';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import { describeProgram, resolveProgram } from '../../src/compile/program.js';
import { Stamps } from '../../src/compile/stamps.js';
import { plant, SEARCH_PATH, temporaryFolder } from './preset-runs.js';

interface Options {
  readonly cwd?: string;
  readonly searchPath?: string;
  readonly tools?: readonly string[];
  readonly compilerVersion?: string;
  readonly host?: Host;
  readonly identifier?: Identifier;
  readonly env?: readonly string[];
}

function newIdentifier(host: Host): Identifier {
  return new Identifier(host, new FileDigests(host, new Stamps(host, null)));
}

async function identify(command: readonly string[], options: Options = {}): Promise<Identity> {
  const host = options.host ?? systemHost();
  const { files } = host;
  const [typed = '', ...args] = command;
  const cwd = options.cwd ?? '/';
  const searchPath = options.searchPath ?? SEARCH_PATH;
  const find = (name: string): string => resolveProgram({ typed: name, searchPath, cwd, files });
  const path = find(typed);
  const program = describeProgram(path, { files, searchPath, cwd });
  const tools = (options.tools ?? []).map((tool) => ({ typed: tool, path: find(tool) }));
  const preset = presetFor(typed.split('/').at(-1) ?? '');
  const environment = declareEnvironment({
    caller: { PATH: searchPath },
    program,
    tools: tools.map((tool) => tool.path),
    presetVariables: [],
    requested: options.env ?? [],
  }).variables;
  const line = { typed, program: path, args, inputs: [], outputs: [], cwd, environment };
  const request = {
    line,
    program,
    preset,
    facts: preset?.facts(line) ?? null,
    tools,
    compilerVersion: options.compilerVersion ?? null,
  };
  return (options.identifier ?? newIdentifier(host)).identify(request);
}

function namesOf(identity: Identity): readonly string[] {
  return identity.fields.map((field) => field.name).toSorted();
}

function valueOf(identity: Identity, name: string): string | null {
  const field = identity.fields.find((candidate) => candidate.name === name);
  if (field === undefined) return null;
  if (field.kind === 'digest') return field.digest;
  return field.kind === 'absent' ? '' : field.text;
}

function script(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

describe('programs whose files say it all', () => {
  test('gcc: the program, what it starts, and the libraries of all of them', async () => {
    const identity = await identify(['gcc', '-c', 'a.c']);
    const names = namesOf(identity);
    for (const name of ['program', 'tool/cc1', 'tool/as', 'library/libisl.so.23', 'library/libgmp.so.10']) {
      assert.ok(names.includes(`compiler/${name}`), names.join(' '));
    }
    assert.equal(identity.uncovered, null);
    assert.ok(
      identity.fields.every((field) => field.kind === 'digest'),
      'nothing but digests',
    );
  });

  test('wat2wasm', async () => {
    const identity = await identify(['wat2wasm', 'a.wat']);
    assert.deepEqual(namesOf(identity), [
      'compiler/library/libgcc_s.so.1',
      'compiler/library/libstdc++.so.6',
      'compiler/program',
    ]);
    assert.equal(identity.uncovered, null);
  });

  test('a program that no preset knows', async () => {
    assert.equal((await identify(['sort', 'x'])).uncovered, null);
  });

  test('another byte in the program is another identity', async () => {
    const root = temporaryFolder();
    copyFileSync('/usr/bin/wat2wasm', join(root, 'wat2wasm'));
    const before = await identify(['./wat2wasm'], { cwd: root });
    assert.equal(
      valueOf(before, 'compiler/program'),
      valueOf(await identify(['wat2wasm']), 'compiler/program'),
    );
    writeFileSync(join(root, 'wat2wasm'), 'x', { flag: 'a' });
    const after = await identify(['./wat2wasm'], { cwd: root });
    assert.notEqual(valueOf(before, 'compiler/program'), valueOf(after, 'compiler/program'));
  });
});

describe('programs without an identity of their own', () => {
  const root = temporaryFolder();

  for (const command of [
    ['python3', 'gen.py'],
    ['perl', '-e', '1'],
    ['sh', '-c', 'true'],
    ['make'],
    ['env', 'gcc'],
    ['ccache', 'gcc'],
    ['nice', 'gcc'],
    ['node', '-e', '0'],
  ]) {
    test(`${command.join(' ')} is not covered, and the line says what to do`, async (t) => {
      const { uncovered, fields } = await identify(command).catch((error: unknown) => {
        if (!(error instanceof CacheError && error.code === 'not-found')) throw error;
        t.skip(`"${command[0]}" is missing: apt-get install the Debian package of that name`);
        return { uncovered: 'skipped --deps --tool', fields: [] };
      });
      assert.ok(
        uncovered?.includes('--deps') && uncovered.includes('--tool') && !uncovered.includes('\n'),
        String(uncovered),
      );
      if (fields.length > 0) assert.ok(fields.some((field) => field.name === 'compiler/program'));
    });
  }

  test('an interpreter under another name is still one', async () => {
    symlinkSync('/usr/bin/dash', join(root, 'compiler'));
    assert.notEqual((await identify(['./compiler'], { cwd: root })).uncovered, null);
  });

  test('a compiler that is a link to ccache is asked for its version', async () => {
    symlinkSync('/usr/bin/ccache', join(root, 'gcc'));
    const identity = await identify(['./gcc', '-c', 'a.c'], { cwd: root });
    assert.ok(valueOf(identity, 'compiler/preset-version')?.includes('12.2.0'), namesOf(identity).join(' '));
    assert.equal(identity.uncovered, null);
  });

  test('a script: its digest, its interpreter and nothing more', async () => {
    script(join(root, 'tool'), '#!/usr/bin/env sh\necho');
    const identity = await identify(['./tool'], { cwd: root });
    assert.deepEqual(namesOf(identity), [
      'compiler/interpreter/env',
      'compiler/interpreter/sh',
      'compiler/program',
    ]);
    assert.notEqual(identity.uncovered, null);
  });

  test('a shim of pyenv is a script whose python is not known', async () => {
    script(join(root, 'shims/python3'), '#!/usr/bin/env bash\nexec /usr/bin/python3 "$@"\n');
    const identity = await identify(['python3', 'gen.py'], {
      searchPath: `${root}/shims:${SEARCH_PATH}`,
      cwd: root,
    });
    assert.ok(namesOf(identity).includes('compiler/interpreter/bash'));
    assert.notEqual(identity.uncovered, null);
  });
});

describe('what covers a script', () => {
  const root = temporaryFolder();
  const tool = (name: string): string => script(join(root, name), '#!/bin/sh\necho');

  test('a package.json with a version above it, links resolved', async () => {
    tool('node_modules/cc/bin/cc.js');
    plant(root, {
      'node_modules/cc/package.json': '{"name":"cc","version":"1.2.3"}',
      'node_modules/cc/bin/package.json': '{"type":"module"}',
    });
    mkdirSync(join(root, 'node_modules/.bin'));
    symlinkSync('../cc/bin/cc.js', join(root, 'node_modules/.bin/cc-tool'));
    const identity = await identify(['node_modules/.bin/cc-tool'], { cwd: root });
    assert.equal(valueOf(identity, 'compiler/package-version'), 'cc@1.2.3');
    assert.ok(namesOf(identity).includes('compiler/package'));
    assert.equal(identity.uncovered, null);
    plant(root, { 'node_modules/cc/package.json': '{"name":"cc","version":"1.2.4"}' });
    assert.equal(
      valueOf(await identify(['node_modules/.bin/cc-tool'], { cwd: root }), 'compiler/package-version'),
      'cc@1.2.4',
    );
  });

  test('the package of the script that an interpreter runs', async () => {
    const identity = await identify(['node', 'node_modules/cc/bin/cc.js', 'in'], {
      cwd: root,
      searchPath: `${dirname(process.execPath)}:${SEARCH_PATH}`,
    });
    assert.equal(valueOf(identity, 'compiler/package-version'), 'cc@1.2.4');
    assert.equal(identity.uncovered, null);
  });

  test('code on the command line has no package', async () => {
    const identity = await identify(['sh', '-c', 'node_modules/cc/bin/cc.js'], { cwd: root });
    assert.notEqual(identity.uncovered, null);
  });

  test('--compiler-version, in the folder and environment of the request', async () => {
    tool('plain/cc');
    const cwd = join(root, 'plain');
    const identity = await identify(['./cc'], {
      cwd,
      compilerVersion: 'pwd; echo "$FLAVOUR"',
      env: ['FLAVOUR=x7'],
    });
    assert.equal(valueOf(identity, 'compiler/version'), `${cwd}\nx7\n`);
    assert.equal(identity.uncovered, null);
  });

  for (const [command, text] of [
    ['echo broken; exit 3', 'printed "broken"'],
    ['exit 3', 'status 3'],
    ['true', 'printed nothing'],
    ['no-such-command', 'no-such-command'],
  ] as const) {
    test(`--compiler-version "${command}" is a usage error that shows its output`, async () => {
      await assert.rejects(
        identify(['sort'], { compilerVersion: command }),
        (error) => error instanceof CacheError && error.code === 'usage' && error.message.includes(text),
      );
    });
  }

  test('--tool, with its libraries, interpreter and package', async () => {
    const identity = await identify(['sh', '-c', 'x'], {
      cwd: root,
      tools: ['wat2wasm', 'node_modules/cc/bin/cc.js'],
    });
    const names = namesOf(identity);
    for (const name of [
      'tool/wat2wasm',
      'library/libstdc++.so.6',
      'tool/cc.js',
      'tool/cc.js/package',
      'interpreter/sh',
    ]) {
      assert.ok(names.includes(`compiler/${name}`), names.join(' '));
    }
    assert.equal(identity.uncovered, null);
  });

  test('two tools of one name are two fields', async () => {
    tool('one/t');
    tool('two/t');
    const names = namesOf(await identify(['sh'], { cwd: root, tools: ['./one/t', './two/t', './one/t'] }));
    assert.deepEqual(
      names.filter((name) => name.startsWith('compiler/tool/')),
      ['compiler/tool/t', 'compiler/tool/t#2'],
    );
  });
});

test('two tools of one name with packages are told apart', async () => {
  const root = temporaryFolder();
  for (const folder of ['one', 'two']) {
    script(join(root, folder, 't'), '#!/bin/sh\n');
    plant(root, { [`${folder}/package.json`]: `{"name":"${folder}","version":"1"}` });
  }
  const names = namesOf(await identify(['sh'], { cwd: root, tools: ['./one/t', './two/t'] }));
  assert.equal(new Set(names).size, names.length, names.join(' '));
  assert.ok(names.includes('compiler/tool/t/package-version#2'));
});

test('within one process a compiler that was replaced is another one', async () => {
  const root = temporaryFolder();
  const host = systemHost();
  const identifier = newIdentifier(host);
  const path = join(root, 'wat2wasm');
  copyFileSync('/usr/bin/wat2wasm', path);
  const before = await identify(['./wat2wasm'], { cwd: root, host, identifier });
  copyFileSync('/usr/bin/as', path);
  const after = await identify(['./wat2wasm'], { cwd: root, host, identifier });
  assert.notEqual(valueOf(before, 'compiler/program'), valueOf(after, 'compiler/program'));
  assert.deepEqual(withoutTime(after), withoutTime(await identify(['./wat2wasm'], { cwd: root })));
});

/** An identity, whenever its files were looked at. */
function withoutTime(identity: Identity): Identity {
  return { ...identity, checkedAtMs: 0 };
}

describe("npm's esbuild", () => {
  const project = join(import.meta.dirname, '../..');

  test('of this project', async () => {
    const identity = await identify(['node_modules/.bin/esbuild', 'a.ts'], { cwd: project });
    assert.equal(identity.uncovered, null);
    assert.ok(
      namesOf(identity).some((name) => name.startsWith('compiler/tool/@esbuild/')),
      namesOf(identity).join(' '),
    );
  });

  test('as the script that it is without its installation step', async () => {
    const root = temporaryFolder();
    script(join(root, 'node_modules/esbuild/bin/esbuild'), '#!/usr/bin/env node\n');
    plant(root, { 'node_modules/esbuild/package.json': '{"name":"esbuild","version":"0.1.0"}' });
    script(join(root, 'node_modules/@esbuild/linux-x64/bin/esbuild'), 'binary');
    const identity = await identify(['node_modules/esbuild/bin/esbuild', 'a.ts'], { cwd: root });
    assert.equal(valueOf(identity, 'compiler/package-version'), 'esbuild@0.1.0');
    assert.ok(namesOf(identity).includes('compiler/tool/@esbuild/linux-x64'));
  });
});

test('-march=native adds the processor', async () => {
  const identity = await identify(['gcc', '-c', '-march=native', 'a.c']);
  assert.match(valueOf(identity, 'compiler/processor') ?? '', /flags|Features/);
  assert.equal(valueOf(await identify(['gcc', '-c', 'a.c']), 'compiler/processor'), null);
});

describe('questions to compilers', () => {
  function counting(): { readonly host: Host; readonly asked: string[] } {
    const host = systemHost();
    const asked: string[] = [];
    const capture: Host['processes']['capture'] = async (options, limits) => {
      asked.push(options.args.join(' '));
      return host.processes.capture(options, limits);
    };
    const processes = Object.assign(Object.create(host.processes) as Host['processes'], { capture });
    return { host: { ...host, processes }, asked };
  }

  test('are asked once per process', async () => {
    const { host, asked } = counting();
    const identifier = newIdentifier(host);
    const first = await identify(['gcc', '-c', 'a.c'], { host, identifier });
    const second = await identify(['gcc', '-c', 'b.c'], { host, identifier });
    assert.deepEqual(asked, ['-print-prog-name=cc1', '-print-prog-name=as']);
    assert.deepEqual(withoutTime(first), withoutTime(second));
  });

  test('are not asked again by a later process while the compiler stays the same', async () => {
    const { host, asked } = counting();
    const root = temporaryFolder();
    const paths = new HomePaths(root);
    mkdirSync(paths.staging, { recursive: true });
    const answer = async (): Promise<Identity> => {
      const stamps = new Stamps(host, paths);
      const identity = await identify(['gcc', '-c', 'a.c'], {
        host,
        identifier: new Identifier(host, new FileDigests(host, stamps)),
      });
      stamps.save();
      return identity;
    };
    const first = await answer();
    asked.length = 0;
    assert.deepEqual(withoutTime(await answer()), withoutTime(first));
    assert.deepEqual(asked, []);
  });

  test('a version command of a script is asked by every process', async () => {
    const root = temporaryFolder();
    const path = script(join(root, 'gcc'), '#!/bin/sh\nexec /usr/bin/gcc "$@"\n');
    utimesSync(path, 1, 1);
    const { host, asked } = counting();
    await identify(['./gcc', '-c', 'a.c'], { host, cwd: root });
    const before = asked.filter((args) => args === '--version').length;
    await identify(['./gcc', '-c', 'a.c'], { host, cwd: root });
    assert.deepEqual([before, asked.filter((args) => args === '--version').length], [1, 2]);
  });
});
