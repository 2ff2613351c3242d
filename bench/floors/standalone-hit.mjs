// The program of hit.cjs with a shortcut as Bun compiles it, with the same arguments. What it hashes with is inside the
// runtime, and a hit whose output is in place takes no lock.
import { hit } from './hit.cjs';

hit({ checksum: (bytes) => Bun.SHA256.hash(bytes, 'hex') }, process.argv.slice(2));
// oxlint-disable-next-line unicorn/no-process-exit -- without taking the heap apart.
process.exit();
