import { withFile } from '../host/files.js';
import { hashChunks } from '../host/hash.js';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';
import { isFingerprint, type Fingerprint } from '../model/fingerprint.js';
import { wordsOf } from '../model/words.js';

/** A slot: the fingerprint as 32 bytes, milliseconds saved and hits as u32le, the first 8 bytes of their BLAKE3. */
const SLOT_BYTES = 48;
const FIGURES_BYTES = 40;
/** A fingerprint has one slot, by its first twelve bits. */
const SLOTS = 4096;
const SLOT_HEX_DIGITS = 3;
const MAX_U32 = 0xffff_ffff;
/** More than this are added with one read and one write. */
const MAX_SINGLE = 32;

function slotAt({ fingerprint }: Saving): number {
  return Number.parseInt(fingerprint.slice(0, SLOT_HEX_DIGITS), 16) * SLOT_BYTES;
}

/** What the hits of one entry have saved. */
export interface Saving {
  readonly fingerprint: Fingerprint;
  readonly savedMs: number;
  readonly hits: number;
}

/** What a process has noted and not yet written: one for each slot, however many entries have saved something. */
export class NotedSavings {
  readonly #bySlot = new Map<number, Saving>();

  add(saving: Saving): void {
    const at = slotAt(saving);
    this.#bySlot.set(at, merge(this.#bySlot.get(at) ?? null, saving));
  }

  /** All of them, which are forgotten then. */
  take(): readonly Saving[] {
    const taken = [...this.#bySlot.values()];
    this.#bySlot.clear();
    return taken;
  }
}

/**
 * Which entries have saved the most time: a file of 192 KiB in the private state of a home, a read and a write of one
 * slot per entry and process, or of the whole file for many. Of two entries that share a slot the one that saves more stays, what the other saves is
 * taken off until it has won. Figures only: what is damaged counts as empty.
 */
export class Savings {
  readonly #host: Host;
  readonly #path: string;

  /** `folder` is that of the private state. */
  constructor(host: Host, folder: string) {
    this.#host = host;
    this.#path = `${folder}/savings`;
  }

  /** The caller holds the lock of the counters. Best effort: what is not noted here still counts in the counters. */
  add(savings: readonly Saving[]): void {
    if (savings.length === 0) return;
    try {
      this.#add(savings);
    } catch (error) {
      if (errnoOf(error) === null) throw error;
    }
  }

  /** Best effort, as above. */
  clear(): void {
    try {
      this.#host.files.unlink(this.#path);
    } catch (error) {
      if (errnoOf(error) === null) throw error;
    }
  }

  #add(savings: readonly Saving[]): void {
    const { files } = this.#host;
    withFile(files, { path: this.#path, flags: 'createReadWrite' }, (fd) => {
      if (savings.length > MAX_SINGLE) {
        this.#addAll(fd, savings);
        return;
      }
      const slot = Buffer.allocUnsafe(SLOT_BYTES);
      for (const saving of savings) {
        const at = slotAt(saving);
        const count = files.readAt(fd, slot, SLOT_BYTES, at);
        files.writeAt(fd, this.#merged(slot.subarray(0, count), saving), at);
      }
    });
  }

  /** One read and one write of the whole file. */
  #addAll(fd: number, savings: readonly Saving[]): void {
    const { files } = this.#host;
    const bytes = Buffer.alloc(SLOTS * SLOT_BYTES);
    files.readAt(fd, bytes, bytes.byteLength, 0);
    for (const saving of savings) {
      const at = slotAt(saving);
      bytes.set(this.#merged(bytes.subarray(at, at + SLOT_BYTES), saving), at);
    }
    files.writeAt(fd, bytes, 0);
  }

  #merged(slot: Buffer, saving: Saving): Buffer {
    return this.#encode(merge(this.#decode(slot), saving));
  }

  /** In no order. */
  read(): readonly Saving[] {
    const { files } = this.#host;
    try {
      const bytes = withFile(files, { path: this.#path, flags: 'read' }, (fd) => {
        const buffer = Buffer.alloc(SLOTS * SLOT_BYTES);
        const isFile = files.fstat(fd).type === 'file';
        return buffer.subarray(0, isFile ? files.readAt(fd, buffer, buffer.length, 0) : 0);
      });
      return Array.from({ length: SLOTS }, (_, index) =>
        this.#decode(bytes.subarray(index * SLOT_BYTES, (index + 1) * SLOT_BYTES)),
      ).filter((saving) => saving !== null);
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return [];
    }
  }

  #decode(slot: Buffer): Saving | null {
    if (slot.length < SLOT_BYTES) return null;
    if (Buffer.compare(this.#check(slot), slot.subarray(FIGURES_BYTES)) !== 0) return null;
    const fingerprint = slot.toString('hex', 0, 32);
    if (!isFingerprint(fingerprint)) return null;
    const words = wordsOf(slot);
    return { fingerprint, savedMs: words.getUint32(32, true), hits: words.getUint32(36, true) };
  }

  #encode({ fingerprint, savedMs, hits }: Saving): Buffer {
    const slot = Buffer.allocUnsafe(SLOT_BYTES);
    slot.set(Buffer.from(fingerprint, 'hex'));
    const words = wordsOf(slot);
    words.setUint32(32, Math.min(savedMs, MAX_U32), true);
    words.setUint32(36, Math.min(hits, MAX_U32), true);
    slot.set(this.#check(slot), FIGURES_BYTES);
    return slot;
  }

  #check(slot: Buffer): Uint8Array {
    const digest = hashChunks(this.#host.hash, [slot.subarray(0, FIGURES_BYTES)]);
    return digest.subarray(0, SLOT_BYTES - FIGURES_BYTES);
  }
}

function merge(there: Saving | null, saving: Saving): Saving {
  if (there === null) return saving;
  if (there.fingerprint !== saving.fingerprint) {
    return there.savedMs >= saving.savedMs
      ? { ...there, savedMs: there.savedMs - saving.savedMs }
      : { ...saving, savedMs: saving.savedMs - there.savedMs };
  }
  return { ...there, savedMs: there.savedMs + saving.savedMs, hits: there.hits + saving.hits };
}
