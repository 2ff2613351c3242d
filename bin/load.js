/* oxlint-disable typescript/no-require-imports -- this file is CommonJS. */

// Loads the files of the bundle with what V8 made of them when they were built: to compile them anew at each start would
// take longer than a hit. V8 checks that it is the same V8, and compiles where it is not.

const { readFileSync } = require('node:fs');
const Module = require('node:module');
const { dirname, join } = require('node:path');
const { Script } = require('node:vm');

const dist = join(__dirname, '../dist');

/** By the path of each file: what a build takes the code from. */
const scripts = new Map();

/** The name of a chunk has a hash of its source. V8 would take the code of any source of the same length. */
const CHUNK = /-[0-9A-Z]{8}\.cjs$/;

/** Where the code of a file is kept: each Node has its own. Null where none is. */
function codeFile(file) {
  return CHUNK.test(file) ? `${file}.${process.version}-${process.arch}.code` : null;
}

function codeOf(file) {
  const kept = codeFile(file);
  try {
    return kept === null ? undefined : readFileSync(kept);
  } catch {
    return undefined;
  }
}

/** What the file of this name in `dist/` exports. */
function load(name) {
  const file = join(dist, name);
  const loaded = require.cache[file];
  if (loaded !== undefined) return loaded.exports;
  const module = new Module(file);
  const source = Module.wrap(readFileSync(file, 'utf8'));
  const script = new Script(source, { filename: file, cachedData: codeOf(file) });
  scripts.set(file, script);
  require.cache[file] = module;
  const requireFrom = (id) => (id.startsWith('./') ? load(id.slice(2)) : require(id));
  script.runInThisContext()(module.exports, requireFrom, module, file, dirname(file));
  return module.exports;
}

module.exports = { codeFile, load, scripts };
