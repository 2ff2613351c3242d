import { MAX_BLOCK_BYTES, type FrameHeader } from './frame-header.js';
import { ZstdError } from './zstd-fault.js';

/** Room beside the window, so that the bytes in it are moved to the front seldom: a quarter of it, but not less. */
const MIN_ROOM_BYTES = 8 * MAX_BLOCK_BYTES;

/** Above, the memory grows at once to what it may become: smaller ones before it would only wait to be freed. */
const MAX_DOUBLED_BYTES = 8_388_608;

/** Below this length a loop is faster than a call. */
const SHORT_BYTES = 24;

/** What a frame decoded to, as far back as its matches reach. The memory is kept from frame to frame. */
export class History {
  #bytes = new Uint8Array(0);
  #end = 0;
  #windowBytes = 0;
  /** How large the memory may become for the frame at hand. */
  #capacity = 0;
  #blockStart = 0;
  /** Of the frame at hand. */
  contentBytes = 0;

  /** Forgets everything. */
  begin({ windowBytes, contentBytes }: FrameHeader): void {
    this.#windowBytes = windowBytes;
    this.#end = 0;
    this.contentBytes = 0;
    const room = Math.max(MIN_ROOM_BYTES, windowBytes >> 2);
    // A short frame never fills its window; one block more, for what claims to be shorter than it is.
    this.#capacity = Math.min(windowBytes + room, (contentBytes ?? Infinity) + MAX_BLOCK_BYTES);
  }

  /** Makes room for a block. Called before each one. */
  reserve(): void {
    const wanted = this.#end + MAX_BLOCK_BYTES;
    if (wanted > this.#bytes.length) {
      if (wanted <= this.#capacity) this.#grow(wanted);
      else this.#slide();
    }
    this.#blockStart = this.#end;
  }

  /** What a frame says of its size costs nothing before its content is there. */
  #grow(wanted: number): void {
    const doubled = Math.max(wanted, this.#bytes.length * 2);
    const isLarge = doubled > MAX_DOUBLED_BYTES;
    const grown = new Uint8Array(isLarge ? this.#capacity : Math.min(doubled, this.#capacity));
    grown.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = grown;
  }

  #slide(): void {
    const kept = Math.min(this.#end, this.#windowBytes);
    this.#bytes.copyWithin(0, this.#end - kept, this.#end);
    this.#end = kept;
  }

  /** What came since the last `reserve`; lost with the next one. */
  get block(): Uint8Array {
    return this.#bytes.subarray(this.#blockStart, this.#end);
  }

  append(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#end);
    this.#advance(bytes.length);
  }

  fill(byte: number, count: number): void {
    this.#bytes.fill(byte, this.#end, this.#end + count);
    this.#advance(count);
  }

  /** Appends `count` bytes of `source` from `from` on. */
  appendPart(source: Uint8Array, from: number, count: number): void {
    if (count > SHORT_BYTES) {
      this.append(source.subarray(from, from + count));
      return;
    }
    const bytes = this.#bytes;
    const end = this.#end;
    for (let index = 0; index < count; index += 1) bytes[end + index] = source[from + index] ?? 0;
    this.#advance(count);
  }

  /** Appends `count` bytes that begin `distance` back; they may overlap. @throws ZstdError for a distance too far. */
  repeat(distance: number, count: number): void {
    const end = this.#end;
    const from = end - distance;
    if (distance > this.#windowBytes || distance > this.contentBytes) throw new ZstdError();
    const bytes = this.#bytes;
    if (count <= SHORT_BYTES) {
      for (let index = 0; index < count; index += 1) bytes[end + index] = bytes[from + index] ?? 0;
    } else {
      // What was copied already doubles what can be copied at once.
      for (let done = 0; done < count;) {
        const step = Math.min(count - done, distance + done);
        bytes.copyWithin(end + done, from, from + step);
        done += step;
      }
    }
    this.#advance(count);
  }

  #advance(count: number): void {
    this.#end += count;
    this.contentBytes += count;
  }
}
