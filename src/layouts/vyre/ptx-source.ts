import type { ArtifactReader } from '../artifact-reader.js';
import { oneFile, OTHER_WRITER, type Format, type Section } from '../layout.js';
import { UNVERIFIABLE, type Verdict } from '../verdict.js';
import { sharded, shardOf } from './shards.js';
import { streamText } from './text-part.js';

/** vyre-driver-cuda refuses to write or read more. */
const MAX_BYTES = 1_073_741_824;

/** `ptx-source/<2hex>/<64hex>.ptx`: assembler text for NVIDIA's driver. vyre-driver-cuda writes it. */
export const ptxFormat: Format = {
  name: 'ptx-source',
  layout: 'vyre',
  ...oneFile('', '.ptx'),
  ...OTHER_WRITER,
  check,
};

const NAMES = {
  format: ptxFormat,
  artifact: /^([0-9a-f]{64})\.ptx$/,
  temporary: /^[0-9a-f]{64}\.ptx\.[1-9][0-9]{0,9}\.[0-9]+\.tmp$/,
} as const;

export const ptxSection: Section = sharded((shard) => shardOf(shard, NAMES));

/** Text that is not UTF-8 does not just miss: it fails the compilation that finds it. */
function check(artifact: ArtifactReader): Verdict {
  return streamText(artifact, 0, { maxBytes: MAX_BYTES }) ?? UNVERIFIABLE;
}
