import type { ArtifactReader } from '../artifact-reader.js';
import { oneFile, OTHER_WRITER, type Format, type Named, type Section } from '../layout.js';
import { damaged, UNVERIFIABLE, type Verdict } from '../verdict.js';
import { REST, skip, take, WireReader, type Grammar } from './wire-reader.js';

/** vyre-libs reads no more. */
const MAX_BYTES = 536_870_912;
const MAGIC_BYTES = 8;
const LENGTH_BYTES = 8;
/** Of a source, or of a set of macros. */
const HASH_BYTES = 16;
const COLUMNS = 4;
const MAX_TAG = 8;

/*
 * The stem is a hash of the path, the length and the hash of the source and, for payloads, of the macros. It is not
 * compared: a version of vyre's preprocessor goes into it that no file tells, and another one is not damage.
 */

/** `parsed-ast/<32hex>.vct`: the tokens of a C file. vyre-libs writes it. */
export const tokensFormat: Format = {
  name: 'parsed-ast-tokens',
  layout: 'vyre',
  ...oneFile('', '.vct'),
  ...OTHER_WRITER,
  check: (artifact) => check(artifact, tokens()),
};

/** `parsed-ast/<32hex>.vpl`: the preprocessor directives of a C file. vyre-libs writes it. */
export const payloadsFormat: Format = {
  name: 'parsed-ast-payloads',
  layout: 'vyre',
  ...oneFile('', '.vpl'),
  ...OTHER_WRITER,
  check: (artifact) => check(artifact, payloads()),
};

const PART = /^([0-9a-f]{32})\.(vct|vpl)$/;
const TEMPORARY_NAME = /^[0-9a-f]{32}\.(?:vct|vpl)\.[1-9][0-9]{0,9}\.[0-9]+\.tmp$/;
const TEMPORARY: Named = { kind: 'litter', rule: 'temporary' };

export const parsedAstSection: Section = {
  file: (name) => {
    const match = PART.exec(name);
    if (match === null) return TEMPORARY_NAME.test(name) ? TEMPORARY : null;
    const [, stem = '', extension] = match;
    return {
      kind: 'part',
      format: extension === 'vct' ? tokensFormat : payloadsFormat,
      part: 0,
      stem,
    };
  },
  folder: () => null,
};

function check(artifact: ArtifactReader, grammar: Grammar): Verdict {
  const reader = new WireReader(grammar);
  return artifact.stream(0, MAX_BYTES, (chunk) => reader.feed(chunk)) ?? reader.end();
}

const TRUNCATED = damaged('truncated');

/** Null for a length that no file can have: all that is certain is that the bytes are not there. */
function lengthOf(bytes: Buffer): number | null {
  const length = bytes.readBigUInt64LE();
  return length <= BigInt(MAX_BYTES) ? Number(length) : null;
}

function* tokens(): Grammar {
  if ((yield take(MAGIC_BYTES)).toString('latin1') !== 'VYRECTS1') return damaged('bad-magic');
  const pathBytes = lengthOf(yield take(LENGTH_BYTES));
  if (pathBytes === null) return TRUNCATED;
  yield skip(pathBytes);
  const sourceBytes = (yield take(LENGTH_BYTES)).readBigUInt64LE();
  yield skip(HASH_BYTES);
  for (let column = 0; column < COLUMNS; column += 1) {
    const count = lengthOf(yield take(LENGTH_BYTES));
    if (count === null) return TRUNCATED;
    yield skip(4 * count);
  }
  const keptBytes = lengthOf(yield take(LENGTH_BYTES));
  if (keptBytes === null) return TRUNCATED;
  yield skip(keptBytes);
  // The key tells the length of the source as it was read. What is kept has lost its comments and spliced lines: it may
  // be shorter, never longer. For the same reason it does not have the hash that the key tells.
  return BigInt(keptBytes) <= sourceBytes ? UNVERIFIABLE : damaged('key-mismatch');
}

/** The payloads behind their first tag are not looked into: their inner layouts are vyre's own and undocumented. */
function* payloads(): Grammar {
  if ((yield take(MAGIC_BYTES)).toString('latin1') !== 'VYREPL02') return damaged('bad-magic');
  const pathBytes = lengthOf(yield take(LENGTH_BYTES));
  if (pathBytes === null) return TRUNCATED;
  yield skip(pathBytes);
  yield skip(LENGTH_BYTES + 2 * HASH_BYTES);
  const count = lengthOf(yield take(LENGTH_BYTES));
  if (count === null) return TRUNCATED;
  if (count === 0) return UNVERIFIABLE;
  const [tag = 0] = yield take(1);
  if (tag > MAX_TAG) return damaged('bad-field');
  // Each of the others has its own tag at least.
  yield skip(count - 1);
  yield REST;
  return UNVERIFIABLE;
}
