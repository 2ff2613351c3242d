import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import {
  describeViolations,
  importCycles,
  readSourceTree,
  type SourceTree,
  type Violation,
  wrongImports,
} from './support/import-rules.js';
import { longFiles, wrongNames, wrongProcessUses } from './support/source-rules.js';
import { scanSource } from './support/source-scan.js';

type Rule = (tree: SourceTree) => Violation[];

const project = readSourceTree(join(import.meta.dirname, '..'), 'src');

function assertKept(rule: Rule): void {
  assert.equal(describeViolations(rule(project)), '');
}

describe('the sources of this project', () => {
  it('are read', () => {
    for (const file of ['src/index.ts', 'src/cli/main.ts']) {
      assert.ok(project.has(file), `expected ${file} among the sources`);
    }
  });
  it('import downwards only, and each package from its one layer', () => assertKept(wrongImports));
  it('have no import cycles', () => assertKept(importCycles));
  it('read process.env in the settings and set the exit status in main only', () =>
    assertKept(wrongProcessUses));
  it('are named after concepts, without barrels', () => assertKept(wrongNames));
  it('have at most 400 lines each', () => assertKept(longFiles));
});

/** A tree in which every file exists that a case may point at. */
const SOUND: SourceTree = new Map([
  ['src/index.ts', "export { open } from './compile/compile.js';"],
  ['src/model/units.ts', "import { Buffer } from 'node:buffer';"],
  [
    'src/host/hash.ts',
    "import { blake3 } from '@noble/hashes/blake3.js'; import { readSync } from 'node:fs';",
  ],
  ['src/layouts/vyre.ts', "import type { Size } from '../model/units.js';"],
  ['src/store/disk.ts', "import { pathOf } from '../layouts/vyre.js';"],
  ['src/schedule/lanes.ts', "import { clock } from '../host/hash.js';"],
  ['src/compile/compile.ts', "import { sweep } from '../maintenance/sweep.js';"],
  ['src/maintenance/sweep.ts', "export * from '../store/disk.js';"],
  ['src/maintenance/prune.ts', "import { sweep } from './sweep.js';"],
  ['src/cluster/fleet.ts', "import { prune } from '../maintenance/prune.js';"],
  ['src/cli/main.ts', "const open = await import('../index.js'); process.exitCode = 0;"],
  ['src/cli/settings.ts', "import { parse } from 'smol-toml'; const home = process.env['HOME'];"],
]);

const RULES: readonly Rule[] = [wrongImports, importCycles, wrongProcessUses, wrongNames, longFiles];

function withFile(file: string, text: string): SourceTree {
  return new Map([...SOUND, [file, text]]);
}

interface Case {
  readonly file: string;
  readonly text: string;
  readonly expected: string;
}

/** Adds each file to the sound tree and expects exactly its one violation. */
function refuses(rule: Rule, cases: readonly Case[]): void {
  for (const { file, text, expected } of cases) {
    it(`refuse ${file}${text === '' ? '' : `: ${text.trim().replaceAll(/\s+/g, ' ')}`}`, () => {
      assert.equal(describeViolations(rule(withFile(file, text))), expected);
    });
  }
}

const MODEL_ONLY = 'model may import only model';
const COMPILE_ONLY = 'compile may import only model, host, layouts, store, schedule, compile';
const MAINTENANCE_ONLY = 'maintenance may import only model, host, layouts, store, schedule, maintenance';

