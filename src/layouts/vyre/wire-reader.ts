import { damaged, type Verdict } from '../verdict.js';

/** What a grammar asks for next. */
export type Step =
  /** The next bytes, few of them: they are held. */
  | { readonly kind: 'take'; readonly bytes: number }
  /** As many bytes go by unseen, whatever number a file claims: nothing is set aside for them. */
  | { readonly kind: 'skip'; readonly bytes: number }
  /** All that follows. */
  | { readonly kind: 'rest' };

/** Describes a format step by step; each step is answered by the bytes that it takes. Ends with the verdict. */
export type Grammar = Generator<Step, Verdict, Buffer>;

export const REST: Step = { kind: 'rest' };

export function take(bytes: number): Step {
  return { kind: 'take', bytes };
}

export function skip(bytes: number): Step {
  return { kind: 'skip', bytes };
}

const NOTHING = Buffer.alloc(0);

/**
 * Follows a grammar through a file that comes in chunks of any size. A file that ends before its grammar is `truncated`,
 * one that goes on has `trailing-bytes`.
 */
export class WireReader {
  readonly #grammar: Grammar;
  #now: IteratorResult<Step, Verdict>;
  /** What has come of the bytes that the step takes. */
  #taken: Buffer = NOTHING;
  #missing = 0;

  constructor(grammar: Grammar) {
    this.#grammar = grammar;
    this.#now = grammar.next(NOTHING);
    this.#begin();
    this.#advance();
  }

  /** Null as long as it may end well. */
  feed(chunk: Buffer): Verdict | null {
    for (let rest = chunk; rest.byteLength > 0;) {
      if (this.#now.done === true)
        return this.#now.value.kind === 'damaged' ? this.#now.value : damaged('trailing-bytes');
      const { kind } = this.#now.value;
      if (kind === 'rest') return null;
      const part = rest.subarray(0, this.#missing);
      rest = rest.subarray(part.byteLength);
      this.#missing -= part.byteLength;
      if (kind === 'take') this.#taken = Buffer.concat([this.#taken, part]);
      this.#advance();
    }
    return null;
  }

  /** The verdict on a file that ends here. */
  end(): Verdict {
    if (this.#now.done !== true && this.#now.value.kind === 'rest') this.#now = this.#grammar.next(NOTHING);
    return this.#now.done === true ? this.#now.value : damaged('truncated');
  }

  /** Goes on to the next step that needs bytes. */
  #advance(): void {
    while (this.#missing === 0 && this.#now.done !== true && this.#now.value.kind !== 'rest') {
      this.#now = this.#grammar.next(this.#taken);
      this.#begin();
    }
  }

  #begin(): void {
    this.#taken = NOTHING;
    this.#missing = this.#now.done === true || this.#now.value.kind === 'rest' ? 0 : this.#now.value.bytes;
  }
}
