import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemProcesses } from '../../src/host/processes.js';

const CHILD = join(import.meta.dirname, '../support/children/look-without-descriptors.ts');

describe('a look at processes', () => {
  const processes = systemProcesses();

  it('finds this one with its environment', () => {
    assert.ok(processes.list().some(({ pid }) => pid === process.pid));
    assert.equal(processes.variableOf(process.pid, 'PATH'), process.env['PATH']);
  });

  it('finds nothing of one that is gone', () => {
    const pid = Number(execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }));
    assert.equal(processes.variableOf(pid, 'PATH'), null);
    assert.equal(processes.info(pid), null);
  });

  it('says when it cannot be made, instead of finding nobody', () => {
    const line = 'ulimit -n 64; exec "$0" "$@"';
    const words = ['-c', line, process.execPath, '--import', 'tsx', CHILD];
    const answers: unknown = JSON.parse(execFileSync('sh', words, { encoding: 'utf8' }));
    assert.deepEqual(answers, { list: 'EMFILE', variable: 'EMFILE', info: null });
  });
});
