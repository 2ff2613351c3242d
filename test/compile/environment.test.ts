import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { systemFiles as files } from '../../src/host/files.js';
import { CacheError } from '../../src/model/error.js';
import {
  declareEnvironment,
  environmentFiles,
  type DeclaredEnvironment,
  type EnvironmentRequest,
} from '../../src/compile/environment.js';
import { plant, temporaryFolder } from './preset-runs.js';

const ELF = { path: '/opt/cc/bin/cc', realPath: '/opt/cc/bin/cc', kind: 'elf', interpreters: [] } as const;
const CALLER = {
  HOME: '/home/u',
  PATH: '/opt/x:/usr/bin',
  LANG: 'de_DE.UTF-8',
  SECRET: 's3cret',
  TZ: 'Europe/Berlin',
};

function declare(request: Partial<EnvironmentRequest> = {}): DeclaredEnvironment {
  return declareEnvironment({
    caller: CALLER,
    program: ELF,
    tools: [],
    presetVariables: [],
    requested: [],
    ...request,
  });
}

describe('the declared environment', () => {
  test('is exactly this, whatever the caller has', () => {
    const { variables, workerVariables } = declare();
    assert.deepEqual(variables, {
      PATH: '/opt/cc/bin:/usr/local/bin:/usr/bin:/bin',
      LC_ALL: 'C.UTF-8',
      TZ: 'UTC',
    });
    assert.deepEqual(workerVariables, ['HOME', 'TMPDIR']);
  });

  test('every variable is a secret field, and HOME and TMPDIR are none', () => {
    const { fields } = declare({ requested: ['SECRET'] });
    assert.deepEqual(
      fields.map((field) => [field.name, field.kind]),
      [
        ['env/PATH', 'secret'],
        ['env/LC_ALL', 'secret'],
        ['env/TZ', 'secret'],
        ['env/SECRET', 'secret'],
      ],
    );
  });

  for (const [name, request, expected] of [
    [
      'the program is in a system folder',
      { program: { ...ELF, path: '/usr/bin/gcc' } },
      '/usr/bin:/usr/local/bin:/bin',
    ],
    [
      'tools in their order',
      { tools: ['/t/two/b', '/t/one/a', '/t/two/c'] },
      '/opt/cc/bin:/t/two:/t/one:/usr/local/bin:/usr/bin:/bin',
    ],
    [
      'the interpreter, but not the folder of env',
      { program: { ...ELF, kind: 'script', interpreters: ['/usr/bin/env', '/opt/node/bin/node'] } },
      '/opt/cc/bin:/opt/node/bin:/usr/local/bin:/usr/bin:/bin',
    ],
    [
      'a folder with a colon cannot stand in PATH',
      { program: { ...ELF, path: '/a:b/cc' } },
      '/usr/local/bin:/usr/bin:/bin',
    ],
  ] as const) {
    test(`PATH: ${name}`, () => {
      assert.equal(declare(request).variables['PATH'], expected);
    });
  }

  test('SOURCE_DATE_EPOCH goes through if it is set', () => {
    assert.equal(declare({ caller: { SOURCE_DATE_EPOCH: '1' } }).variables['SOURCE_DATE_EPOCH'], '1');
    assert.equal('SOURCE_DATE_EPOCH' in declare().variables, false);
  });

  test('what the preset adds, if it is set', () => {
    const { variables } = declare({ presetVariables: ['SECRET', 'CARGO_HOME'] });
    assert.equal(variables['SECRET'], 's3cret');
    assert.equal('CARGO_HOME' in variables, false);
  });
});

