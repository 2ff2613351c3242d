#!/usr/bin/env node
// Starts the bundle. CommonJS, which starts sooner than a module. The syntax here stays old: whoever has a Node that is
// too old must get the sentence below, not a SyntaxError.
'use strict';

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
  return Boolean(error) && error.code === 'ENOENT' && /[\\/]dist[\\/]main\.cjs$/.test(error.path);
}

function explain(error) {
  if (isNotBuilt(error)) {
    return fail(3, [
      'vyre-cache: expected dist/main.cjs, found none',
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
  try {
    // oxlint-disable-next-line typescript/no-require-imports -- this file is CommonJS.
    require('./load.js').load('main.cjs').main().catch(explain);
  } catch (error) {
    explain(error);
  }
}
