import { hasFlock } from '../../host/flocks.js';
import type { Host } from '../../host/host.js';
import { oneFile, OTHER_WRITER, type Format } from '../layout.js';
import { checkArtifact } from './artifact-header.js';

/** `<64hex>`: the hash of the Wasm code. wasmer's FileSystemCache and gear's cache write it. */
export const hashedModuleFormat: Format = {
  name: 'wasmer-module',
  layout: 'wasmer',
  ...oneFile('', ''),
  ...OTHER_WRITER,
  check: checkArtifact,
  isHeld,
  emptyIsLitter: true,
};

/** gear reads and writes in place, under an exclusive flock(2). */
function isHeld(host: Host, folder: string, stem: string): boolean {
  const stat = host.files.lstat(`${folder}/${stem}`);
  return stat !== null && hasFlock(host.files, stat);
}
