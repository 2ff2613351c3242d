import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { statOrNull, systemFiles } from '../../src/host/files.js';
import { discovers, makePlan, type Plan } from '../../src/compile/plan.js';
import { SharedPlans } from '../../src/compile/shared-plans.js';
import type { CompileRequest } from '../../src/compile/request.js';
import { systemHost } from '../../src/host/host.js';
import { temporaryFolder } from '../support/temporary-folder.js';

/** Words of a command, and what its inputs and outputs are called for each of two files. */
interface Row {
  readonly command: string;
  readonly inputs: readonly (readonly string[])[];
  readonly outputs: readonly (readonly string[])[];
  readonly isShared: boolean;
}

const PLAIN = { inputs: [['a.c'], ['b.c']], outputs: [['a.o'], ['b.o']] };

const ROWS: readonly Row[] = [
  { command: 'gcc -O2 -c {input} -o {output}', ...PLAIN, isShared: true },
  { command: 'gcc -O2 -g -c {input} -o {output}', ...PLAIN, isShared: true },
  { command: 'gcc -march=native -c {input} -o {output}', ...PLAIN, isShared: true },
  { command: 'g++ -c {input} -o {output}', ...PLAIN, isShared: true },
  { command: 'gcc -x c++ -c {input} -o {output}', ...PLAIN, isShared: true },
  {
    command: 'gcc {input} -o {output}',
    inputs: [
      ['a.c', 'd.c'],
      ['b.c', 'd.c'],
    ],
    outputs: [['a'], ['b']],
    isShared: true,
  },
  // Endings decide the language.
  {
    command: 'gcc -c {input} -o {output}',
    inputs: [['a.c'], ['a.cpp']],
    outputs: PLAIN.outputs,
    isShared: false,
  },
  {
    command: 'gcc -c {input} -o {output}',
    inputs: [['a.c'], ['a.h']],
    outputs: PLAIN.outputs,
    isShared: false,
  },
  // The same words, whose output is the declared one of the first only.
  { command: 'gcc -c {input} -o a.o', ...PLAIN, isShared: false },
  {
    command: 'gcc -c {input} -MD -MF {output:2} -o {output:1}',
    inputs: PLAIN.inputs,
    outputs: [
      ['a.o', 'a.d'],
      ['b.o', 'b.d'],
    ],
    isShared: false,
  },
  {
    command: 'gcc -c {input} -MD -o {output:1}',
    inputs: PLAIN.inputs,
    outputs: [
      ['a.o', 'a.d'],
      ['b.o', 'b.d'],
    ],
    isShared: false,
  },
  { command: 'gcc -c {input} -o {output} -fstack-usage', ...PLAIN, isShared: false },
  // Names where they steer the compiler.
  {
    command: 'gcc -c {input:1} -include {input:2} -o {output}',
    inputs: [
      ['a.c', 'd.c'],
      ['b.c', 'd.c'],
    ],
    outputs: PLAIN.outputs,
    isShared: false,
  },
  {
    command: 'gcc -c {input:1} -specs={input:2} -o {output}',
    inputs: [
      ['a.c', 'd.c'],
      ['b.c', 'd.c'],
    ],
    outputs: PLAIN.outputs,
    isShared: false,
  },
  // Names that are no names of files to the compiler.
  {
    command: 'gcc -c {input} -o {output}',
    inputs: [['a.c'], ['@b.c']],
    outputs: PLAIN.outputs,
    isShared: false,
  },
  {
    command: 'gcc -c {input} -o {output}',
    inputs: [['a.c'], ['-b.c']],
    outputs: PLAIN.outputs,
    isShared: false,
  },
  {
    command: 'gcc -c {input} -o {output}',
    inputs: PLAIN.inputs,
    outputs: [['a.o'], ['/dev/null']],
    isShared: false,
  },
  // Nothing of it is cached, whatever the names are.
  { command: 'gcc -v -c {input} -o {output}', ...PLAIN, isShared: false },
  // Presets that look at more than the ends of names, and programs without one.
  {
    command: 'wat2wasm {input} -o {output}',
    inputs: [['a.wat'], ['b.wat']],
    outputs: [['a.wasm'], ['b.wasm']],
    isShared: false,
  },
  { command: 'cp {input} {output}', ...PLAIN, isShared: false },
];

const FILES = ['a.c', 'b.c', 'd.c', 'a.cpp', 'a.h', '@b.c', '-b.c', 'a.wat', 'b.wat'];

/** All that is told of a command, but for the pattern itself. */
function toldBy(plan: Plan): unknown {
  return { ...plan, pattern: null, preset: plan.preset?.name, discovers: discovers(plan) };
}

describe('a plan that a batch shares with others', () => {
  for (const { command, inputs, outputs, isShared } of ROWS) {
    const names = `${inputs.join(' and ')} to ${outputs.join(' and ')}`;
    it(`is the one that it would have by itself: ${command} for ${names}`, (t) => {
      const cwd = temporaryFolder(t);
      mkdirSync(join(cwd, 'out'));
      for (const name of FILES) writeFileSync(join(cwd, name), '');
      const host = systemHost();
      const request = (index: number): CompileRequest => ({
        inputs: inputs[index] ?? [],
        outputs: outputs[index] ?? [],
        stdoutFile: null,
        command: command.split(' '),
        deps: [],
        env: [],
        keys: [],
        tools: [],
        compilerVersion: null,
        relocatable: false,
        cwd,
        environment: ENVIRONMENT,
      });
      const shared = new SharedPlans((path) => statOrNull(systemFiles, path)?.type ?? null);
      const plans = [0, 1, 0, 1].map((index) => makePlan(host, request(index), shared));
      for (const [at, plan] of plans.entries())
        assert.deepEqual(toldBy(plan), toldBy(makePlan(host, request(at % 2))));
      const patterns = new Set(plans.slice(1).map((plan) => plan.pattern));
      assert.equal(patterns.size === 1 && !patterns.has(null), isShared);
    });
  }
});

const ENVIRONMENT = { PATH: '/usr/bin:/bin' };
