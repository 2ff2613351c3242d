import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { CacheError } from '../../src/model/error.js';
import { systemFiles as files } from '../../src/host/files.js';
import { systemHost } from '../../src/host/host.js';
import { makePlan } from '../../src/compile/plan.js';
import {
  describeProgram,
  interpreterFolders,
  isInterpreterName,
  isProxyName,
  resolveProgram,
} from '../../src/compile/program.js';
import { SEARCH_PATH, temporaryFolder } from './preset-runs.js';

function script(path: string, text = '#!/bin/sh\n', mode = 0o755): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function failure(work: () => unknown): CacheError {
  try {
    work();
  } catch (error) {
    if (error instanceof CacheError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('finding a program', () => {
  const root = temporaryFolder();
  script(join(root, 'one/tool'));
  script(join(root, 'two/tool'));
  script(join(root, 'two/plain'), 'x', 0o644);
  script(join(root, 'here/tool'));
  mkdirSync(join(root, 'one/folder'));
  script(join(root, 'two/folder'));
  const find = (typed: string, searchPath: string | undefined): string =>
    resolveProgram({ typed, searchPath, cwd: join(root, 'here'), files });
  const folders = `${root}/none:${root}/one:${root}/two`;

  test('what cannot be looked at is left to its start', () => {
    const loop = join(root, 'here/loop');
    symlinkSync('loop', loop);
    assert.equal(find('./loop', folders), loop);
  });

  test('the first folder of PATH that has it', () => {
    assert.equal(find('tool', folders), join(root, 'one/tool'));
  });

  test('an empty element of PATH, and a relative one, is the working directory', () => {
    for (const searchPath of [`:${folders}`, `${root}/none::${folders}`, `${root}/none:`, '.', '../here']) {
      assert.equal(find('tool', searchPath), join(root, 'here/tool'), searchPath);
    }
  });

  test('folders of that name are passed over', () => {
    assert.equal(find('folder', folders), join(root, 'two/folder'));
  });

  test('with a slash PATH does not count', () => {
    assert.equal(find('./tool', undefined), join(root, 'here/tool'));
    assert.equal(find('../two/tool', ''), join(root, 'two/tool'));
    assert.equal(find(join(root, 'two/tool'), undefined), join(root, 'two/tool'));
  });

  test('links stay what they are', () => {
    symlinkSync(join(root, 'two/tool'), join(root, 'one/linked'));
    assert.equal(find('linked', folders), join(root, 'one/linked'));
  });

  for (const [name, typed, searchPath, code, text] of [
    ['nowhere on PATH', 'absent', folders, 'not-found', '"absent"'],
    ['no PATH', 'tool', undefined, 'not-found', 'not on PATH'],
    ['an empty name', '', folders, 'not-found', '""'],
    ['a path without a file', './absent', folders, 'not-found', 'no such file'],
    ['a link to nothing', '../one/dangling', folders, 'not-found', 'no such file'],
    ['a folder by its path', '../one/folder', folders, 'not-executable', 'directory'],
    ['no execute permission', '../two/plain', folders, 'not-executable', 'permission'],
    ['no execute permission on PATH', 'plain', folders, 'not-executable', 'permission'],
  ] as const) {
    test(`${name} is ${code}`, () => {
      if (typed.endsWith('dangling')) symlinkSync('gone', join(root, 'one/dangling'));
      const error = failure(() => find(typed, searchPath));
      assert.equal(error.code, code);
      assert.ok(error.message.includes(text), error.message);
    });
  }
});

describe('what a program is', () => {
  const root = temporaryFolder();
  const describeIt = (path: string): ReturnType<typeof describeProgram> =>
    describeProgram(path, { files, searchPath: `${root}/bin:${SEARCH_PATH}`, cwd: root });

  test('an ELF file has no interpreter', () => {
    const found = describeIt('/usr/bin/gcc');
    assert.deepEqual([found.kind, found.interpreters], ['elf', []]);
    assert.equal(found.realPath, files.realpath('/usr/bin/gcc'));
  });

  for (const [text, expected] of [
    ['#!/bin/sh\n', ['/bin/sh']],
    ['#! /bin/sh -e\necho', ['/bin/sh']],
    ['#!/usr/bin/env sh\n', ['/usr/bin/env', '/usr/bin/sh']],
    ['#!/usr/bin/env -S sh -e\n', ['/usr/bin/env', '/usr/bin/sh']],
    ['#!/usr/bin/env -Ssh -e\n', ['/usr/bin/env', '/usr/bin/sh']],
    ['#!/usr/bin/env -i -u HOME A=b sh\n', ['/usr/bin/env', '/usr/bin/sh']],
    ['#!/usr/bin/env no-such-interpreter\n', ['/usr/bin/env']],
    ['#!/usr/bin/env\n', ['/usr/bin/env']],
    ['echo without an interpreter line\n', ['/bin/sh']],
    ['#!\n', []],
    ['', []],
  ] as const) {
    test(JSON.stringify(text), () => {
      const found = describeIt(script(join(root, 'script'), text));
      assert.deepEqual([found.kind, found.interpreters], ['script', expected]);
    });
  }

  test('an interpreter that is a script itself (a shim) has one too', () => {
    const shim = script(join(root, 'bin/python3'), '#!/usr/bin/env bash\n');
    const found = describeIt(script(join(root, 'gen.py'), '#!/usr/bin/env python3\n'));
    assert.deepEqual(found.interpreters, ['/usr/bin/env', shim, '/usr/bin/env', '/usr/bin/bash']);
    assert.deepEqual(interpreterFolders(found), [join(root, 'bin'), '/usr/bin']);
  });

  test('a script that interprets itself ends', () => {
    const path = join(root, 'loop');
    script(path, `#!${path}\n`);
    assert.equal(describeIt(path).interpreters.length, 8);
  });
});

describe('names', () => {
  for (const name of [
    'sh',
    'bash',
    'python3',
    'python3.11',
    'python',
    'node',
    'nodejs',
    'perl5.36',
    'ruby',
    'java',
    'lua5.4',
    'Rscript',
    'make',
  ]) {
    test(`${name} runs code of others`, () => {
      assert.equal(isInterpreterName(name), true);
    });
  }
  for (const name of ['ccache', 'sccache', 'env', 'nice', 'time', 'taskset', 'sudo', 'busybox']) {
    test(`${name} starts another program`, () => {
      assert.equal(isProxyName(name), true);
    });
  }
  for (const name of ['gcc', 'gcc-12', 'g++', 'wat2wasm', 'esbuild', 'glslangValidator', 'cc1', 'shc']) {
    test(`${name} is itself`, () => {
      assert.deepEqual([isInterpreterName(name), isProxyName(name)], [false, false]);
    });
  }
});

describe('the interpreter that is described is the one that runs, and that of the bare command', () => {
  const root = temporaryFolder();
  /** An interpreter that says where it lies. */
  const interpreter = (path: string): void => {
    script(join(root, path), '#!/bin/sh\necho "$0"\n');
  };
  interpreter('tools/myint');
  interpreter('sys/myint');
  interpreter('given/myint');
  interpreter('last/inner');
  interpreter('later/inner');
  script(join(root, 'tools/gen'), '#!/usr/bin/env myint\n');
  script(join(root, 'plain/gen'), '#!/usr/bin/env myint\n');
  script(join(root, 'shims/myint'), '#!/usr/bin/env inner\n');
  script(join(root, 'shims/inner'), '#!/bin/sh\necho shadow\n');

  const plan = (program: string, searchPath: string | undefined, env: readonly string[]) =>
    makePlan(systemHost(), {
      inputs: [],
      outputs: [],
      stdoutFile: 'out.txt',
      command: [program],
      deps: [],
      env,
      keys: [],
      tools: [],
      compilerVersion: null,
      relocatable: false,
      cwd: root,
      environment: searchPath === undefined ? {} : { PATH: searchPath },
    });
  const ran = (program: string, env: Readonly<Record<string, string>>): string =>
    execFileSync(program, { cwd: root, env, encoding: 'utf8' }).trim();
  const folders = (...names: readonly string[]): string =>
    [...names.map((name) => join(root, name)), SEARCH_PATH].join(':');

  for (const [name, program, searchPath, expected] of [
    ['another one beside the script', 'tools/gen', folders('sys', 'tools'), 'sys/myint'],
    ['the same one', 'plain/gen', folders('sys', 'tools'), 'sys/myint'],
    ['the one beside the script', 'tools/gen', folders('tools', 'sys'), 'tools/myint'],
    [
      'a shim in a later folder than what runs it',
      'tools/gen',
      folders('last', 'shims', 'later'),
      'last/inner',
    ],
  ] as const) {
    test(name, () => {
      const { program: found, environment } = plan(`./${program}`, searchPath, []);
      const bare = ran(`./${program}`, { PATH: searchPath });
      const ours = ran(join(root, program), environment.variables);
      assert.ok(found.interpreters.includes(join(root, expected)), found.interpreters.join(' '));
      assert.equal(bare, join(root, expected));
      assert.equal(ours, bare);
    });
  }

  test('with --env PATH it is the one that this PATH leads to', () => {
    const given = folders('given');
    const { program, environment } = plan('./tools/gen', folders('sys'), [`PATH=${given}`]);
    assert.equal(environment.variables['PATH'], given);
    assert.equal(ran('./tools/gen', environment.variables), join(root, 'given/myint'));
    assert.ok(program.interpreters.includes(join(root, 'given/myint')), program.interpreters.join(' '));
  });

  test('where the caller finds none and the declared PATH does, it is that one', () => {
    const { program, environment } = plan('./tools/gen', SEARCH_PATH, []);
    assert.equal(ran('./tools/gen', environment.variables), join(root, 'tools/myint'));
    assert.ok(program.interpreters.includes(join(root, 'tools/myint')), program.interpreters.join(' '));
  });

  test('the order of PATH stays where nothing differs', () => {
    const { environment } = plan('./plain/gen', folders('sys', 'tools'), []);
    const [first, second] = environment.variables['PATH']?.split(':') ?? [];
    assert.deepEqual([first, second], [join(root, 'plain'), join(root, 'sys')]);
  });
});
