import { oneFile, OTHER_WRITER, type Format } from '../layout.js';
import { checkArtifact } from './artifact-header.js';

/** `<16HEX>.bin`: the XXH64 of the Wasm code, in a folder of its engine. wasix's runtime writes it. */
export const wasixModuleFormat: Format = {
  name: 'wasix-module',
  layout: 'wasmer',
  ...oneFile('', '.bin'),
  ...OTHER_WRITER,
  check: checkArtifact,
  emptyIsLitter: true,
  compiler: (folder) => engineOfFolder(folder.slice(folder.lastIndexOf('/') + 1)),
};

/** The same without a folder: older runtimes did not tell engines apart. */
export const oldWasixModuleFormat: Format = {
  name: 'wasix-module-old',
  layout: 'wasmer',
  ...oneFile('', '.bin'),
  ...OTHER_WRITER,
  check: checkArtifact,
  emptyIsLitter: true,
  isOldScheme: true,
};

/** `<engine id>-<artifact format>-v<version>` */
const ENGINE_FOLDER = /^(.+)-v([0-9][0-9.]*)$/;

/** Null for a name that wasix gives to no folder. */
export function engineOfFolder(name: string): { readonly name: string; readonly version: string } | null {
  const match = ENGINE_FOLDER.exec(name);
  if (match === null) return null;
  const [, engine = '', version = ''] = match;
  return { name: engine, version };
}
