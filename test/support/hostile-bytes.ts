import fc from 'fast-check';

/** What JSON allows and a decoder may trip over; each stands for one value. */
export const HOSTILE_JSON: readonly string[] = [
  '['.repeat(50_000) + ']'.repeat(50_000),
  '{"a":'.repeat(20_000) + '0' + '}'.repeat(20_000),
  '{"__proto__":{"polluted":1}}',
  '{"constructor":{"prototype":{"polluted":1}}}',
  '{"a":1,"a":2,"schema":0,"schema":"x"}',
  '[{"toString":null,"valueOf":null,"length":-1}]',
  '1e999',
  '-1e999',
  '-0',
  '9007199254740993',
  '18446744073709551616',
  '1e-400',
  '-1',
  '1'.repeat(5000),
  `"${'a'.repeat(70_000)}"`,
  '"\\ud800"',
  '"\\u0000"',
  '"../../etc/passwd"',
  '""',
  'null',
  'true',
  '[]',
  '{}',
];

/** Numbers that a length or an offset in a binary format may hold. */
const HOSTILE_NUMBERS = [0, 1, 0x7f, 0x80, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];

type Mutation = (bytes: Buffer) => Buffer;

/** A value in JSON or TOML text: a string, a number, or a word. */
const VALUE = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null/g;

function splice(bytes: Buffer, at: number, removed: number, added: Uint8Array): Buffer {
  const start = bytes.byteLength === 0 ? 0 : at % (bytes.byteLength + 1);
  return Buffer.concat([bytes.subarray(0, start), added, bytes.subarray(start + removed)]);
}

const position = fc.nat(1_000_000);

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(position, fc.nat(7)).map(([at, bit]) => (bytes: Buffer) => {
    const changed = Buffer.from(bytes);
    const index = at % Math.max(1, bytes.byteLength);
    if (bytes.byteLength > 0) changed.writeUInt8(changed.readUInt8(index) ^ (1 << bit), index);
    return changed;
  }),
  position.map((at) => (bytes: Buffer) => bytes.subarray(0, at % (bytes.byteLength + 1))),
  fc.tuple(position, fc.nat(40), fc.uint8Array({ maxLength: 40 })).map(
    ([at, removed, added]) =>
      (bytes: Buffer) =>
        splice(bytes, at, removed, added),
  ),
  fc
    .tuple(position, fc.constantFrom(...HOSTILE_NUMBERS), fc.boolean())
    .map(([at, value, isLittle]) => (bytes: Buffer) => {
      const number = Buffer.alloc(4);
      if (isLittle) number.writeUInt32LE(value);
      else number.writeUInt32BE(value);
      return splice(bytes, at, 4, number);
    }),
  fc.tuple(position, position, fc.nat(2000)).map(([at, from, length]) => (bytes: Buffer) => {
    const start = from % (bytes.byteLength + 1);
    return splice(bytes, at, 0, bytes.subarray(start, start + length));
  }),
  fc.tuple(position, fc.constantFrom(...HOSTILE_JSON)).map(
    ([at, value]) =>
      (bytes: Buffer) =>
        withValue(bytes, at, value),
  ),
);

/** Another value in the place of one of the text. */
function withValue(bytes: Buffer, at: number, value: string): Buffer {
  const text = bytes.toString('latin1');
  const found = [...text.matchAll(VALUE)];
  const match = found[at % Math.max(1, found.length)];
  if (match === undefined) return bytes;
  return Buffer.from(
    text.slice(0, match.index) + value + text.slice(match.index + match[0].length),
    'latin1',
  );
}

/** One of the seeds, changed a few times. */
export function mutated(seeds: readonly Buffer[]): fc.Arbitrary<Buffer> {
  return fc
    .tuple(fc.constantFrom(...seeds), fc.array(mutation, { minLength: 1, maxLength: 4 }))
    .map(([seed, mutations]) => mutations.reduce((bytes, mutate) => mutate(bytes), seed));
}
