import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fingerprintFrom } from '../../support/artifacts.js';
import { childProgram } from '../../support/child-program.js';
import { SEARCH_PATH } from '../../support/tools.js';
import type { Experiment, Outcome, Scope } from '../experiment.js';
import { isFingerprint } from '../../../src/model/fingerprint.js';
import { record, recordingObstacle, type RecordedProcess } from '../power-cut/recording.js';
import type { Step } from '../power-cut/story.js';
import { sweepStates } from '../power-cut/sweep.js';

const CHILD = fileURLToPath(new URL('../../support/children/put-and-flush.ts', import.meta.url));
/** Below a folder that does not exist either, so that its name must become durable, too. */
const HOME = 'cache/vyre';

/** A put; null is a flush. */
type Told = readonly [digits: string, size: number, fill: string] | null;

/** The sizes make entries that are written at once and in pieces, within a block and over several. */
const STORIES: readonly { readonly where: string; readonly told: readonly Told[] }[] = [
  {
    where: 'put, flush, put',
    told: [['a', 100, 'one'], ['b', 70_000, 'two'], null, ['c', 9000, 'three'], ['d', 0, 'four']],
  },
  {
    where: 'put over a flushed put',
    told: [
      ['a', 5000, 'one'],
      ['b', 10, 'two'],
      null,
      ['a', 5000, 'another one'],
      null,
      ['b', 90, 'another two'],
    ],
  },
];

const OF_LIBRARY: readonly Experiment[] = STORIES.map(({ where, told }) => ({
  group: 'power-cut',
  fault: 'power cut',
  where,
  needs: ['strace'],
  obstacle: recordingObstacle,
  run: async (scope) => cutStory(told, scope),
}));

async function cutStory(told: readonly Told[], scope: Scope): Promise<Outcome> {
  const disk = join(scope.folder, 'disk');
  mkdirSync(disk);
  const program = await childProgram(CHILD, scope.folder);
  const given = told.map((each) => {
    if (each === null) return null;
    const [digits, size, fill] = each;
    return { fingerprint: fingerprintFrom(digits), size, fill, replace: true };
  });
  const steps = given.map((each): Step => {
    if (each === null) return { kind: 'flush' };
    return { kind: 'stored', fingerprint: each.fingerprint, payload: Buffer.alloc(each.size, each.fill) };
  });
  const model = record(disk, [
    {
      words: [process.execPath, program, join(disk, HOME), JSON.stringify(given)],
      cwd: scope.folder,
      environment: { PATH: SEARCH_PATH },
      number: null,
    },
  ]);
  return sweepStates({ model, steps, home: HOME }, scope);
}

/** Files that the program compiles one after the other; null is `vyre-cache flush`. */
const COMPILED = ['one.c', 'two.c', null, 'three.c'] as const;

const OF_PROGRAM: Experiment = {
  group: 'power-cut',
  fault: 'power cut',
  where: 'compile, flush, compile',
  needs: ['strace', 'gcc'],
  obstacle: recordingObstacle,
  run: cutCompilations,
};

async function cutCompilations(scope: Scope): Promise<Outcome> {
  const disk = join(scope.folder, 'disk');
  const project = join(scope.folder, 'project');
  for (const folder of [disk, project]) mkdirSync(folder);
  writeFileSync(join(project, 'shared.h'), 'int shared(void);\n');
  for (const name of COMPILED) {
    if (name === null) continue;
    const [stem = ''] = name.split('.');
    writeFileSync(join(project, name), `#include "shared.h"\nint ${stem}(void) { return shared(); }\n`);
  }
  const model = record(
    disk,
    COMPILED.map((name, number) => processOf(scope, { name, number, disk, project })),
  );
  return sweepStates({ model, steps: stepsOf(join(disk, HOME, 'pipelines'), project), home: HOME }, scope);
}

function processOf(
  scope: Scope,
  step: {
    readonly name: string | null;
    readonly number: number;
    readonly disk: string;
    readonly project: string;
  },
): RecordedProcess {
  const { name, number, disk, project } = step;
  const own =
    name === null
      ? ['flush']
      : ['compile', name, '-o', `${name}.o`, '--', 'gcc', '-c', '{input}', '-o', '{output}'];
  const environment = {
    PATH: SEARCH_PATH,
    HOME: project,
    XDG_STATE_HOME: join(project, 'state'),
    VYRE_CACHE_DIR: join(disk, HOME),
  };
  return { words: [...scope.program, ...own], cwd: project, environment, number };
}

/** Which entry holds what the compiler has made of each file. */
function stepsOf(store: string, project: string): readonly Step[] {
  const stored = readdirSync(store).flatMap((name) => {
    const fingerprint = name.replace(/\.bin$/, '');
    return isFingerprint(fingerprint) ? [{ fingerprint, entry: readFileSync(join(store, name)) }] : [];
  });
  return COMPILED.map((name): Step => {
    if (name === null) return { kind: 'flush' };
    const payload = readFileSync(join(project, `${name}.o`));
    const found = stored.find(({ entry }) => entry.subarray(0, payload.byteLength).equals(payload));
    if (found === undefined) throw new Error(`expected an entry of ${name}`);
    return { kind: 'stored', fingerprint: found.fingerprint, payload };
  });
}

export const POWER_CUT_EXPERIMENTS: readonly Experiment[] = [...OF_LIBRARY, OF_PROGRAM];
