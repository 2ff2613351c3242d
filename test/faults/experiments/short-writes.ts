import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findTool } from '../../support/tools.js';
import { Aftermath } from '../aftermath.js';
import type { Experiment, Outcome, Scope } from '../experiment.js';
import type { Operation } from '../operation.js';
import { BATCH_COMPILE, FLUSH, HIT, OVERWRITE, PUT, QUARANTINE } from '../operations.js';
import { sweep } from '../points.js';
import type { Site } from '../site.js';
import { STANDALONE, standaloneObstacle } from '../standalone.js';
import { tracingObstacle } from '../strace.js';

const SOURCE = join(import.meta.dirname, '../short-transfers.c');

/** A write takes half of its bytes, which the kernel may do at any time; the rest has to be written by another one. */
export const SHORT_WRITE_EXPERIMENTS: readonly Experiment[] = [
  ...[PUT, OVERWRITE, HIT, FLUSH, QUARANTINE, BATCH_COMPILE].map((operation) => rowOf(operation)),
  ...[PUT, OVERWRITE, FLUSH, BATCH_COMPILE].map((operation) => rowOf(operation, STANDALONE)),
];

function rowOf(operation: Operation, program: readonly string[] | null = null): Experiment {
  return {
    group: 'error',
    fault: 'a short write',
    where: program === null ? operation.where : `${operation.where}, standalone executable`,
    needs: ['gcc', 'strace'],
    obstacle: () => tracingObstacle() ?? (program === null ? null : standaloneObstacle()),
    run: async (scope) => cutEverywhere({ ...scope, program: program ?? scope.program }, operation),
  };
}

async function cutEverywhere(scope: Scope, operation: Operation): Promise<Outcome> {
  const tracer = join(scope.folder, 'short-transfers');
  execFileSync(findTool('gcc') ?? '', ['-O1', '-o', tracer, SOURCE]);
  const cut = async (site: Site, number: number) => {
    const ended = await site.runBelow([tracer, site.log, String(number)], operation.words);
    const lines = readFileSync(site.log, 'latin1').trim().split('\n');
    return { ended, lines };
  };
  return sweep(scope, {
    operation,
    enumerate: async (site) => {
      const { lines } = await cut(site, 0);
      return Array.from({ length: Number(lines.at(-1)) }, (_, index) => index + 1);
    },
    disturb: async (site, number) => {
      const { ended, lines } = await cut(site, number);
      return { ended, cutAt: lines[0] ?? '', reached: lines.length < 2 ? 'nowhere' : 'there' };
    },
    examine: async ({ site, point, tally, turn }, { ended, cutAt }) => {
      const what = `short write number ${point}, ${cutAt}`;
      const aftermath = new Aftermath({ site, operation, tally, turn, what });
      aftermath.judgeDisturbed(ended);
      await aftermath.examine();
    },
  });
}
