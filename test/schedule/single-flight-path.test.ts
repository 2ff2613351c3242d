import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openCache, type Cache, type CompileRequest } from '../../src/index.js';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import { follow, type Observation } from '../support/single-flight/path.js';
import { observationsOf, recordingHost, type Call } from '../support/single-flight/recording.js';
import type { World } from '../support/single-flight/world.js';
import { WORLD } from '../support/single-flight/worlds.js';
import { has } from '../support/tools.js';
import { Workbench } from '../support/workbench.js';

const ROUNDS = 6;

const SHELL = ['sh', '-c', 'sleep 0.01; cat "$1" > "$2"', 'sh', '{input}', '{output}'];
const GCC = ['gcc', '-O0', '-c', '{input}', '-o', '{output}'];
/** Its outputs tell of the worker directory, so that they cannot be kept. */
const UNSTORABLE = [
  'sh',
  '-c',
  'sleep 0.01; pwd > "$2"; head -c 300000 /dev/zero',
  'sh',
  '{input}',
  '{output}',
];

interface Scene {
  readonly bench: Workbench;
  readonly calls: Call[];
  readonly command: readonly string[];
}

function open({ bench, calls }: Scene, actor: string): Cache {
  return openCache({ root: bench.root, host: recordingHost(actor, calls) });
}

function requestOf({ bench, command }: Scene, output: string): CompileRequest {
  return bench.request({
    inputs: ['in.c'],
    outputs: [output],
    command,
    relocatable: true,
    compilerVersion: command[0] === 'sh' ? 'echo 1' : null,
  });
}

async function act(scene: Scene, actor: string, work: (cache: Cache) => Promise<unknown>): Promise<void> {
  const cache = open(scene, actor);
  try {
    await work(cache);
    assert.deepEqual(cache.troubles(), []);
  } finally {
    await cache.close();
  }
}

async function compiles(scene: Scene, number: number, options = {}): Promise<void> {
  await act(scene, `caller-${number}`, async (cache) => {
    scene.bench.write(`${number}/.keep`, '');
    const result = await cache.compile(requestOf(scene, `${number}/out.o`), options);
    assert.equal(result.exitCode, 0);
  });
}

function sceneOf(t: Parameters<typeof Workbench.make>[0], command: readonly string[]): Scene {
  const bench = Workbench.make(t);
  bench.write('in.c', '#include "in.h"\nint answer(void) { return ANSWER; }\n');
  bench.write('in.h', '#define ANSWER 42\n');
  return { bench, calls: [], command };
}

function seen({ bench, calls }: Scene): readonly Observation[] {
  return observationsOf(calls, new HomePaths(bench.root));
}

function assertPath(scene: Scene, world: Partial<World>): void {
  const observations = seen(scene);
  const result = follow({ ...WORLD, ...world }, observations);
  if (result.isPath) return;
  const shown = observations.map(({ actor, labels }, at) => `${at} ${actor} ${labels.join('/')}`);
  assert.fail(`expected a path of the model, left it at ${result.at}:\n${shown.join('\n')}`);
}

describe('the steps that real callers take are a path of the model', () => {
  it('of one who compiles, and of one who comes later', async (t) => {
    const scene = sceneOf(t, SHELL);
    await compiles(scene, 0);
    await compiles(scene, 1);
    assertPath(scene, {});
  });

  it('of two at once', async (t) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const scene = sceneOf(t, SHELL);
      await Promise.all([compiles(scene, 0), compiles(scene, 1)]);
      assertPath(scene, {});
    }
  });

  it('of three at once whose compiler lists what it reads', async (t) => {
    if (!has(t, 'gcc')) return;
    const scene = sceneOf(t, GCC);
    await Promise.all([compiles(scene, 0), compiles(scene, 1), compiles(scene, 2)]);
    assertPath(scene, { callers: ['compile', 'compile', 'compile'], discovers: true });
  });

  it('of one beside a refresh and a prune', async (t) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const scene = sceneOf(t, SHELL);
      await Promise.all([
        compiles(scene, 0),
        compiles(scene, 1, { refresh: true }),
        act(scene, 'remover-0', async (cache) => {
          await new Promise((resolve) => {
            setTimeout(resolve, round * 10);
          });
          await cache.prune({ all: true });
        }),
      ]);
      assertPath(scene, { callers: ['compile', 'refresh'], removers: ['remove'] });
    }
  });

  it('of three at once whose results cannot be kept', async (t) => {
    const scene = sceneOf(t, UNSTORABLE);
    await Promise.all([compiles(scene, 0), compiles(scene, 1), compiles(scene, 2)]);
    assertPath(scene, { callers: ['compile', 'compile', 'compile'], storable: false });
  });
});

describe('what is no path of the model', () => {
  const without = (label: string, which: 'first' | 'last') => (steps: readonly Observation[]) => {
    const isThis = ({ labels }: Observation): boolean => labels.includes(label);
    const at = which === 'first' ? steps.findIndex(isThis) : steps.findLastIndex(isThis);
    return steps.filter((_, index) => index !== at);
  };
  const swapped = (one: string, other: string) => (steps: readonly Observation[]) => {
    const a = steps.findIndex(({ labels }) => labels[0] === one);
    const b = steps.findIndex(({ labels }) => labels[0] === other);
    return steps.map((step, index) =>
      index === a ? (steps[b] ?? step) : index === b ? (steps[a] ?? step) : step,
    );
  };
  const changes: readonly (readonly [string, (steps: readonly Observation[]) => readonly Observation[]])[] = [
    ['the entry before its record', swapped('rename-record', 'rename-entry')],
    ['a compilation before the lock', swapped('lock', 'compile')],
    ['a release before the entry', swapped('unlock', 'rename-entry')],
    ['a compilation without a lock', without('lock', 'first')],
    ['a release that is missing', without('unlock', 'last')],
    ['a delivery that is missing', without('deliver', 'last')],
    ['no look at the entry at all under the lock', (steps) => withoutLooksUnderLock(steps)],
  ];
  for (const [name, change] of changes) {
    it(name, async (t) => {
      const scene = sceneOf(t, SHELL);
      await compiles(scene, 0);
      const observations = seen(scene);
      const world: World = { ...WORLD, callers: ['compile'] };
      assert.deepEqual(follow(world, observations), { isPath: true });
      assert.equal(follow(world, change(observations)).isPath, false);
    });
  }
});

function withoutLooksUnderLock(steps: readonly Observation[]): readonly Observation[] {
  const from = steps.findIndex(({ labels }) => labels[0] === 'lock');
  const to = steps.findIndex(({ labels }) => labels[0] === 'compile');
  return steps.filter(({ labels }, index) => index < from || index > to || labels[0] !== 'look-entry');
}
