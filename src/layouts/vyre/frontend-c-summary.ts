import type { ArtifactReader } from '../artifact-reader.js';
import { oneFile, OTHER_WRITER, type Format, type Section } from '../layout.js';
import { damaged, UNVERIFIABLE, type Verdict } from '../verdict.js';
import { sharded, shardOf } from './shards.js';

const MAGIC = 'VYREFCPS';
const VERSION = 1;
const VERSION_OFFSET = 8;
const NUMBERS_OFFSET = 12;
/** Magic, version, and thirteen numbers of 64 bits. */
const BYTES = NUMBERS_OFFSET + 13 * 8;
/** The numbers of tokens and of nodes of the syntax tree: vyre takes 64 bits with 32 that count. */
const NARROW_NUMBERS = [1, 3] as const;
const MAX_NARROW = 0xffff_ffffn;

/** `frontend-c-summary/<2hex>/<32hex>.bin`: sizes of what the parser found in a C file. vyre-frontend-c writes it. */
export const frontendFormat: Format = {
  name: 'frontend-c-summary',
  layout: 'vyre',
  ...oneFile('', '.bin'),
  ...OTHER_WRITER,
  check,
};

const NAMES = {
  format: frontendFormat,
  artifact: /^([0-9a-f]{32})\.bin$/,
  temporary: /^[0-9a-f]{32}\.bin\.[1-9][0-9]{0,9}\.[0-9]+\.tmp$/,
} as const;

export const frontendSection: Section = sharded((shard) => shardOf(shard, NAMES));

function check(artifact: ArtifactReader): Verdict {
  const read = artifact.read(0, BYTES);
  if (!read.ok) return read.verdict;
  const { bytes } = read;
  if (bytes.byteLength < BYTES) return damaged('truncated');
  if (bytes.toString('latin1', 0, VERSION_OFFSET) !== MAGIC) return damaged('bad-magic');
  if (bytes.readUInt32LE(VERSION_OFFSET) !== VERSION) return damaged('wrong-version');
  const isNarrow = (number: number): boolean =>
    bytes.readBigUInt64LE(NUMBERS_OFFSET + number * 8) <= MAX_NARROW;
  return NARROW_NUMBERS.every(isNarrow) ? UNVERIFIABLE : damaged('bad-field');
}
