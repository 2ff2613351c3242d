import { LOAD_SLACK_BYTES } from './bit-reader.js';
import {
  bytesAfter,
  MAGIC_BYTES,
  magicKind,
  MAX_BLOCK_BYTES,
  mayBecomeMagic,
  readFrameHeader,
  type FrameHeader,
} from './frame-header.js';
import { History } from './history.js';
import { Literals } from './literals.js';
import { Sequences } from './sequences.js';
import { ZstdError, type ZstdFault } from './zstd-fault.js';

const BLOCK_HEADER_BYTES = 3;
const CHECKSUM_BYTES = 4;
const SKIP_SIZE_BYTES = 4;

/** What the next bytes are. */
type Step =
  | 'magic'
  | 'skip-size'
  | 'skip'
  | 'descriptor'
  | 'frame-header'
  | 'block-header'
  | 'raw-block'
  | 'rle-block'
  | 'compressed-block'
  | 'checksum';

const BLOCK_STEPS = ['raw-block', 'rle-block', 'compressed-block'] as const;

/**
 * Decodes a zstd stream (RFC 8878: frames one after the other, skippable ones too) to see whether it does. In memory
 * bounded by the largest window, in time by what is pushed, whatever that is: a block decodes to 128 KiB at most.
 * Checksums of frames are skipped; nothing is kept of the content.
 */
export class ZstdStream {
  /** What the step at hand has got. */
  readonly #input = new Uint8Array(MAX_BLOCK_BYTES + LOAD_SLACK_BYTES);
  readonly #view = new DataView(this.#input.buffer);
  #have = 0;
  #need = MAGIC_BYTES;
  #step: Step = 'magic';
  #fault: ZstdFault | null = null;
  #frames = 0;
  #earlierBytes = 0;

  #descriptor = 0;
  #header: FrameHeader = { windowBytes: 0, contentBytes: null, hasChecksum: false };
  #blockBytes = 0;
  #isLastBlock = false;
  readonly #history = new History();
  readonly #onContent: ((bytes: Uint8Array) => void) | null;
  readonly #literals = new Literals();
  readonly #sequences = new Sequences();

  /** `onContent` is shown the content, a block at a time, and keeps none of it. */
  constructor(onContent: ((bytes: Uint8Array) => void) | null = null) {
    this.#onContent = onContent;
  }

  /** How much was decoded so far. */
  get contentBytes(): number {
    return this.#earlierBytes + this.#history.contentBytes;
  }

  /** Decodes on; the first fault is final. Keeps nothing of `bytes`. */
  push(bytes: Uint8Array): ZstdFault | null {
    if (this.#fault !== null) return this.#fault;
    try {
      this.#feed(bytes);
    } catch (error) {
      if (!(error instanceof ZstdError)) throw error;
      this.#fault = error.fault;
    }
    return this.#fault;
  }

  /** What is wrong with a stream that ends here. */
  end(): ZstdFault | null {
    if (this.#fault !== null) return this.#fault;
    if (this.#step !== 'magic') return 'truncated';
    if (this.#have > 0) return mayBecomeMagic(this.#input.subarray(0, this.#have)) ? 'truncated' : 'bad-zstd';
    return this.#frames === 0 ? 'truncated' : null;
  }

  #feed(bytes: Uint8Array): void {
    let taken = 0;
    for (;;) {
      const count = Math.min(this.#need - this.#have, bytes.length - taken);
      // What is skipped may be longer than the buffer, and nobody looks at it.
      if (this.#step !== 'skip') this.#input.set(bytes.subarray(taken, taken + count), this.#have);
      taken += count;
      this.#have += count;
      if (this.#have < this.#need) return;
      this.#have = 0;
      this.#take();
    }
  }

  #expect(step: Step, bytes: number): void {
    this.#step = step;
    this.#need = bytes;
  }

  /** Works on the bytes of a step, which are whole, and says which one is next. */
  #take(): void {
    switch (this.#step) {
      case 'magic':
        this.#takeMagic();
        return;
      case 'skip-size':
        this.#expect('skip', this.#view.getUint32(0, true));
        return;
      case 'skip':
        this.#endFrame();
        return;
      case 'descriptor':
        this.#descriptor = this.#view.getUint8(0);
        this.#expect('frame-header', bytesAfter(this.#descriptor));
        return;
      case 'frame-header':
        this.#beginFrame();
        return;
      case 'block-header':
        this.#takeBlockHeader();
        return;
      case 'raw-block':
      case 'rle-block':
      case 'compressed-block':
        this.#takeBlock(this.#step);
        return;
      case 'checksum':
        this.#endFrame();
        return;
      default:
        this.#step satisfies never;
    }
  }

  #takeMagic(): void {
    const kind = magicKind(this.#view);
    if (kind === null) throw new ZstdError();
    if (kind === 'skippable') this.#expect('skip-size', SKIP_SIZE_BYTES);
    else this.#expect('descriptor', 1);
  }

  #beginFrame(): void {
    this.#header = readFrameHeader(this.#descriptor, Buffer.from(this.#input.buffer, 0, this.#need));
    this.#earlierBytes += this.#history.contentBytes;
    this.#history.begin(this.#header);
    this.#literals.reset();
    this.#sequences.reset();
    this.#expect('block-header', BLOCK_HEADER_BYTES);
  }

  get #maxBlockBytes(): number {
    return Math.min(this.#header.windowBytes, MAX_BLOCK_BYTES);
  }

  #takeBlockHeader(): void {
    const header = this.#view.getUint16(0, true) | (this.#view.getUint8(2) << 16);
    const step = BLOCK_STEPS[(header >> 1) & 0b11];
    const bytes = header >> 3;
    if (step === undefined || bytes > this.#maxBlockBytes) throw new ZstdError();
    this.#isLastBlock = (header & 1) === 1;
    this.#blockBytes = bytes;
    this.#expect(step, step === 'rle-block' ? 1 : bytes);
  }

  #takeBlock(step: (typeof BLOCK_STEPS)[number]): void {
    const history = this.#history;
    history.reserve();
    if (step === 'raw-block') history.append(this.#input.subarray(0, this.#blockBytes));
    else if (step === 'rle-block') history.fill(this.#view.getUint8(0), this.#blockBytes);
    else this.#decodeBlock();
    this.#onContent?.(history.block);
    const { contentBytes, hasChecksum } = this.#header;
    if (contentBytes !== null && history.contentBytes > contentBytes) throw new ZstdError();
    if (!this.#isLastBlock) this.#expect('block-header', BLOCK_HEADER_BYTES);
    else if (contentBytes !== null && history.contentBytes !== contentBytes) throw new ZstdError();
    else if (hasChecksum) this.#expect('checksum', CHECKSUM_BYTES);
    else this.#endFrame();
  }

  #decodeBlock(): void {
    const range = { view: this.#view, start: 0, end: this.#blockBytes };
    const maxBytes = this.#maxBlockBytes;
    const start = this.#literals.read(range, maxBytes);
    const { bytes: literals } = this.#literals;
    this.#sequences.run({ ...range, start }, { literals, history: this.#history, maxBytes });
  }

  #endFrame(): void {
    this.#frames += 1;
    this.#expect('magic', MAGIC_BYTES);
  }
}
