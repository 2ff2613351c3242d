#!/usr/bin/env node
/* oxlint-disable typescript/no-require-imports -- CommonJS, which an old Node must read. */

// Loads the bundle with what V8 made of it when it was built, and starts it. One file in CommonJS, which starts sooner
// than two or a module. The syntax here stays old: whoever has a Node that is too old must get a sentence, not a
// SyntaxError.
'use strict';

/** A module of Node. `require` prepares it for `import` as well, which for fs takes as long as to read the program. */
const builtin = process.getBuiltinModule || require;

const { closeSync, openSync, readFileSync, readSync } = builtin('fs');
const { Script } = builtin('vm');

const oldest = [20, 19];

/** The folder of the bundle, with a slash. */
const dist = `${__dirname.slice(0, -'bin'.length)}dist/`;

/** The files of the bundle that were run, by their names. */
const modules = new Map();

/** By the path of each file: what a build takes the code from. */
const scripts = new Map();

/** Where the code of a file is kept: each Node has its own. The name of a file has a hash of its source. */
function codeFile(file) {
  return `${file}.${process.version}-${process.arch}.code`;
}

/** For all files in turn: memory that is touched first costs more than to read. Larger than any file of a hit. */
const scratch = Buffer.allocUnsafeSlow(524288);

/** The bytes of a file, until the next one is read. */
function read(file) {
  const fd = openSync(file, 'r');
  try {
    const size = readSync(fd, scratch, 0, scratch.length, null);
    return size < scratch.length ? scratch.subarray(0, size) : readFileSync(file);
  } finally {
    closeSync(fd);
  }
}

/** To compile the files anew at each start would take longer than a hit. V8 compiles where it is not the same V8. */
function codeOf(file) {
  try {
    return read(codeFile(file));
    // oxlint-disable-next-line no-unused-vars -- an old Node demands a name.
  } catch (error) {
    return undefined;
  }
}

/** Runs the file of this name in `dist/`. */
function run(name) {
  const file = dist + name;
  // It is ASCII.
  const source = read(file).latin1Slice();
  return runSource(name, source, codeOf(file));
}

/** The source is a function of these arguments. */
function runSource(name, source, code) {
  const file = dist + name;
  const script = new Script(source, { filename: file, cachedData: code });
  scripts.set(file, script);
  const module = { exports: null, give: null, main: null };
  modules.set(name, module);
  script.runInThisContext()(requireFrom, module, file);
  return module;
}

function requireFrom(id) {
  if (!id.startsWith('./')) return builtin(id) || require(id);
  const name = id.slice(2);
  const module = modules.get(name) || run(name);
  if (module.exports === null) module.exports = module.give();
  return module.exports;
}

/** Code and source of the first file as one file, and what stands at its end: two words, a name, and a length. */
const packed = codeFile(`${dist}start`);
const packedBytes = 64;

/** Null where a build has left none for this Node, or something else lies there. */
function runPacked() {
  let size = 0;
  let fd = -1;
  try {
    fd = openSync(packed, 'r');
    size = readSync(fd, scratch, 0, scratch.length, null);
    // oxlint-disable-next-line no-unused-vars -- an old Node demands a name.
  } catch (error) {
    return null;
  } finally {
    if (fd >= 0) closeSync(fd);
  }
  const end = size - packedBytes;
  const words = end < 0 ? [] : scratch.latin1Slice(end, size).split(' ');
  const codeBytes = Number(words[2]);
  if (words[0] !== 'packed' || size === scratch.length) return null;
  return runSource(
    words[1],
    scratch.latin1Slice(codeBytes, end),
    new Uint8Array(scratch.buffer, 0, codeBytes),
  );
}

function start() {
  const module = runPacked() || run(JSON.parse(read(`${dist}start.json`).latin1Slice()).start);
  return module.main();
}

function isTooOld(version) {
  const parts = version.split('.');
  const newer = Number(parts[0]) - oldest[0];
  return newer < 0 || (newer === 0 && Number(parts[1]) < oldest[1]);
}

function fail(exitCode, lines) {
  process.stderr.write(`${lines.join('\n')}\n`);
  process.exitCode = exitCode;
}

/** True where the bundle itself is absent; a missing part of it is a damaged installation and shown as it is. */
function isNotBuilt(error) {
  return Boolean(error) && error.code === 'ENOENT' && error.path === `${dist}start.json`;
}

function explain(error) {
  if (isNotBuilt(error)) {
    return fail(3, [
      'vyre-cache: expected dist/start.json, found none',
      'hint: this is a source tree that was not built yet; run `npm ci`, or `npm run build` after it.',
    ]);
  }
  return fail(70, [`vyre-cache: ${error && error.stack ? error.stack : error}`]);
}

function begin() {
  if (isTooOld(process.versions.node)) {
    return fail(3, [
      `vyre-cache: expected node ${oldest.join('.')} or newer, got "${process.versions.node}"`,
      `hint: install a newer node, or put it first in PATH; this one is ${process.execPath}.`,
    ]);
  }
  try {
    start().catch(explain);
  } catch (error) {
    explain(error);
  }
}

module.exports = { codeFile, packed, packedBytes, scripts, start };
// A build and the tests load this file as a module.
if (require.main === module) begin();
