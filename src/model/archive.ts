import { decoding, mismatch, type Decoded } from './decoder.js';

/** One output inside a payload of several. */
export interface Member {
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

const BLOCK = 512;
/** Field offsets of a ustar header. */
const AT = {
  name: 0,
  mode: 100,
  uid: 108,
  gid: 116,
  size: 124,
  mtime: 136,
  checksum: 148,
  type: 156,
  magic: 257,
};
const MODE_PLAIN = '0000644\0';
const MODE_EXECUTABLE = '0000755\0';
const ZERO_8 = '0000000\0';
const MAGIC = 'ustar\x0000';

function header(index: number, member: Member): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(String(index + 1), AT.name, 'latin1');
  block.write(member.executable ? MODE_EXECUTABLE : MODE_PLAIN, AT.mode, 'latin1');
  block.write(ZERO_8, AT.uid, 'latin1');
  block.write(ZERO_8, AT.gid, 'latin1');
  block.write(`${member.bytes.byteLength.toString(8).padStart(11, '0')}\0`, AT.size, 'latin1');
  block.write(`${'0'.repeat(11)}\0`, AT.mtime, 'latin1');
  block.write('0', AT.type, 'latin1');
  block.write(MAGIC, AT.magic, 'latin1');
  block.write(checksum(block), AT.checksum, 'latin1');
  return block;
}

/** The sum of the header's bytes, its own field taken as spaces. */
function checksum(block: Buffer): string {
  let sum = 0;
  for (let index = 0; index < BLOCK; index += 1) {
    sum += index >= AT.checksum && index < AT.checksum + 8 ? 0x20 : block.readUInt8(index);
  }
  return `${sum.toString(8).padStart(6, '0')}\0 `;
}

function padding(bytes: number): number {
  return (BLOCK - (bytes % BLOCK)) % BLOCK;
}

/**
 * Several outputs as one payload: ustar, members `1`, `2`, … in the order of the outputs, mode 0644 or 0755, owner and
 * times zero, two zero blocks at the end. The same outputs give the same bytes everywhere.
 */
export function packMembers(members: readonly Member[]): Buffer {
  const chunks: Uint8Array[] = [];
  for (const [index, member] of members.entries()) {
    chunks.push(header(index, member), member.bytes, Buffer.alloc(padding(member.bytes.byteLength)));
  }
  chunks.push(Buffer.alloc(2 * BLOCK));
  return Buffer.concat(chunks);
}

/** Only what {@link packMembers} writes: anything else, links, paths and longer names included, does not decode. */
export function unpackMembers(payload: Buffer): Decoded<readonly Member[]> {
  return decoding(() => {
    const members: Member[] = [];
    let at = 0;
    for (;;) {
      if (payload.byteLength - at < 2 * BLOCK) return mismatch('the archive ends early');
      const block = payload.subarray(at, at + BLOCK);
      if (block.every((byte) => byte === 0)) break;
      const member = readMember(payload, at, members.length);
      members.push(member);
      at += BLOCK + member.bytes.byteLength + padding(member.bytes.byteLength);
    }
    const end = payload.subarray(at);
    if (end.byteLength !== 2 * BLOCK || !end.every((byte) => byte === 0))
      return mismatch('bytes after the end');
    return members;
  });
}

/** Reads a size, then demands the very header that we would have written. */
function readMember(payload: Buffer, at: number, index: number): Member {
  const block = payload.subarray(at, at + BLOCK);
  const digits = block.toString('latin1', AT.size, AT.size + 11);
  if (!/^[0-7]{11}$/.test(digits)) mismatch(`member ${index + 1} has no size`);
  const bytes = Number.parseInt(digits, 8);
  const start = at + BLOCK;
  if (start + bytes + padding(bytes) > payload.byteLength)
    mismatch(`member ${index + 1} is longer than the archive`);
  const executable = block.toString('latin1', AT.mode, AT.mode + 8) === MODE_EXECUTABLE;
  const member = { bytes: payload.subarray(start, start + bytes), executable };
  if (!header(index, member).equals(block)) mismatch(`member ${index + 1} is not one of ours`);
  const gap = payload.subarray(start + bytes, start + bytes + padding(bytes));
  if (!gap.every((byte) => byte === 0)) mismatch(`bytes behind member ${index + 1}`);
  return member;
}
