/**
 * The numbers in some bytes. V8 reads and writes them itself: the methods of a Buffer are compiled anew by every process
 * that calls them.
 */
export function wordsOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
