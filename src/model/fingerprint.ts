/** 64 lowercase hex digits: the key of an entry, BLAKE3 of the complete description of a compilation. */
export type Fingerprint = string & { readonly kind: 'fingerprint' };

/** 64 lowercase hex digits: BLAKE3 of bytes. */
export type Digest = string & { readonly kind: 'digest' };

/** 32 bytes of BLAKE3 over the given chunks, in order. Comes from `host/hash.ts`. */
export type HashChunks = (chunks: readonly Uint8Array[]) => Uint8Array;

export const HEX_LENGTH = 64;
/** The shortest prefix of a fingerprint that a person may type. */
export const MIN_PREFIX_LENGTH = 8;

const PREFIX = /^[0-9a-f]{8,64}$/;
/** First bytes of every hashed description; the version changes with the encoding. */
const DOMAIN = 'vyre-cache fingerprint v1\n';
/** Value of the field `schema`; changes whenever the meaning of a field changes. */
export const FINGERPRINT_SCHEMA = 'vyre-cache.fingerprint/1';

export function isFingerprint(text: string): text is Fingerprint {
  return isHex64(text);
}

export function isDigest(text: string): text is Digest {
  return isHex64(text);
}

/** Compared with its own bytes: a loop over the characters is slow until it was compiled, and most calls are over before. */
function isHex64(text: string): boolean {
  return text.length === HEX_LENGTH && Buffer.from(text, 'hex').toString('hex') === text;
}

/** True for 8 to 64 lowercase hex digits. */
export function isFingerprintPrefix(text: string): boolean {
  return PREFIX.test(text);
}

export function toHex(bytes: Uint8Array): string {
  const buffer =
    bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString('hex');
}

/** The digest for 32 raw bytes. */
export function digestOfBytes(bytes: Uint8Array): Digest {
  if (bytes.byteLength * 2 !== HEX_LENGTH)
    throw new Error(`expected a 32-byte BLAKE3 value, got ${bytes.byteLength} bytes`);
  // Lowercase hex digits by construction.
  return toHex(bytes) as Digest;
}

/**
 * One field of a description.
 * - `text`: hashed and shown as it is.
 * - `secret`: hashed as it is, shown only as a digest (environment variables).
 * - `digest`: hashed as 32 raw bytes.
 * - `absent`: a file that must not exist; hashed as an empty value.
 */
export type Field =
  | { readonly name: string; readonly kind: 'text' | 'secret'; readonly text: string }
  | { readonly name: string; readonly kind: 'digest'; readonly digest: Digest }
  | { readonly name: string; readonly kind: 'absent' };

export function textField(name: string, text: string): Field {
  return { name, kind: 'text', text };
}

export function digestField(name: string, digest: Digest): Field {
  return { name, kind: 'digest', digest };
}

/** Six digits, so that numbered fields sort by number: `arg/000012`. */
export function numbered(group: 'arg' | 'key' | 'output', index: number): string {
  return `${group}/${String(index).padStart(6, '0')}`;
}

/**
 * The bytes that are hashed: the domain line, then per field u32le length and UTF-8 name, u64le length and value,
 * sorted by the bytes of the names. Length prefixes keep a byte that moves between two fields visible (vyre).
 * @throws Error on two fields of one name: a bug of the caller.
 */
export function encodeFields(fields: readonly Field[]): Uint8Array[] {
  return [Buffer.from(DOMAIN, 'utf8'), encoded(sortedFields(fields))];
}

function sortedFields(fields: readonly Field[]): readonly Field[] {
  const compare = fields.some(({ name }) => HIGH.test(name)) ? compareNames : comparePlainNames;
  const sorted = fields.toSorted(compare);
  for (let index = 1; index < sorted.length; index += 1) {
    const name = sorted[index]?.name ?? '';
    if (sorted[index - 1]?.name === name) throw new Error(`two fields of a fingerprint are called "${name}"`);
  }
  return sorted;
}

function comparePlainNames({ name: a }: Field, { name: b }: Field): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** In the order of their bytes, which is that of their UTF-16 units below the surrogates. */
function compareNames(a: Field, b: Field): number {
  if (!HIGH.test(a.name) && !HIGH.test(b.name)) return comparePlainNames(a, b);
  return Buffer.compare(Buffer.from(a.name, 'utf8'), Buffer.from(b.name, 'utf8'));
}

const HIGH = /[\uD800-\uFFFF]/;

