/** Where a text stops to be JSON. */
export interface JsonProblem {
  /** An index into the text; the end of the part that was scanned when it is cut off. */
  readonly at: number;
  readonly expected: string;
}

export interface RepeatedKey {
  /** Keys and indices from the outermost value to the object that has the key twice. */
  readonly path: readonly (string | number)[];
  readonly key: string;
}

export interface JsonScan {
  readonly start: number;
  readonly end: number;
  /** Null for JSON. */
  readonly problem: JsonProblem | null;
  readonly repeated: readonly RepeatedKey[];
  /** Those of the outermost object, as far as it was understood. */
  readonly keys: ReadonlySet<string>;
}

/** A manifest has four levels. Without a bound a hostile one would fill the memory with brackets. */
const MAX_LEVELS = 64;

/**
 * Reads a part of a text as one JSON value, white space around it. Tells what `JSON.parse` does not: the place of a
 * mistake, and the keys that an object has twice, of which it silently takes the last.
 */
export function scanJson(text: string, part: { readonly start: number; readonly end: number }): JsonScan {
  const scanner = new Scanner(text, part);
  const problem = scanner.scan();
  const { repeated, keys } = scanner;
  return { start: part.start, end: part.end, problem, repeated, keys };
}

/** Thrown inside of this module only. */
class Unexpected extends Error {
  readonly problem: JsonProblem;

  constructor(problem: JsonProblem) {
    super(problem.expected);
    this.problem = problem;
  }
}

interface Level {
  readonly close: '}' | ']';
  /** Null for a list. */
  readonly keys: Set<string> | null;
  /** Where in it we are. */
  place: string | number;
  isFresh: boolean;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;
/** A piece of a string in which nothing has to be looked at. */
// oxlint-disable-next-line no-control-regex -- a string of JSON holds none of them.
const PLAIN = /[^"\\\u0000-\u001F]*/y;
const BARE_WORD = /[-+.\w]*/y;
const BARE_VALUE = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
/** The longest escape. */
const ESCAPE_CHARACTERS = 6;

class Scanner {
  readonly repeated: RepeatedKey[] = [];
  readonly keys = new Set<string>();
  readonly #text: string;
  readonly #end: number;
  readonly #levels: Level[] = [];
  #at: number;

  constructor(text: string, part: { readonly start: number; readonly end: number }) {
    this.#text = text;
    this.#at = part.start;
    this.#end = part.end;
  }

  scan(): JsonProblem | null {
    try {
      this.#value();
      for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
        this.#step(level);
      }
      this.#skipSpace();
      if (this.#at < this.#end) this.#fail('the end');
      return null;
    } catch (error) {
      if (error instanceof Unexpected) return error.problem;
      throw error;
    }
  }

  #fail(expected: string, at: number = this.#at): never {
    throw new Unexpected({ at: Math.min(at, this.#end), expected });
  }

  /** A whole value, or the bracket that opens one. */
  #value(): void {
    this.#skipSpace();
    if (this.#take('{')) this.#open('}', this.#levels.length === 0 ? this.keys : new Set());
    else if (this.#take('[')) this.#open(']', null);
    else if (this.#isAt(QUOTE)) this.#string();
    else this.#bareValue();
  }

  #open(close: Level['close'], keys: Level['keys']): void {
    if (this.#levels.length === MAX_LEVELS) this.#fail(`at most ${MAX_LEVELS} levels`, this.#at - 1);
    this.#levels.push({ close, keys, place: 0, isFresh: true });
  }

  /** The next member of what is open, or its end. */
  #step(level: Level): void {
    this.#skipSpace();
    if (this.#take(level.close)) {
      this.#levels.pop();
      return;
    }
    if (!level.isFresh && !this.#take(',')) this.#fail(`"," or "${level.close}"`);
    if (level.keys !== null) this.#key(level, level.keys);
    else if (typeof level.place === 'number' && !level.isFresh) level.place += 1;
    level.isFresh = false;
    this.#value();
  }

  #key(level: Level, keys: Set<string>): void {
    this.#skipSpace();
    if (!this.#isAt(QUOTE)) this.#fail('a key in quotes');
    const key = this.#string();
    if (keys.has(key)) {
      this.repeated.push({ path: this.#levels.slice(0, -1).map((outer) => outer.place), key });
    }
    keys.add(key);
    level.place = key;
    this.#skipSpace();
    if (!this.#take(':')) this.#fail('":"');
  }

  #string(): string {
    const start = this.#at;
    let hasEscape = false;
    for (let at = endOfPlain(this.#text, start + 1); at < this.#end; at = endOfPlain(this.#text, at + 1)) {
      const code = this.#text.charCodeAt(at);
      if (code === QUOTE) {
        this.#at = at + 1;
        const raw = this.#text.slice(start, this.#at);
        return hasEscape ? (JSON.parse(raw) as string) : raw.slice(1, -1);
      }
      if (code === BACKSLASH) {
        hasEscape = true;
        at += this.#escapeLength(at) - 1;
      } else if (code < FIRST_PRINTABLE) this.#fail('a closing quote', at);
    }
    return this.#fail('a closing quote', this.#end);
  }

  #escapeLength(at: number): number {
    ESCAPE.lastIndex = at;
    const length = ESCAPE.exec(this.#text)?.[0].length;
    if (length !== undefined && at + length <= this.#end) return length;
    const rest = this.#text.slice(at, Math.min(this.#end, at + ESCAPE_CHARACTERS));
    const isCutOff = at + rest.length === this.#end && /^\\(?:u[0-9a-fA-F]{0,3})?$/.test(rest);
    return this.#fail(isCutOff ? 'a closing quote' : 'an escape such as \\n', isCutOff ? this.#end : at);
  }

  #bareValue(): void {
    BARE_WORD.lastIndex = this.#at;
    const word = BARE_WORD.exec(this.#text)?.[0] ?? '';
    const end = this.#at + word.length;
    if (!BARE_VALUE.test(word)) this.#fail('a value', end === this.#end ? end : this.#at);
    this.#at = end;
  }

  #skipSpace(): void {
    while (this.#at < this.#end && isSpace(this.#text.charCodeAt(this.#at))) this.#at += 1;
  }

  #isAt(code: number): boolean {
    return this.#at < this.#end && this.#text.charCodeAt(this.#at) === code;
  }

  #take(character: string): boolean {
    if (this.#at >= this.#end || this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}

function endOfPlain(text: string, start: number): number {
  PLAIN.lastIndex = start;
  PLAIN.test(text);
  return PLAIN.lastIndex;
}
