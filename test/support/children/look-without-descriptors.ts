import { openSync } from 'node:fs';
import { systemProcesses } from '../../../src/host/processes.js';
import { errnoOf } from '../../../src/model/error.js';

// look-without-descriptors.ts: opens files until no descriptor is left, and says what looks at processes answer then.
const processes = systemProcesses();

function answerOf(look: () => unknown): unknown {
  try {
    return look();
  } catch (error) {
    return errnoOf(error);
  }
}

function useUp(): void {
  for (;;) {
    if (answerOf(() => openSync('/dev/null', 'r')) === 'EMFILE') return;
  }
}

useUp();
const answers = {
  list: answerOf(() => processes.list()),
  variable: answerOf(() => processes.variableOf(process.pid, 'PATH')),
  info: answerOf(() => processes.info(process.pid)),
};
process.stdout.write(JSON.stringify(answers));