describe('--env', () => {
  for (const [words, name, expected] of [
    [['SECRET'], 'SECRET', 's3cret'],
    [['NEW=1'], 'NEW', '1'],
    [['NEW='], 'NEW', ''],
    [['NEW=a=b'], 'NEW', 'a=b'],
    [['TZ'], 'TZ', 'Europe/Berlin'],
    [['LC_ALL=C'], 'LC_ALL', 'C'],
    [['PATH'], 'PATH', '/opt/x:/usr/bin'],
    [['NEW=1', 'NEW=2'], 'NEW', '2'],
    [['LC_ALL'], 'LC_ALL', undefined],
    [['UNSET'], 'UNSET', undefined],
    [['toString'], 'toString', undefined],
    [['A=1', 'A'], 'A', undefined],
  ] as const) {
    test(`${words.join(' ')} gives ${name} ${JSON.stringify(expected) ?? 'no value'}`, () => {
      const { variables, fields } = declare({ requested: words });
      assert.equal(Object.hasOwn(variables, name) ? variables[name] : undefined, expected);
      assert.equal(
        fields.some((field) => field.name === `env/${name}`),
        expected !== undefined,
      );
    });
  }

  test('a variable that is unset differs from an empty one and from one that nobody asked for', () => {
    const fieldsOf = (requested: readonly string[]): string =>
      JSON.stringify(declare({ requested }).fields.filter(({ name }) => name.startsWith('env/TMPDIR')));
    assert.equal(fieldsOf(['TMPDIR']), '[{"name":"env/TMPDIR#unset","kind":"absent"}]');
    assert.equal(new Set([[], ['TMPDIR'], ['TMPDIR=']].map(fieldsOf)).size, 3);
  });

  test('HOME and TMPDIR are no longer the worker directory, even when they are unset', () => {
    assert.deepEqual(declare({ requested: ['HOME'] }).workerVariables, ['TMPDIR']);
    assert.deepEqual(declare({ requested: ['TMPDIR'] }).workerVariables, ['HOME']);
    assert.equal(declare({ requested: ['HOME'] }).variables['HOME'], '/home/u');
  });

  for (const word of ['', '=x', '1A', 'A-B', 'A B=c', 'ä=1']) {
    test(`"${word}" is a usage error`, () => {
      assert.throws(
        () => declare({ requested: [word] }),
        (error) =>
          error instanceof CacheError && error.code === 'usage' && error.message.includes(`"${word}"`),
      );
    });
  }
});

describe('files that --env names', () => {
  const cwd = temporaryFolder();
  plant(cwd, { 'l.so': '', 'sub/m.so': '', 'a:b': '', 'a b': '', 'out.o': '' });
  const named = (...requested: string[]): readonly string[] => {
    const environment = declare({ requested, caller: { ...CALLER, FROM_CALLER: 'l.so' } });
    const known = new Set([join(cwd, 'out.o')]);
    return environmentFiles({ environment, requested, cwd, files, known }).map((file) => {
      assert.equal(file.path, file.name.startsWith('/') ? file.name : join(cwd, file.name));
      return file.name;
    });
  };
  for (const [words, expected] of [
    [['LD_PRELOAD=l.so'], ['l.so']],
    [[`LD_PRELOAD=${cwd}/l.so`], [`${cwd}/l.so`]],
    [['LD_PRELOAD=l.so:absent.so:./sub/m.so:'], ['l.so', './sub/m.so']],
    [['LD_PRELOAD=l.so sub/m.so'], ['l.so', 'sub/m.so']],
    [['WORDS=l.so sub/m.so'], []],
    [['ONE=a:b'], ['a:b']],
    [['ONE=a b'], ['a b']],
    [['ONE=l.so', 'TWO=l.so'], ['l.so']],
    [['ONE=l.so', 'ONE=sub/m.so'], ['sub/m.so']],
    [['FROM_CALLER'], ['l.so']],
    [['UNSET'], []],
    [['ONE=out.o'], []],
    [['ONE=sub', 'TWO=', 'THREE=/dev/null', `FOUR=${'x'.repeat(5000)}`], []],
    [[], []],
  ] as const) {
    test(`${JSON.stringify(words).slice(0, 60)} gives ${expected.join(' and ') || 'none'}`, () => {
      assert.deepEqual(named(...words), expected);
    });
  }
});
