import type { HashState } from '../../host/hash.js';
import { toHex } from '../../model/fingerprint.js';
import type { ArtifactReader } from '../artifact-reader.js';
import { OTHER_WRITER, type Format, type Named, type Section, type Wholeness } from '../layout.js';
import { damaged, VALID, type Verdict } from '../verdict.js';
import { readSidecar, type TomlFields } from './sidecar.js';
import { streamText } from './text-part.js';

const VERSION = 5;
/** vyre-driver-wgpu reads neither a longer text nor a longer blob. */
const MAX_BYTES = 67_108_864;

const TEXT = 0;
const TEXT_SIDECAR = 1;
const BLOB = 2;
const BLOB_SIDECAR = 3;
const TEXT_PAIR = (1 << TEXT) | (1 << TEXT_SIDECAR);
const BLOB_PAIR = (1 << BLOB) | (1 << BLOB_SIDECAR);

/**
 * `pipeline/`: shader text and the blob that the driver made of it, each with the sidecar that vouches for it.
 * vyre-driver-wgpu writes them at different times and under different keys: either pair may be alone.
 */
export const wgpuFormat: Format = {
  name: 'wgpu-pipeline',
  layout: 'vyre',
  parts: [
    { prefix: '', suffix: '.wgsl' },
    { prefix: '', suffix: '.wgsl.toml' },
    { prefix: '', suffix: '.pipeline.bin' },
    { prefix: '', suffix: '.pipeline.toml' },
  ],
  // A blob's sidecar without its blob makes vyre fail instead of compile, so sidecars go first.
  removal: [BLOB_SIDECAR, BLOB, TEXT_SIDECAR, TEXT],
  wholeness,
  ...OTHER_WRITER,
  check,
};

function wholeness(present: number): Wholeness {
  const isWhole = (pair: number): boolean => (present & pair) === 0 || (present & pair) === pair;
  return present !== 0 && isWhole(TEXT_PAIR) && isWhole(BLOB_PAIR) ? 'artifact' : 'half';
}

const PART = /^([0-9a-f]{64})(\.wgsl|\.wgsl\.toml|\.pipeline\.bin|\.pipeline\.toml)$/;
/** The last extension gives way, so the names of different parts coincide. */
const TEMPORARY_NAME = /^[0-9a-f]{64}(?:\.wgsl|\.pipeline)?\.tmp\.[1-9][0-9]{0,9}_[0-9]+$/;
const TEMPORARY: Named = { kind: 'litter', rule: 'temporary' };

export const wgpuSection: Section = {
  file: (name) => {
    const match = PART.exec(name);
    if (match === null) return TEMPORARY_NAME.test(name) ? TEMPORARY : null;
    const [, stem = '', suffix] = match;
    const part = wgpuFormat.parts.findIndex((each) => each.suffix === suffix);
    return { kind: 'part', format: wgpuFormat, part, stem };
  },
  folder: () => null,
};

/** What a sidecar claims about its file. */
interface Claim {
  /** As hex digits. */
  readonly key: string;
  readonly bytes: bigint;
  readonly digest: string;
}

function decodeTextSidecar(fields: TomlFields): Claim {
  decodeOrigin(fields);
  fields.text('wgsl_lowering_contract');
  fields.text('policy');
  return {
    key: fields.bytes32('cache_key'),
    bytes: fields.count('wgsl_bytes'),
    digest: fields.digest('wgsl_blake3'),
  };
}

function decodeBlobSidecar(fields: TomlFields): Claim & { readonly textDigest: string } {
  decodeOrigin(fields);
  return {
    key: fields.bytes32('cache_key'),
    bytes: fields.count('blob_bytes'),
    digest: fields.digest('blob_blake3'),
    textDigest: fields.digest('wgsl_blake3'),
  };
}

/** Which device and compiler it was made with can be demanded to be there; whether they still are the same, only vyre knows. */
function decodeOrigin(fields: TomlFields): void {
  fields.bytes32('adapter_fingerprint');
  fields.label('program_abi_version');
  fields.label('naga_version');
}

function check(artifact: ArtifactReader): Verdict {
  if (!artifact.has(TEXT)) return checkBlob(artifact, null);
  const text = checkText(artifact);
  if (!text.ok) return text.verdict;
  return artifact.has(BLOB) ? checkBlob(artifact, text.digest) : VALID;
}

type TextCheck =
  | { readonly ok: true; readonly digest: string }
  | { readonly ok: false; readonly verdict: Verdict };

function checkText(artifact: ArtifactReader): TextCheck {
  const sidecar = readSidecar(artifact, TEXT_SIDECAR, { version: VERSION, decode: decodeTextSidecar });
  if (!sidecar.ok) return sidecar;
  const meter = new Meter(artifact);
  const verdict =
    streamText(artifact, TEXT, { maxBytes: MAX_BYTES, sink: (chunk) => meter.take(chunk) }) ??
    meter.judge(sidecar.value);
  return verdict === null ? { ok: true, digest: sidecar.value.digest } : { ok: false, verdict };
}

/** `textDigest` is null where there is no text to compare with. */
function checkBlob(artifact: ArtifactReader, textDigest: string | null): Verdict {
  const sidecar = readSidecar(artifact, BLOB_SIDECAR, { version: VERSION, decode: decodeBlobSidecar });
  if (!sidecar.ok) return sidecar.verdict;
  const meter = new Meter(artifact);
  const verdict = artifact.stream(BLOB, MAX_BYTES, (chunk) => {
    meter.take(chunk);
    return null;
  });
  if (verdict !== null) return verdict;
  const isOfText = textDigest === null || textDigest === sidecar.value.textDigest;
  return meter.judge(sidecar.value) ?? (isOfText ? VALID : damaged('sidecar-mismatch'));
}

/** Measures a file while it is read, to compare it with what its sidecar claims. */
class Meter {
  readonly #artifact: ArtifactReader;
  readonly #hash: HashState;
  #bytes = 0;

  constructor(artifact: ArtifactReader) {
    this.#artifact = artifact;
    this.#hash = artifact.host.hash.create();
  }

  take(chunk: Buffer): void {
    this.#hash.update(chunk);
    this.#bytes += chunk.byteLength;
  }

  /** Null when all is as claimed. Ends the measuring. */
  judge({ key, bytes, digest }: Claim): Verdict | null {
    if (key !== this.#artifact.stem) return damaged('key-mismatch');
    if (bytes !== BigInt(this.#bytes)) return damaged('length-mismatch');
    return digest === toHex(this.#hash.digest()) ? null : damaged('bad-checksum');
  }
}
