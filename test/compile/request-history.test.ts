import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makePlan, type Plan } from '../../src/compile/plan.js';
import type { CompileRequest } from '../../src/compile/request.js';
import {
  changedReason,
  readHistory,
  rememberRequest,
  requestShape,
  settingDigest,
} from '../../src/compile/request-history.js';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import { digestField, textField, type Field } from '../../src/model/fields.js';
import { openHome } from '../../src/store/home.js';
import { digestOf, fingerprintFrom } from '../support/artifacts.js';
import { errnoError, failingFiles, fakeHost } from '../support/fake-host.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';

const SHAPE = fingerprintFrom('5');
const host = fakeHost();
const digest = (text: string): Field => digestField('x', digestOf(Buffer.from(text)));

function makeHome(t: Cleanup): HomePaths {
  const paths = new HomePaths(join(temporaryFolder(t), 'vyre'));
  assert.ok(openHome(host, paths).ok);
  return paths;
}

function named(name: string, field: Field): Field {
  return { ...field, name };
}

const FIELDS: readonly Field[] = [
  textField('schema', 'vyre-cache.fingerprint/1'),
  textField('platform', 'linux'),
  textField('arch', 'x64'),
  textField('arg/000000', 'cc'),
  textField('arg/000001', '-O2'),
  textField('key/000000', 'k'),
  textField('output/000000', 'a.o'),
  textField('cwd', '/src'),
  named('compiler/program', digest('cc')),
  { name: 'env/LANG', kind: 'secret', text: 'C' },
  named('input/a.c', digest('input')),
  named('dep/a.h', digest('dependency')),
  { name: 'dep/b.h', kind: 'absent' },
];

function changed(name: string, field: Field | null): readonly Field[] {
  const others = FIELDS.filter((known) => known.name !== name);
  return field === null ? others : [...others, named(name, field)];
}

function reasonFor(
  t: Cleanup,
  fields: readonly Field[],
  discoveredKnown = true,
): ReturnType<typeof changedReason> {
  const paths = makeHome(t);
  rememberRequest(host, paths, { shape: SHAPE, fields: FIELDS, embedsPath: null });
  const history = readHistory(host, paths, SHAPE);
  assert.ok(history);
  return changedReason(host, history, { fields, discoveredKnown });
}

describe('what changed since the last compilation', () => {
  const text = textField('x', 'other');
  const cases: readonly (readonly [string, readonly Field[], ReturnType<typeof changedReason>])[] = [
    ['nothing', FIELDS, null],
    ['nothing but the order', FIELDS.toReversed(), null],
    ['the compiler', changed('compiler/program', digest('other')), 'compiler-changed'],
    [
      'a part of the compiler that is new',
      [...FIELDS, named('compiler/cc1', digest('new'))],
      'compiler-changed',
    ],
    ['the processor', changed('arch', text), 'compiler-changed'],
    ['the platform', changed('platform', text), 'compiler-changed'],
    ['the schema', changed('schema', text), 'compiler-changed'],
    ['an argument', changed('arg/000001', text), 'flags-changed'],
    ['an argument more', [...FIELDS, textField('arg/000002', '-g')], 'flags-changed'],
    ['an argument less', changed('arg/000001', null), 'flags-changed'],
    ['a key', changed('key/000000', text), 'flags-changed'],
    ['an output', changed('output/000000', text), 'flags-changed'],
    ['the folder', changed('cwd', text), 'flags-changed'],
    ['a variable', changed('env/LANG', { name: 'x', kind: 'secret', text: 'de' }), 'environment-changed'],
    ['a variable less', changed('env/LANG', null), 'environment-changed'],
    ['an input', changed('input/a.c', digest('other')), 'program-changed'],
    ['a dependency', changed('dep/a.h', digest('other')), 'dependency-changed'],
    ['a dependency less', changed('dep/a.h', null), 'dependency-changed'],
    ['a file that appeared', changed('dep/b.h', digest('other')), 'dependency-changed'],
    ['a file that vanished', changed('dep/a.h', { name: 'x', kind: 'absent' }), 'dependency-changed'],
  ];
  for (const [name, fields, reason] of cases) {
    it(`is told: ${name}`, (t) => {
      assert.equal(reasonFor(t, fields), reason);
    });
  }

  it('is exactly one reason when much changed: the compiler, flags, environment, program, dependency', (t) => {
    const order = ['compiler/program', 'arg/000001', 'env/LANG', 'input/a.c', 'dep/a.h'];
    const reasons = order.map((_, index) => {
      const names = new Set(order.slice(index));
      return reasonFor(
        t,
        FIELDS.filter((field) => !names.has(field.name)),
      );
    });
    assert.deepEqual(reasons, [
      'compiler-changed',
      'flags-changed',
      'environment-changed',
      'program-changed',
      'dependency-changed',
    ]);
  });

  it('is a dependency when what was read is not known any more, unless more changed', (t) => {
    const declared = FIELDS.filter((field) => !field.name.startsWith('dep/'));
    assert.equal(reasonFor(t, declared, false), 'dependency-changed');
    const others = declared.filter((field) => field.name !== 'input/a.c');
    assert.equal(reasonFor(t, others, false), 'program-changed');
  });
});

