import {
  digestOfBytes,
  HEX_LENGTH,
  toHex,
  type Digest,
  type Fingerprint,
  type HashChunks,
} from './fingerprint.js';

/** First bytes of every hashed description; the version changes with the encoding. */
const DOMAIN = Buffer.from('vyre-cache fingerprint v1\n', 'utf8');
/** Value of the field `schema`; changes whenever the meaning of a field changes. */
export const FINGERPRINT_SCHEMA = 'vyre-cache.fingerprint/1';

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
  return [DOMAIN, encoded(sortedFields(fields))];
}

function sortedFields(fields: readonly Field[]): readonly Field[] {
  if (fields.length < 2) return fields;
  const sorted = fields.toSorted(fields.every(isPlain) ? comparePlainNames : compareNames);
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
  if (isPlain(a) && isPlain(b)) return comparePlainNames(a, b);
  return Buffer.compare(Buffer.from(a.name, 'utf8'), Buffer.from(b.name, 'utf8'));
}

const HIGH = /[\uD800-\uFFFF]/;

function isPlain({ name }: Field): boolean {
  return !HIGH.test(name);
}

/** Before each name, and before each value. */
const NAME_LENGTH_BYTES = 4;
const VALUE_LENGTH_BYTES = 8;
/** Of UTF-8, for each unit of a text. */
const MAX_UNIT_BYTES = 3;

/** The fields one after another, in one buffer: a start encodes some hundred of them. */
function encoded(fields: readonly Field[]): Buffer {
  let room = 0;
  for (const field of fields) {
    room += NAME_LENGTH_BYTES + MAX_UNIT_BYTES * field.name.length + VALUE_LENGTH_BYTES + valueRoom(field);
  }
  const bytes = Buffer.allocUnsafe(room);
  let at = 0;
  for (const field of fields) {
    const name = bytes.write(field.name, at + NAME_LENGTH_BYTES, 'utf8');
    bytes.writeUInt32LE(name, at);
    at += NAME_LENGTH_BYTES + name;
    const value = writeValue(field, bytes, at + VALUE_LENGTH_BYTES);
    // No text is as long as 4 GiB.
    bytes.writeUInt32LE(value, at);
    bytes.writeUInt32LE(0, at + VALUE_LENGTH_BYTES / 2);
    at += VALUE_LENGTH_BYTES + value;
  }
  return bytes.subarray(0, at);
}

function valueRoom(field: Field): number {
  if (field.kind === 'absent') return 0;
  return field.kind === 'digest' ? HEX_LENGTH / 2 : MAX_UNIT_BYTES * field.text.length;
}

function writeValue(field: Field, target: Buffer, at: number): number {
  if (field.kind === 'absent') return 0;
  return field.kind === 'digest'
    ? target.write(field.digest, at, 'hex')
    : target.write(field.text, at, 'utf8');
}

/** The fingerprint of a description. The order of `fields` does not matter. */
export function fingerprintOf(fields: readonly Field[], hash: HashChunks): Fingerprint {
  return fingerprintOfChunks(encodeFields(fields), hash);
}

/** Fields as they stand in the encoding, where no other field comes between. */
export interface FieldBlock {
  readonly fields: readonly Field[];
  readonly first: Field;
  readonly last: Field;
  /** True where names compare as they are. */
  readonly isPlain: boolean;
  readonly bytes: Uint8Array;
}

/** Null without fields. */
export function blockOf(fields: readonly Field[]): FieldBlock | null {
  const sorted = sortedFields(fields);
  const [first] = sorted;
  const last = sorted.at(-1);
  if (first === undefined || last === undefined) return null;
  return { fields, first, last, isPlain: isPlain(first) && isPlain(last), bytes: encoded(sorted) };
}

const keptBlocks = new WeakMap<readonly Field[], FieldBlock>();

/**
 * The same, made once for as long as the same array comes: thousands of descriptions share the fields of their compiler,
 * or of their headers.
 */
export function sharedBlockOf(fields: readonly Field[]): FieldBlock | null {
  const kept = keptBlocks.get(fields);
  if (kept !== undefined) return kept;
  const block = blockOf(fields);
  if (block !== null) keptBlocks.set(fields, block);
  return block;
}

/** The fingerprint of the fields of all blocks, whose order does not matter. */
export function fingerprintOfBlocks(blocks: readonly FieldBlock[], hash: HashChunks): Fingerprint {
  const compare = blocks.every((block) => block.isPlain) ? comparePlainNames : compareNames;
  const sorted = blocks.toSorted((a, b) => compare(a.first, b.first));
  const chunks: Uint8Array[] = [DOMAIN];
  let before: FieldBlock | null = null;
  for (const block of sorted) {
    const isApart = before === null || compare(before.last, block.first) < 0;
    if (!isApart)
      return fingerprintOf(
        blocks.flatMap(({ fields }) => fields),
        hash,
      );
    chunks.push(block.bytes);
    before = block;
  }
  return fingerprintOfChunks(chunks, hash);
}

function fingerprintOfChunks(chunks: readonly Uint8Array[], hash: HashChunks): Fingerprint {
  const hex = toHex(hash(chunks));
  if (hex.length !== HEX_LENGTH) throw new Error(`expected a 32-byte BLAKE3 value, got "${hex}"`);
  // Lowercase hex digits by construction.
  return hex as Fingerprint;
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