describe('the import rules', () => {
  it('accept a sound tree', () => {
    for (const rule of RULES) assert.equal(describeViolations(rule(SOUND)), '');
  });

  refuses(wrongImports, [
    {
      file: 'src/model/entry.ts',
      text: "\nimport { hash } from '../host/hash.js';",
      expected: `src/model/entry.ts:2 imports "../host/hash.js": ${MODEL_ONLY}`,
    },
    {
      file: 'src/model/entry.ts',
      text: "import type { Hash } from '../host/hash.js';",
      expected: `src/model/entry.ts:1 imports "../host/hash.js": ${MODEL_ONLY}`,
    },
    {
      file: 'src/model/entry.ts',
      text: "type Hash = import('../host/hash.js').Hash;",
      expected: `src/model/entry.ts:1 imports "../host/hash.js": ${MODEL_ONLY}`,
    },
    {
      file: 'src/model/entry.ts',
      text: "export {\n  hash,\n} from '../host/hash.js';",
      expected: `src/model/entry.ts:3 imports "../host/hash.js": ${MODEL_ONLY}`,
    },
    {
      file: 'src/model/entry.ts',
      text: "import { readFileSync } from 'node:fs';",
      expected: 'src/model/entry.ts:1 imports "node:fs": model may import no builtin but node:buffer',
    },
    {
      file: 'src/model/entry.ts',
      text: "import 'fs';",
      expected: 'src/model/entry.ts:1 imports "fs": model may import no builtin but node:buffer',
    },
    {
      file: 'src/host/clock.ts',
      text: "import { pathOf } from '../layouts/vyre.js';",
      expected: 'src/host/clock.ts:1 imports "../layouts/vyre.js": host may import only model, host',
    },
    {
      file: 'src/layouts/pvf.ts',
      text: "import { disk } from '../store/disk.js';",
      expected:
        'src/layouts/pvf.ts:1 imports "../store/disk.js": layouts may import only model, host, layouts',
    },
    {
      file: 'src/store/memory.ts',
      text: "import { lanes } from '../schedule/lanes.js';",
      expected:
        'src/store/memory.ts:1 imports "../schedule/lanes.js": store may import only model, host, layouts, store',
    },
    {
      file: 'src/schedule/units.ts',
      text: "import { disk } from '../store/disk.js';",
      expected:
        'src/schedule/units.ts:1 imports "../store/disk.js": schedule may import only model, host, schedule',
    },
    {
      file: 'src/compile/runner.ts',
      text: "import { prune } from '../maintenance/prune.js';",
      expected: `src/compile/runner.ts:1 imports "../maintenance/prune.js": ${COMPILE_ONLY}`,
    },
    {
      file: 'src/maintenance/gc.ts',
      text: "const compile = await import('../compile/compile.js');",
      expected: `src/maintenance/gc.ts:1 imports "../compile/compile.js": ${MAINTENANCE_ONLY}`,
    },
    {
      file: 'src/maintenance/gc.ts',
      text: "new Worker(new URL('../cli/main.js', import.meta.url));",
      expected: `src/maintenance/gc.ts:1 imports "../cli/main.js": ${MAINTENANCE_ONLY}`,
    },
    {
      file: 'src/cluster/worker.ts',
      text: "import { main } from '../cli/main.js';",
      expected:
        'src/cluster/worker.ts:1 imports "../cli/main.js": cluster may import only ' +
        'model, host, layouts, store, schedule, compile, maintenance, cluster',
    },
    {
      file: 'src/index.ts',
      text: "export { main } from './cli/main.js';",
      expected:
        'src/index.ts:1 imports "./cli/main.js": index may import only ' +
        'model, host, layouts, store, schedule, compile, maintenance, cluster',
    },
    {
      file: 'src/host/clock.ts',
      text: "import { open } from '../index.js';",
      expected: 'src/host/clock.ts:1 imports "../index.js": host may import only model, host',
    },
    {
      file: 'src/compile/table.ts',
      text: "import chalk from 'chalk';",
      expected: 'src/compile/table.ts:1 imports "chalk": only cli may import the package chalk',
    },
    {
      file: 'src/cli/verify.ts',
      text: "import { blake3 } from '@noble/hashes/blake3.js';",
      expected:
        'src/cli/verify.ts:1 imports "@noble/hashes/blake3.js": only host may import the package @noble/hashes',
    },
    {
      file: 'src/store/locks.ts',
      text: "const addon: unknown = createRequire(import.meta.url)('fs-native-extensions');",
      expected:
        'src/store/locks.ts:1 imports "fs-native-extensions": only host may import the package fs-native-extensions',
    },
    {
      file: 'src/cli/watch.ts',
      text: "import chokidar from 'chokidar';",
      expected:
        'src/cli/watch.ts:1 imports "chokidar": no rule says which layer may import the package chokidar',
    },
    {
      file: 'src/cli/plugins.ts',
      text: 'await import(`./${name}.js`);',
      expected:
        'src/cli/plugins.ts:1 imports a computed module: ' +
        'an import() names its module by a literal, else nobody can check or bundle it',
    },
    {
      file: 'src/cli/version.ts',
      text: "import { version } from '../../package.js';",
      expected: 'src/cli/version.ts:1 imports "../../package.js": imports stay inside src/',
    },
    {
      file: 'src/cli/gone.ts',
      text: "import { gone } from './away.js';",
      expected: 'src/cli/gone.ts:1 imports "./away.js": expected the module src/cli/away.ts, found none',
    },
    {
      file: 'src/plugins/first.ts',
      text: 'export const first = 1;',
      expected:
        'src/plugins/first.ts lies in no layer: src/ has the layers model, host, layouts, store, schedule, ' +
        'compile, maintenance, cluster, cli and index.ts, nothing else',
    },
  ]);

  refuses(importCycles, [
    {
      file: 'src/model/units.ts',
      text: "import { self } from './units.js';",
      expected: 'src/model/units.ts imports itself: src/model/units.ts → src/model/units.ts',
    },
    {
      file: 'src/layouts/vyre.ts',
      text: "import type { Disk } from '../store/disk.js';",
      expected:
        'src/store/disk.ts imports itself: src/store/disk.ts → src/layouts/vyre.ts → src/store/disk.ts',
    },
  ]);
});

const READS_ENV = 'reads process.env: only src/cli/settings may';
const SETS_STATUS = 'ends the process or sets its status: only src/cli/main.ts may';
const HIDES = 'hides a use of process: it is used as process.name';

