import { openSession } from '../../../src/compile/session.js';
import { systemFiles } from '../../../src/host/files.js';
import { verify } from '../../../src/maintenance/verify.js';
import { restoreArtifact } from '../../../src/maintenance/restore.js';
import { FakeClock, failingFiles, fakeHost } from '../fake-host.js';

// quarantine.ts ROOT HOME STEP [ID]: moves what is damaged in ROOT into a quarantine, that of HOME where ROOT is no home;
// or brings ID back. Kills itself before the STEPth change of a name, never for 0. Says what it did.
const [root = '', home = '', step = '', id = ''] = process.argv.slice(2);

let steps = 0;

function dieAtStep(): void {
  steps += 1;
  if (steps === Number(step)) process.kill(process.pid, 'SIGKILL');
}

const files = failingFiles({
  rename: (from, to) => {
    dieAtStep();
    systemFiles.rename(from, to);
  },
  link: (from, to) => {
    dieAtStep();
    systemFiles.link(from, to);
  },
  unlink: (path) => {
    dieAtStep();
    systemFiles.unlink(path);
  },
});

// Nobody has written anything for an hour.
const host = fakeHost({ files, clock: new FakeClock(Date.now() + 3_600_000) });
const session = openSession({ host, root, stateDirectory: null, maxPayloadBytes: 1_000_000 });
if (id === '') {
  const report = await verify(session, { fingerprints: null, treatment: { kind: 'quarantine', home } });
  process.stdout.write(JSON.stringify(report.treated));
} else {
  const restored = await restoreArtifact(session, id);
  process.stdout.write(restored.path);
}
session.openLock()?.close();