/** Before each name, and before each value. */
const NAME_LENGTH_BYTES = 4;
const VALUE_LENGTH_BYTES = 8;

/** The fields one after another, in one buffer: a start encodes some hundred of them. */
function encoded(fields: readonly Field[]): Buffer {
  const lengths = fields.map((field) => ({
    name: Buffer.byteLength(field.name, 'utf8'),
    value: valueLength(field),
  }));
  const size = lengths.reduce((sum, { name, value }) => sum + name + value, 0);
  const bytes = Buffer.alloc(size + fields.length * (NAME_LENGTH_BYTES + VALUE_LENGTH_BYTES));
  let at = 0;
  for (const [index, field] of fields.entries()) {
    const { name = 0, value = 0 } = lengths[index] ?? {};
    at = bytes.writeUInt32LE(name, at);
    at += bytes.write(field.name, at, 'utf8');
    // No text is as long as 4 GiB.
    at = bytes.writeUInt32LE(value, at);
    at = bytes.writeUInt32LE(0, at);
    at += writeValue(field, bytes, at);
  }
  return bytes;
}

function valueLength(field: Field): number {
  if (field.kind === 'absent') return 0;
  return field.kind === 'digest' ? HEX_LENGTH / 2 : Buffer.byteLength(field.text, 'utf8');
}

function writeValue(field: Field, target: Buffer, at: number): number {
  if (field.kind === 'absent') return 0;
  return field.kind === 'digest'
    ? target.write(field.digest, at, 'hex')
    : target.write(field.text, at, 'utf8');
}

/** The fingerprint of a description. The order of `fields` does not matter. */
export function fingerprintOf(fields: readonly Field[], hash: HashChunks): Fingerprint {
  return fingerprintOfBytes(Buffer.concat(encodeFields(fields)), hash);
}

/**
 * The same for fields in groups. Thousands of descriptions share the group of their compiler, or of their headers, which
 * is encoded once for as long as the same array comes.
 */
export function fingerprintOfGroups(groups: readonly (readonly Field[])[], hash: HashChunks): Fingerprint {
  const blocks = groups.flatMap((group) => blockOf(group) ?? []);
  blocks.sort((a, b) => compareNames(a.first, b.first));
  const isApart = blocks.every((block, index) => {
    const next = blocks[index + 1];
    return next === undefined || compareNames(block.last, next.first) < 0;
  });
  if (!isApart) return fingerprintOf(groups.flat(), hash);
  return fingerprintOfBytes(
    Buffer.concat([Buffer.from(DOMAIN, 'utf8'), ...blocks.map(({ bytes }) => bytes)]),
    hash,
  );
}

/** A group as it stands in the encoding, where no other field comes between. */
interface Block {
  readonly first: Field;
  readonly last: Field;
  readonly bytes: Uint8Array;
}

const knownBlocks = new WeakMap<readonly Field[], Block>();

/** Null for a group without fields. */
function blockOf(group: readonly Field[]): Block | null {
  const known = knownBlocks.get(group);
  if (known !== undefined) return known;
  const sorted = sortedFields(group);
  const [first] = sorted;
  const last = sorted.at(-1);
  if (first === undefined || last === undefined) return null;
  const block = { first, last, bytes: encoded(sorted) };
  knownBlocks.set(group, block);
  return block;
}

function fingerprintOfBytes(bytes: Uint8Array, hash: HashChunks): Fingerprint {
  const hex = toHex(hash([bytes]));
  if (!isFingerprint(hex)) throw new Error(`expected a 32-byte BLAKE3 value, got "${hex}"`);
  return hex;
}

/** A field as records, reports and explanations show it: never the value of a variable. */
export interface ShownField {
  readonly name: string;
  /** Set for `text` fields. */
  readonly value: string | null;
  /** Set for `digest` and `secret` fields; null together with `value` for a file that must not exist. */
  readonly digest: Digest | null;
}

export function showField(field: Field, hash: HashChunks): ShownField {
  switch (field.kind) {
    case 'text':
      return { name: field.name, value: field.text, digest: null };
    case 'secret':
      return {
        name: field.name,
        value: null,
        digest: digestOfBytes(hash([Buffer.from(field.text, 'utf8')])),
      };
    case 'digest':
      return { name: field.name, value: null, digest: field.digest };
    case 'absent':
      return { name: field.name, value: null, digest: null };
    default:
      return field satisfies never;
  }
}
