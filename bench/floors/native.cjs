// The native addons that a floor needs, by their files: what looks for them costs time.
'use strict';
const { join } = require('node:path');

const MODULES = join(__dirname, '../../node_modules');
const PLATFORM = `${process.platform}-${process.arch}`;

exports.blake3 = () => load(`@napi-rs/blake-hash-${PLATFORM}-gnu/blake.${PLATFORM}-gnu.node`);
exports.locks = () => load(`fs-native-extensions/prebuilds/${PLATFORM}/fs-native-extensions.node`);

function load(file) {
  const loaded = { exports: {} };
  process.dlopen(loaded, join(MODULES, file));
  return loaded.exports;
}
