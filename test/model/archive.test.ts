import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { packMembers, unpackMembers, type Member } from '../../src/model/archive.js';
import { goldenBytes, goldenPath } from '../support/golden.js';
import { checkProperty } from '../support/properties.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const GOLDEN: readonly Member[] = [
  { bytes: Buffer.from('vyre'), executable: false },
  { bytes: Buffer.alloc(0), executable: true },
  { bytes: Buffer.from('x'.repeat(513)), executable: true },
];

function plain(members: readonly Member[]): unknown {
  return members.map(({ bytes, executable }) => ({ bytes: [...bytes], executable }));
}

const members = fc.array(
  fc.record({
    bytes: fc.oneof(
      fc.uint8Array({ maxLength: 1100 }),
      fc.constantFrom(511, 512, 513, 1024).map((length) => new Uint8Array(length)),
    ),
    executable: fc.boolean(),
  }),
  { maxLength: 12 },
);

describe('several outputs as one payload', () => {
  it('are the golden archive', () => {
    assert.deepEqual(packMembers(GOLDEN), goldenBytes('archive.tar'));
    const unpacked = unpackMembers(goldenBytes('archive.tar'));
    assert.ok(unpacked.ok);
    assert.deepEqual(plain(unpacked.value), plain(GOLDEN));
  });

  it('come back as they were', () => {
    checkProperty(
      fc.property(members, (given) => {
        const packed = packMembers(given);
        assert.equal(packed.byteLength % 512, 0);
        const unpacked = unpackMembers(packed);
        assert.ok(unpacked.ok);
        assert.deepEqual(plain(unpacked.value), plain(given));
      }),
    );
  });

  it('are listed and extracted by tar', (t) => {
    const folder = temporaryFolder(t);
    const path = join(folder, 'payload.tar');
    const twelve = Array.from({ length: 12 }, (_, index) => ({
      bytes: Buffer.from('y'.repeat(index * 100)),
      executable: index % 2 === 1,
    }));
    writeFileSync(path, packMembers(twelve));
    const names = execFileSync('tar', ['tf', path], { encoding: 'utf8' }).trim().split('\n');
    assert.deepEqual(
      names,
      twelve.map((_, index) => String(index + 1)),
    );
    execFileSync('tar', ['xf', path, '--no-same-owner', '-p'], { cwd: folder });
    for (const [index, member] of twelve.entries()) {
      const file = join(folder, String(index + 1));
      assert.deepEqual(readFileSync(file), member.bytes);
      assert.equal(statSync(file).mode & 0o777, member.executable ? 0o755 : 0o644);
      assert.equal(statSync(file).mtimeMs, 0);
    }
  });
});

/** Writes a header field of the golden archive's member and repairs the checksum, as somebody hostile would. */
function forged(at: number, bytes: string, block = 0): Buffer {
  const archive = goldenBytes('archive.tar');
  archive.write(bytes, block + at, 'latin1');
  const header = archive.subarray(block, block + 512);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return archive;
}

describe('an archive that we did not write is refused', () => {
  const field = (text: string, length: number): string => text.padEnd(length, '\0');
  const hostile: readonly (readonly [string, Buffer])[] = [
    ['a name that climbs', forged(0, field('../../etc/passwd', 100))],
    ['an absolute name', forged(0, field('/etc/passwd', 100))],
    ['a name of two segments', forged(0, field('1/2', 100))],
    ['a name with a dot', forged(0, field('./1', 100))],
    ['another number', forged(0, field('2', 100))],
    ['a number with a zero', forged(0, field('01', 100))],
    ['no name', forged(0, field('', 100))],
    ['bytes behind the name', forged(2, 'x')],
    ['a prefix', forged(345, field('..', 155))],
    ['a set-user-id mode', forged(100, '0004755\0')],
    ['a mode for all', forged(100, '0000777\0')],
    ['an owner', forged(108, '0001750\0')],
    ['a group', forged(116, '0001750\0')],
    ['a time', forged(136, '14500000000\0')],
    ['an owner name', forged(265, 'root')],
    ['a group name', forged(297, 'root')],
    ['a device number', forged(329, '0000001\0')],
    ['bytes behind the header', forged(500, 'x')],
    ['a hard link', forged(156, '1')],
    ['a symbolic link', forged(156, '2')],
    ['a character device', forged(156, '3')],
    ['a block device', forged(156, '4')],
    ['a folder', forged(156, '5')],
    ['a FIFO', forged(156, '6')],
    ['a long name of GNU', forged(156, 'L')],
    ['an extended header', forged(156, 'x')],
    ['an old file type', forged(156, '\0')],
    ['a link name', forged(157, '/etc/passwd')],
    ['the magic of GNU', forged(257, 'ustar  \0')],
    ['a size that is longer than the archive', forged(124, '77777777777\0')],
    ['a size one block longer', forged(124, '00000001004\0')],
    ['a size that is shorter', forged(124, '00000000003\0')],
    ['a size that ends in a space', forged(124, '0000000004 \0')],
    ['a size in base 256', forged(124, '\x80\0\0\0\0\0\0\0\0\0\0\x04')],
    ['a size with a sign', forged(124, '-0000000001\0')],
    ['a size without digits', forged(124, '\0'.repeat(12))],
    ['one zero block', goldenBytes('archive.tar').subarray(0, -512)],
    ['no zero blocks', goldenBytes('archive.tar').subarray(0, -1024)],
    ['a third zero block', Buffer.concat([goldenBytes('archive.tar'), Buffer.alloc(512)])],
    ['a trailing byte', Buffer.concat([goldenBytes('archive.tar'), Buffer.alloc(1)])],
    ['another archive behind it', Buffer.concat([goldenBytes('archive.tar'), goldenBytes('archive.tar')])],
    ['nothing', Buffer.alloc(0)],
    ['half an end', Buffer.alloc(512)],
    ['text', Buffer.from('#!/bin/sh\n'.repeat(200))],
  ];
  for (const [name, bytes] of hostile) {
    it(name, () => {
      const unpacked = unpackMembers(bytes);
      assert.equal(unpacked.ok, false);
      assert.ok(!unpacked.ok && unpacked.reason !== '');
    });
  }

  it('any single bit but those of the content', () => {
    const archive = goldenBytes('archive.tar');
    const isContent = (at: number): boolean => (at >= 512 && at < 516) || (at >= 2048 && at < 2048 + 513);
    for (let at = 0; at < archive.byteLength; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const damaged = Buffer.from(archive);
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
        assert.equal(unpackMembers(damaged).ok, isContent(at), `byte ${at}, bit ${bit}`);
      }
    }
  });

  it('what the real tar makes of links, folders and files', (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, '1'), 'vyre');
    chmodSync(join(folder, '1'), 0o644);
    mkdirSync(join(folder, '2'));
    symlinkSync('/etc/passwd', join(folder, '3'));
    linkSync(join(folder, '1'), join(folder, '4'));
    for (const names of [['1'], ['2'], ['3'], ['1', '4'], ['.']]) {
      const archive = execFileSync('tar', ['cf', '-', '--format=ustar', ...names], { cwd: folder });
      assert.equal(unpackMembers(archive).ok, false, names.join(' '));
    }
  });

  it('is what tar and we agree on in the golden file', () => {
    const names = execFileSync('tar', ['tf', goldenPath('archive.tar')], { encoding: 'utf8' });
    assert.equal(names, '1\n2\n3\n');
  });
});
