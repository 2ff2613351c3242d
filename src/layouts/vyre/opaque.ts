import type { ArtifactReader } from '../artifact-reader.js';
import { oneFile, OTHER_WRITER, type Format, type Section } from '../layout.js';
import { UNVERIFIABLE, type Verdict } from '../verdict.js';

/**
 * `cuda-jit/`, which NVIDIA's driver fills and keeps within bounds of its own, and `ptx-cache/`, which vyre names but
 * does not fill. Nobody else knows what the files mean, or which of them belong together.
 */
export const opaqueFormat: Format = {
  name: 'cuda-jit',
  layout: 'vyre',
  ...oneFile('', ''),
  ...OTHER_WRITER,
  isPrunable: false,
  check,
};

export const opaqueSection: Section = {
  file: (name) => ({ kind: 'part', format: opaqueFormat, part: 0, stem: name }),
  folder: () => opaqueSection,
};

function check(artifact: ArtifactReader): Verdict {
  return artifact.stream(0, Infinity) ?? UNVERIFIABLE;
}
