import { isUtf8 } from 'node:buffer';
import { parse, TomlError } from 'smol-toml';
import { decoding, mismatch } from '../../model/decoder.js';
import type { ArtifactReader } from '../artifact-reader.js';
import { damaged, type Verdict } from '../verdict.js';

/** vyre reads no more of any of them. */
const MAX_BYTES = 65_536;
/** No number of vyre's is larger. */
const MAX_COUNT = 0xffff_ffff_ffff_ffffn;
const DIGEST = /^[0-9a-f]{64}$/;

export interface SidecarFormat<T> {
  readonly version: number;
  /** Runs for files of that version only. Fields that it does not ask for are as fine as they are for vyre. */
  readonly decode: (fields: TomlFields) => T;
}

export type SidecarRead<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly verdict: Verdict };

/** Reads a TOML file that tells about another file. */
export function readSidecar<T>(
  artifact: ArtifactReader,
  part: number,
  format: SidecarFormat<T>,
): SidecarRead<T> {
  const read = artifact.read(part, MAX_BYTES);
  if (!read.ok) return read;
  const decoded = decoding(() => {
    const fields = new TomlFields(parseToml(read.bytes));
    return fields.count('version') === BigInt(format.version) ? { value: format.decode(fields) } : null;
  });
  if (!decoded.ok) return { ok: false, verdict: damaged('unreadable-sidecar') };
  if (decoded.value === null) return { ok: false, verdict: damaged('wrong-version') };
  return { ok: true, value: decoded.value.value };
}

function parseToml(bytes: Buffer): Readonly<Record<string, unknown>> {
  if (!isUtf8(bytes)) return mismatch('not UTF-8');
  try {
    // All of them, not just large ones: else 5.0 could not be told from 5, which is what vyre writes and accepts.
    return parse(bytes.toString(), { integersAsBigInt: true });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return mismatch('not TOML');
  }
}

/** Access to the values of a table by the types that vyre's structures have. Usable inside a decoder only. */
export class TomlFields {
  readonly #table: Readonly<Record<string, unknown>>;

  constructor(table: Readonly<Record<string, unknown>>) {
    this.#table = table;
  }

  #value(key: string): unknown {
    return Object.hasOwn(this.#table, key) ? this.#table[key] : mismatch(`${key} is missing`);
  }

  /** A whole number from 0 to 2^64 - 1. */
  count(key: string): bigint {
    const value = this.#value(key);
    return typeof value === 'bigint' && value >= 0n && value <= MAX_COUNT
      ? value
      : mismatch(`${key} is not a count`);
  }

  text(key: string): string {
    const value = this.#value(key);
    return typeof value === 'string' ? value : mismatch(`${key} is not a text`);
  }

  /** A text or a whole number. */
  label(key: string): string | bigint {
    return typeof this.#value(key) === 'string' ? this.text(key) : this.count(key);
  }

  /** 64 lowercase hex digits. */
  digest(key: string): string {
    const text = this.text(key);
    return DIGEST.test(text) ? text : mismatch(`${key} is not a digest`);
  }

  /** An array of 32 bytes, each a whole number; as 64 lowercase hex digits. */
  bytes32(key: string): string {
    const value = this.#value(key);
    if (!Array.isArray(value) || value.length !== 32) return mismatch(`${key} is not an array of 32`);
    return Buffer.from(value.map((byte: unknown) => byteOf(key, byte))).toString('hex');
  }
}

function byteOf(key: string, value: unknown): number {
  return typeof value === 'bigint' && value >= 0n && value <= 255n
    ? Number(value)
    : mismatch(`${key} holds something that is no byte`);
}
