import type { ArtifactReader } from '../artifact-reader.js';
import { oneFile, OTHER_WRITER, type Format } from '../layout.js';
import { damaged, UNVERIFIABLE, VALID, type Verdict } from '../verdict.js';

const DIGEST_DIGITS = 64;

/** `0x<128hex>.pvf`: the engine's serialized module, raw, under a random name. */
export const artifactFormat: Format = {
  name: 'pvf-artifact',
  layout: 'pvf',
  ...oneFile('', '.pvf'),
  ...OTHER_WRITER,
  check: checkRaw,
};

/** `wasmtime_…`: the same of hosts from before artifacts had an extension. */
export const oldArtifactFormat: Format = {
  name: 'pvf-old',
  layout: 'pvf',
  ...oneFile('', ''),
  ...OTHER_WRITER,
  check: checkRaw,
};

/**
 * `<node version>_0x<code hash>_0x<executor params hash>_0x<BLAKE3 of the content>`: the hosts of 2023 kept artifacts
 * over a restart.
 */
export const persistentFormat: Format = {
  name: 'pvf-persistent',
  layout: 'pvf',
  ...oneFile('', ''),
  ...OTHER_WRITER,
  check: checkNamed,
};

function checkRaw(artifact: ArtifactReader): Verdict {
  const ended = artifact.stream(0, Infinity);
  if (ended !== null) return ended;
  // The writer renames it into place whole: a power cut leaves an empty one.
  return artifact.bytesRead === 0 ? damaged('truncated') : UNVERIFIABLE;
}

function checkNamed(artifact: ArtifactReader): Verdict {
  const state = artifact.host.hash.create();
  const ended = artifact.stream(0, Infinity, (chunk) => {
    state.update(chunk);
    return null;
  });
  if (ended !== null) return ended;
  const digest = Buffer.from(state.digest()).toString('hex');
  return artifact.stem.slice(-DIGEST_DIGITS) === digest ? VALID : damaged('bad-checksum');
}