describe('the memory of a request', () => {
  it('keeps no value of a variable', (t) => {
    const paths = makeHome(t);
    const fields: readonly Field[] = [{ name: 'env/TOKEN', kind: 'secret', text: 'hunter2' }];
    rememberRequest(host, paths, { shape: SHAPE, fields, embedsPath: null });
    assert.equal(readFileSync(paths.request(SHAPE)).includes('hunter2'), false);
    assert.equal(statSync(paths.request(SHAPE)).mode & 0o777, 0o600);
  });

  it('holds one field per name, and whether the outputs held a path', (t) => {
    const paths = makeHome(t);
    assert.equal(readHistory(host, paths, SHAPE), null);
    rememberRequest(host, paths, { shape: SHAPE, fields: FIELDS, embedsPath: 'command' });
    const history = readHistory(host, paths, SHAPE);
    assert.deepEqual(
      [...(history?.fields.keys() ?? [])].toSorted(),
      FIELDS.map(({ name }) => name).toSorted(),
    );
    assert.equal(history?.embedsPath, 'command');
    rememberRequest(host, paths, { shape: SHAPE, fields: [], embedsPath: null });
    assert.equal(readHistory(host, paths, SHAPE)?.fields.size, 0);
    assert.deepEqual(readdirSync(paths.staging), []);
  });

  it('is nothing when its file is damaged', (t) => {
    const paths = makeHome(t);
    rememberRequest(host, paths, { shape: SHAPE, fields: FIELDS, embedsPath: null });
    const good = readFileSync(paths.request(SHAPE));
    for (const at of [0, 10, good.byteLength - 33, good.byteLength - 1]) {
      const damaged = Buffer.from(good);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      writeFileSync(paths.request(SHAPE), damaged);
      assert.equal(readHistory(host, paths, SHAPE), null);
    }
  });

  it('may fail to be written, and its folder may be gone', (t) => {
    const paths = makeHome(t);
    const files = failingFiles({
      open: () => {
        throw errnoError('ENOSPC');
      },
    });
    rememberRequest(fakeHost({ files }), paths, { shape: SHAPE, fields: FIELDS, embedsPath: null });
    assert.equal(readHistory(host, paths, SHAPE), null);
    rmSync(paths.requests, { recursive: true });
    rememberRequest(host, paths, { shape: SHAPE, fields: FIELDS, embedsPath: null });
    assert.notEqual(readHistory(host, paths, SHAPE), null);
  });
});

describe('the shape of a request', () => {
  function planFor(t: Cleanup, changes: Partial<CompileRequest> = {}, cwd = temporaryFolder(t)): Plan {
    for (const name of ['a.c', 'b.c']) writeFileSync(join(cwd, name), name);
    mkdirSync(join(cwd, 'out'), { recursive: true });
    return makePlan(host, {
      inputs: ['a.c'],
      outputs: ['a.o'],
      stdoutFile: null,
      command: ['cp', '{input}', '{output}'],
      deps: [],
      env: [],
      keys: [],
      tools: [],
      compilerVersion: null,
      relocatable: false,
      cwd,
      environment: { PATH: '/usr/bin:/bin' },
      ...changes,
    });
  }

  it('stays when flags, keys, environment or contents change: that is what a miss explains', (t) => {
    const cwd = temporaryFolder(t);
    const shape = requestShape(host, planFor(t, {}, cwd));
    for (const changes of [
      { command: ['cp', '-p', '{input}', '{output}'] },
      { keys: ['k'] },
      { env: ['LANG=C'] },
    ]) {
      assert.equal(requestShape(host, planFor(t, changes, cwd)), shape);
    }
  });

  it('is another one for another folder, program, input or output', (t) => {
    const cwd = temporaryFolder(t);
    const shapes = [
      planFor(t, {}, cwd),
      planFor(t),
      planFor(t, { command: ['install', '{input}', '{output}'] }, cwd),
      planFor(t, { inputs: ['b.c'] }, cwd),
      planFor(t, { outputs: ['b.o'] }, cwd),
      planFor(t, { outputs: ['out/a.o'] }, cwd),
    ].map((plan) => requestShape(host, plan));
    assert.equal(new Set(shapes).size, shapes.length);
    for (const shape of shapes) assert.match(shape, /^[0-9a-f]{64}$/);
  });

  it('tells settings apart by all fields but those of files', () => {
    const base = [textField('arg/000000', 'cp'), textField('env/HOME', '/a')];
    const digestOfSetting = (...more: readonly Field[]): string => settingDigest(host, [...base, ...more]);
    const files = ['one', 'two'].map((text) => digestField('input/a.c', digestOf(Buffer.from(text))));
    assert.equal(new Set(files.map((field) => digestOfSetting(field))).size, 1);
    assert.equal(digestOfSetting({ ...digest('x'), name: 'dep/a.h' }), digestOfSetting());
    assert.notEqual(digestOfSetting(textField('compiler/version', '2')), digestOfSetting());
    assert.notEqual(settingDigest(host, [textField('arg/000000', 'cp -p')]), settingDigest(host, base));
  });
});
