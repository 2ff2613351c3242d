import type { Host } from '../../host/host.js';
import type { Format, Layout, Named, Section } from '../layout.js';
import { artifactFormat, oldArtifactFormat, persistentFormat } from './raw-artifact.js';

const ARTIFACT = /^(0x[0-9a-f]{128})\.pvf$/;
const OLD_ARTIFACT = /^wasmtime_.*0x[0-9a-f]{64}/;
const PERSISTENT = /^[A-Za-z0-9.+_-]+(?:_0x[0-9a-f]{64}){3}$/;
/** One worker's at work; the host removes it, or at its next start. */
const WORKER_FOLDER = /^worker-dir-(?:prepare|execute)-./;
/** What the host puts into a worker's folder; a vyre-cache puts more, and says who owns it. */
const WORKER_FILES: ReadonlySet<string> = new Set(['tmp-artifact', 'artifact']);

/** The extension alone is no evidence: `abcd.pvf` may be anybody's, though a host sweeps it at its start. */
function artifactPart(name: string): Named | null {
  const stem = ARTIFACT.exec(name)?.[1];
  if (stem !== undefined) return { kind: 'part', format: artifactFormat, part: 0, stem };
  // Before the next pattern: what the last hash of an older name is of, no source tells.
  if (OLD_ARTIFACT.test(name)) return { kind: 'part', format: oldArtifactFormat, part: 0, stem: name };
  if (PERSISTENT.test(name)) return { kind: 'part', format: persistentFormat, part: 0, stem: name };
  return null;
}

const pvfSection: Section = {
  file: artifactPart,
  folder: (name) => (WORKER_FOLDER.test(name) ? 'private' : null),
};

/** The `pvf-artifacts` of a Polkadot node. */
export const pvfLayout: Layout = {
  name: 'pvf',
  suggests: ({ name, type }) =>
    type === 'directory' ? WORKER_FOLDER.test(name) : type === 'file' && artifactPart(name) !== null,
  confirms: (host, folder, { name, type }) => type === 'file' || isWorkersOwn(host, `${folder}/${name}`),
  top: pvfSection,
};

export const pvfFormats: readonly Format[] = [artifactFormat, persistentFormat, oldArtifactFormat];

function isWorkersOwn(host: Host, folder: string): boolean {
  let isIts = true;
  host.files.scanDirectory(folder, ({ name }) => {
    isIts = WORKER_FILES.has(name);
    return isIts;
  });
  return isIts;
}
