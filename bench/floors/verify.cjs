// verify.cjs FOLDER COUNT: what verify must do for entries without records: lists them, opens, reads and closes each, hashes
// its payload and compares that with its last 32 bytes, in two threads. Fails unless COUNT files are right.
// Left out: records, whether a file is a regular one, quarantine, any report.
'use strict';
const { closeSync, constants, openSync, readSync } = require('node:fs');
const { argv } = require('node:process');
const { blake3 } = require('./native.cjs');
const { visitInTwoThreads } = require('./two-threads.cjs');

const [folder, count] = argv.slice(2);
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
const FOOTER_BYTES = 32;
/** Of 32 KiB to 1 MiB the fastest: a piece is hashed while the processor's second cache still holds it. */
const PIECE_BYTES = 131_072;
const MAX_BLOCK_NAMES = 256;

/** How a thread looks whether a file is right. */
function makeVerify() {
  const { Blake3Hasher, blake3UrlSafeBase64 } = blake3();
  const buffer = Buffer.allocUnsafeSlow(PIECE_BYTES + FOOTER_BYTES);
  const piece = buffer.subarray(0, PIECE_BYTES);
  let payload = piece;
  const payloadOf = (bytes) => {
    // Files of one size share a view.
    if (payload.length !== bytes - FOOTER_BYTES) payload = buffer.subarray(0, bytes - FOOTER_BYTES);
    return payload;
  };
  const isWholeRight = (bytes) =>
    blake3UrlSafeBase64(payloadOf(bytes)) === `${buffer.base64urlSlice(bytes - FOOTER_BYTES, bytes)}=`;
  // Each read takes 32 bytes more than is hashed: they are the footer, or are read again.
  const isLargeRight = (fd) => {
    const hasher = new Blake3Hasher();
    let bytes = buffer.length;
    for (let position = PIECE_BYTES; bytes === buffer.length; position += PIECE_BYTES) {
      hasher.update(piece);
      bytes = readSync(fd, buffer, 0, buffer.length, position);
    }
    hasher.update(payloadOf(bytes));
    return hasher.digestBuffer().equals(buffer.subarray(bytes - FOOTER_BYTES, bytes));
  };
  return (name) => {
    const fd = openSync(name, FLAGS);
    const bytes = readSync(fd, buffer, 0, buffer.length, 0);
    const isRight = bytes < buffer.length ? isWholeRight(bytes) : isLargeRight(fd);
    closeSync(fd);
    return isRight;
  };
}

visitInTwoThreads(
  __filename,
  { folder, blockNames: Math.min(MAX_BLOCK_NAMES, Math.ceil(Number(count) / 64)), resultBytes: 4 },
  {
    makeVisit(results) {
      const isRight = makeVerify();
      let right = 0;
      return {
        visit(name) {
          if (isRight(name)) right += 1;
        },
        end() {
          Atomics.add(new Int32Array(results), 0, right);
        },
      };
    },
    finish(results, found) {
      const [right] = new Int32Array(results);
      if (found !== Number(count) || right !== found)
        throw new Error(`expected ${count} right files, found ${right} of ${found}`);
    },
  },
);