describe('the rules on process', () => {
  it('allow the settings to be a folder', () => {
    const tree = withFile('src/cli/settings/environment.ts', 'export const home = process.env.HOME;');
    assert.deepEqual(wrongProcessUses(tree), []);
  });
  it('ignore comments and strings', () => {
    const tree = withFile(
      'src/cli/help.ts',
      "// process.env\nconst text = 'process.exit(1)'; /* process.exit(1) */",
    );
    assert.deepEqual(wrongProcessUses(tree), []);
  });

  refuses(wrongProcessUses, [
    {
      file: 'src/host/temp.ts',
      text: "\n\nconst folder = process.env['TMPDIR'];",
      expected: `src/host/temp.ts:3 ${READS_ENV}`,
    },
    {
      file: 'src/cli/colour.ts',
      text: 'const colour = `${process.env.NO_COLOR}`;',
      expected: `src/cli/colour.ts:1 ${READS_ENV}`,
    },
    {
      file: 'src/cli/prune.ts',
      text: 'process.exitCode = 1;',
      expected: `src/cli/prune.ts:1 ${SETS_STATUS}`,
    },
    { file: 'src/cli/prune.ts', text: 'process.exit(1);', expected: `src/cli/prune.ts:1 ${SETS_STATUS}` },
    { file: 'src/cli/prune.ts', text: 'const { env } = process;', expected: `src/cli/prune.ts:1 ${HIDES}` },
    { file: 'src/cli/prune.ts', text: "process['exit'](1);", expected: `src/cli/prune.ts:1 ${HIDES}` },
  ]);
  refuses(wrongImports, [
    {
      file: 'src/cli/prune.ts',
      text: "import { exit } from 'node:process';",
      expected:
        'src/cli/prune.ts:1 imports "node:process": the global `process` is used as it is, so that its uses can be found',
    },
  ]);
});

describe('the rules on names and sizes', () => {
  refuses(wrongNames, [
    {
      file: 'src/model/utils.ts',
      text: '',
      expected: 'src/model/utils.ts is named "utils", after no concept',
    },
    {
      file: 'src/cli/common.ts',
      text: '',
      expected: 'src/cli/common.ts is named "common", after no concept',
    },
    {
      file: 'src/host/helpers/files.ts',
      text: '',
      expected: 'src/host/helpers/files.ts is named "helpers", after no concept',
    },
    {
      file: 'src/store/index.ts',
      text: '',
      expected: 'src/store/index.ts is a barrel: only src/index.ts is one',
    },
  ]);

  it('accept a file of 400 lines and refuse one of 401', () => {
    assert.deepEqual(longFiles(withFile('src/model/long.ts', 'a;\n'.repeat(400))), []);
    assert.equal(
      describeViolations(longFiles(withFile('src/model/long.ts', 'a;\n'.repeat(401)))),
      'src/model/long.ts has 401 lines: expected at most 400',
    );
  });
});

describe('the scanner', () => {
  const specifiersOf = (text: string): (string | null)[] =>
    scanSource(text).imports.map((site) => site.specifier);

  it('finds every form of an import', () => {
    const text = [
      "import 'side';",
      "import a, { type B } from 'named';",
      "import * as all from 'all';",
      "export * from 'star';",
      "export type { C } from 'type';",
      "const lazy = await import( /* why */ 'lazy' );",
      'const ticks = await import(`ticks`);',
      "const old = require('old');",
      "const found = require.resolve('found');",
      "const made = createRequire(import.meta.url)('made');",
      "const url = import.meta.resolve('url');",
      "new Worker(new URL('worker', import.meta.url));",
      "type T = typeof import('query');",
    ].join('\n');
    const names = 'side named all star type lazy ticks old found made url worker query';
    assert.deepEqual(specifiersOf(text), names.split(' '));
  });

  it('is not deceived by comments, strings, templates and regular expressions', () => {
    const text = [
      "// import 'comment';",
      "/* import 'block'; ' */ import 'one';",
      "const s = \"import 'string'\" + '\\'import \"x\"';",
      "const t = `import 'template' ${`}` + { a: '}' }.a} from 'template'`;",
      "const r = /['\"`]/.test(s) || a / b; import 'two';",
      "const c = [/[/'`]/, s.replace(/`/g, '')]; import 'three';",
      "const d = (a + b) / 2; const e = x[0] / y; import 'four';",
      "const f = `${await import('five')}`;",
      "const from = 'not'; list.from('not'); o.import('not');",
    ].join('\n');
    assert.deepEqual(specifiersOf(text), ['one', 'two', 'three', 'four', 'five']);
  });

  it('keeps positions: the blanked code is as long as the text, line by line', () => {
    const text = "const a = `x\n${b /* c */}\n'`; // d\nconst e = /f'/g;\nimport 'g';\n";
    const lengths = (of: string): number[] => of.split('\n').map((line) => line.length);
    assert.deepEqual(lengths(scanSource(text).code), lengths(text));
    assert.deepEqual(scanSource(text).imports, [{ form: 'static', specifier: 'g', line: 5 }]);
  });
});
