import { rmSync, writeFileSync } from 'node:fs';

/** A way to damage a file. */
export interface Damage {
  readonly name: string;
  /** Makes what the file holds afterwards; null: it is gone. A file has as many damages as bytes: none is made ahead. */
  content(): Buffer | null;
}

export const DAMAGE_KINDS = ['flip', 'cut', 'zeros', 'garbage', 'removal'] as const;
export type DamageKind = (typeof DAMAGE_KINDS)[number];

/** Every damage of a kind that a file may suffer. None where it would change nothing. */
export function* damagesOf(kind: DamageKind, content: Buffer): Generator<Damage> {
  for (const damage of made(kind, content)) {
    // A flip changes something, and there are so many of them.
    if (kind === 'flip' || damage.content()?.equals(content) !== true) yield damage;
  }
}

function* made(kind: DamageKind, content: Buffer): Generator<Damage> {
  switch (kind) {
    case 'flip':
      for (let index = 0; index < content.byteLength; index += 1) yield flip(content, index);
      return;
    case 'cut':
      for (const bytes of lengthsBelow(content.byteLength)) {
        yield { name: `cut to ${bytes} bytes`, content: () => content.subarray(0, bytes) };
      }
      return;
    case 'zeros':
      yield* zeros(content);
      return;
    case 'garbage':
      yield* garbage(content);
      return;
    case 'removal':
      yield { name: 'removed', content: () => null };
      return;
    default:
      kind satisfies never;
  }
}

/** Another bit in each byte: digits become other digits, letters other letters, and texts no texts. */
function flip(content: Buffer, index: number): Damage {
  const bit = (index * 5 + content.byteLength) % 8;
  return {
    name: `bit ${bit} of byte ${index} flipped`,
    content: () => {
      const flipped = Buffer.from(content);
      flipped[index] = (flipped[index] ?? 0) ^ (1 << bit);
      return flipped;
    },
  };
}

/** Around the ends and the middle, and where blocks of a disk end. */
function lengthsBelow(bytes: number): ReadonlySet<number> {
  const lengths = [0, 1, 31, 32, 33, 64, 512, 4096, bytes >> 1, bytes - 33, bytes - 32, bytes - 2, bytes - 1];
  return new Set(lengths.filter((length) => length >= 0 && length < bytes));
}

function* zeros(content: Buffer): Generator<Damage> {
  const bytes = content.byteLength;
  const ranges = [
    [0, bytes],
    [0, bytes >> 1],
    [bytes >> 1, bytes],
    [0, Math.min(bytes, 512)],
    [Math.max(0, bytes - 32), bytes],
    [bytes >> 1, Math.min(bytes, (bytes >> 1) + 1)],
  ] as const;
  for (const [start, end] of ranges) {
    yield { name: `bytes ${start} to ${end} zero`, content: () => Buffer.from(content).fill(0, start, end) };
  }
}

function* garbage(content: Buffer): Generator<Damage> {
  const noise = (bytes: number): Buffer =>
    Buffer.from(Array.from({ length: bytes }, (_, index) => (index * 167 + (index >> 3)) & 0xff));
  yield { name: 'noise of the same length', content: () => noise(content.byteLength) };
  yield { name: 'noise of 2 MiB', content: () => noise(2 ** 21) };
  yield { name: 'one byte more', content: () => Buffer.concat([content, Buffer.from([0])]) };
  yield { name: 'twice', content: () => Buffer.concat([content, content]) };
  yield { name: 'deeply nested JSON', content: () => Buffer.from('['.repeat(100_000)) };
  yield {
    name: 'another JSON',
    content: () => Buffer.from('{"schema":{"__proto__":[1e999,null,"\\ud800"]}}\n'),
  };
}

/** Damages a file in its place. */
export function damageFile(path: string, damage: Damage): void {
  const content = damage.content();
  if (content === null) rmSync(path);
  else writeFileSync(path, content);
}
