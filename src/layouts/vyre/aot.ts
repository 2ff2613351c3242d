import type { ArtifactReader } from '../artifact-reader.js';
import { OTHER_WRITER, type Format, type Section } from '../layout.js';
import { damaged, UNVERIFIABLE, type Verdict } from '../verdict.js';
import { readSidecar, type TomlFields } from './sidecar.js';
import { streamText } from './text-part.js';

const VERSION = 1;
/** vyre-driver-wgpu reads no longer text. */
const MAX_BYTES = 16_777_216;

const TEXT = 0;
const SIDECAR = 1;
const BOTH = (1 << TEXT) | (1 << SIDECAR);

/**
 * `aot/`: shader text and its sidecar. vyre-driver-wgpu writes them in place, the text first: a writer that was killed
 * leaves half of a text, or a text without a sidecar.
 */
export const aotFormat: Format = {
  name: 'aot',
  layout: 'vyre',
  parts: [
    { prefix: '', suffix: '.wgsl' },
    { prefix: '', suffix: '.toml' },
  ],
  removal: [SIDECAR, TEXT],
  wholeness: (present) => (present === BOTH ? 'artifact' : 'half'),
  ...OTHER_WRITER,
  check,
};

const PART = /^([0-9a-f]{64})\.(wgsl|toml)$/;

export const aotSection: Section = {
  file: (name) => {
    const match = PART.exec(name);
    if (match === null) return null;
    const [, stem = '', extension] = match;
    return {
      kind: 'part',
      format: aotFormat,
      part: extension === 'wgsl' ? TEXT : SIDECAR,
      stem,
    };
  },
  folder: () => null,
};

/**
 * The length of the text is all that can be held against it: there is no digest. The stem is a hash of the other fields
 * and of a policy that no file holds, so it cannot be computed.
 */
function decodeSidecar(fields: TomlFields): { readonly textBytes: bigint } {
  fields.digest('spec_hash');
  fields.text('backend_fingerprint');
  fields.count('created_unix_ms');
  return { textBytes: fields.count('wgsl_bytes') };
}

function check(artifact: ArtifactReader): Verdict {
  const sidecar = readSidecar(artifact, SIDECAR, { version: VERSION, decode: decodeSidecar });
  if (!sidecar.ok) return sidecar.verdict;
  let bytes = 0;
  const verdict = streamText(artifact, TEXT, {
    maxBytes: MAX_BYTES,
    sink: (chunk) => {
      bytes += chunk.byteLength;
    },
  });
  if (verdict !== null) return verdict;
  return sidecar.value.textBytes === BigInt(bytes) ? UNVERIFIABLE : damaged('length-mismatch');
}
