/**
 * The build attaches an addon to the end of the executable: its bytes, their number as u64le, and this mark. Bun would
 * unpack it into the temporary directory, which may be closed to programs, and which for a compiler is the folder of
 * its outputs.
 */
const ADDON_MARK = 'vyre-cache addon';
export const ADDON_TRAILER_BYTES = 8 + ADDON_MARK.length;

/** What follows the addon. */
export function addonTrailer(addonBytes: number): Uint8Array {
  const trailer = Buffer.alloc(ADDON_TRAILER_BYTES);
  trailer.writeBigUInt64LE(BigInt(addonBytes));
  trailer.write(ADDON_MARK, 8, 'latin1');
  return trailer;
}

/** How long the addon is before this trailer, the last bytes of an executable; null where none is attached. */
export function addonBytesIn(trailer: Buffer): number | null {
  if (trailer.byteLength !== ADDON_TRAILER_BYTES || trailer.toString('latin1', 8) !== ADDON_MARK) return null;
  return Number(trailer.readBigUInt64LE());
}
