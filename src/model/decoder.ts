/** Decoders never throw: damage is a value with its reason. */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

/** Thrown inside a decoder only, and caught by {@link decoding}. */
class Mismatch extends Error {}

export function mismatch(reason: string): never {
  throw new Mismatch(reason);
}

/** Runs `decode` and turns its mismatches into a reason. */
export function decoding<T>(decode: () => T): Decoded<T> {
  try {
    return { ok: true, value: decode() };
  } catch (error) {
    if (error instanceof Mismatch) return { ok: false, reason: error.message };
    throw error;
  }
}

/** Parses JSON text; text that is none is a mismatch. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return mismatch('not JSON');
  }
}

function areTexts(values: readonly unknown[]): values is readonly string[] {
  return values.every((value) => typeof value === 'string');
}

/** A JSON object with strict access: `end` demands that every key was read. */
export class Reader {
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #path: string;
  /** Few: no object of ours has many keys. */
  readonly #read: string[] = [];

  constructor(value: unknown, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      mismatch(`${path} is not an object`);
    this.#object = value as Readonly<Record<string, unknown>>;
    this.#path = path;
  }

  #take(key: string): unknown {
    if (!Object.hasOwn(this.#object, key)) mismatch(`${this.#path}.${key} is missing`);
    this.#read.push(key);
    return this.#object[key];
  }

  text(key: string): string {
    const value = this.#take(key);
    return typeof value === 'string' ? value : mismatch(`${this.#path}.${key} is not a string`);
  }

  textOrNull(key: string): string | null {
    const value = this.#take(key);
    return value === null || typeof value === 'string'
      ? value
      : mismatch(`${this.#path}.${key} is not a string`);
  }

  /** A whole number from 0 to 2^53 - 1. */
  count(key: string): number {
    const value = this.#take(key);
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
      ? value
      : mismatch(`${this.#path}.${key} is not a count`);
  }

  countOrNull(key: string): number | null {
    const value = this.#take(key);
    if (value === null) return null;
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
      ? value
      : mismatch(`${this.#path}.${key} is not a count`);
  }

  /** A finite number that is not negative. */
  amount(key: string): number {
    const value = this.#take(key);
    return typeof value === 'number' && Number.isFinite(value) && value >= 0
      ? value
      : mismatch(`${this.#path}.${key} is not an amount`);
  }

  amountOrNull(key: string): number | null {
    const value = this.#take(key);
    if (value === null) return null;
    return typeof value === 'number' && Number.isFinite(value) && value >= 0
      ? value
      : mismatch(`${this.#path}.${key} is not an amount`);
  }

  flag(key: string): boolean {
    const value = this.#take(key);
    return typeof value === 'boolean' ? value : mismatch(`${this.#path}.${key} is not true or false`);
  }

  list<T>(key: string, item: (value: unknown, path: string) => T): readonly T[] {
    const value = this.#take(key);
    if (!Array.isArray(value)) return mismatch(`${this.#path}.${key} is not a list`);
    const items: T[] = [];
    for (const element of value) items.push(item(element, `${this.#path}.${key}[${items.length}]`));
    return items;
  }

  /** A list of whatever: who reads it knows what is right. */
  values(key: string): readonly unknown[] {
    const value = this.#take(key);
    return Array.isArray(value) ? value : mismatch(`${this.#path}.${key} is not a list`);
  }

  texts(key: string): readonly string[] {
    const value = this.#take(key);
    if (!Array.isArray(value)) return mismatch(`${this.#path}.${key} is not a list`);
    const elements: readonly unknown[] = value;
    if (areTexts(elements)) return elements;
    const other = elements.findIndex((element) => typeof element !== 'string');
    return mismatch(`${this.#path}.${key}[${other}] is not a string`);
  }

  /** Null or an object, decoded by `decode`. */
  objectOrNull<T>(key: string, decode: (reader: Reader) => T): T | null {
    const value = this.#take(key);
    return value === null ? null : decode(new Reader(value, `${this.#path}.${key}`));
  }

  end(): void {
    const keys = Object.keys(this.#object);
    // Each key is read once.
    if (keys.length === this.#read.length) return;
    for (const key of keys) if (!this.#read.includes(key)) mismatch(`${this.#path}.${key} is unknown`);
  }
}
