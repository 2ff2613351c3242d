import type { ArtifactReader } from '../artifact-reader.js';
import { oneFile, OTHER_WRITER, type Format, type Section } from '../layout.js';
import { UNVERIFIABLE, type Verdict } from '../verdict.js';
import { shardOf } from './shards.js';

/** vyre-driver refuses to write or read more. */
const MAX_BYTES = 67_108_864;

/** `<2hex>/<64hex>.bin`: what the graphics driver compiled, as it is. vyre-driver's DiskPipelineCache writes it. */
export const driverFormat: Format = {
  name: 'driver-pipeline',
  layout: 'vyre',
  ...oneFile('', '.bin'),
  ...OTHER_WRITER,
  check,
};

const NAMES = {
  format: driverFormat,
  artifact: /^([0-9a-f]{64})\.bin$/,
  temporary: /^[0-9a-f]{64}\.bin\.tmp\.[1-9][0-9]{0,9}\.[0-9]+$/,
} as const;

/** A shard lies between the flat entries of a store, or of any other root that the driver was given. */
export function driverShard(shard: string): Section {
  return shardOf(shard, NAMES);
}

function check(artifact: ArtifactReader): Verdict {
  return artifact.stream(0, MAX_BYTES) ?? UNVERIFIABLE;
}
