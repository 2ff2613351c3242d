#!/usr/bin/env node
// Starts the bundle. The syntax here stays as old as Node's own module loader: whoever has a Node that is too old
// must get the sentence below, not a SyntaxError.

const oldest = [20, 19];

function isTooOld(version) {
  const [major, minor] = version.split('.').map(Number);
  return major < oldest[0] || (major === oldest[0] && minor < oldest[1]);
}

function fail(exitCode, lines) {
  process.stderr.write(`${lines.join('\n')}\n`);
  process.exitCode = exitCode;
}

/** True where the bundle itself is absent; a missing part of it is a damaged installation and shown as it is. */
function isNotBuilt(error) {
  return error.code === 'ERR_MODULE_NOT_FOUND' && /[\\/]dist[\\/]main\.js' imported from/.test(error.message);
}

function explain(error) {
  if (isNotBuilt(error)) {
    return fail(3, [
      'vyre-cache: expected dist/main.js, found none',
      'hint: this is a source tree that was not built yet; run `npm ci`, or `npm run build` after it.',
    ]);
  }
  return fail(70, [`vyre-cache: ${error && error.stack ? error.stack : error}`]);
}

if (isTooOld(process.versions.node)) {
  fail(3, [
    `vyre-cache: expected node ${oldest.join('.')} or newer, got "${process.versions.node}"`,
    `hint: install a newer node, or put it first in PATH; this one is ${process.execPath}.`,
  ]);
} else {
  import('../dist/main.js').then((bundle) => bundle.main()).catch(explain);
}
