import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { passedOn, toCommonJs } from '../../tools/common-js.js';

interface Converted {
  give(): Readonly<Record<string, unknown>>;
  readonly main?: unknown;
}

/** Runs converted text, with these modules to require. */
function load(text: string, modules: Readonly<Record<string, unknown>> = {}): Converted {
  const module: Converted = { give: () => assert.fail('nothing was exported') };
  const require = (id: string): unknown => modules[id];
  // oxlint-disable-next-line typescript/no-implied-eval, typescript/no-unsafe-call -- what is tested is code.
  new Function('require', 'module', '__filename', toCommonJs(text))(require, module, '/a/b.cjs');
  return module;
}

/** What it exports. */
function run(...given: Parameters<typeof load>): Readonly<Record<string, unknown>> {
  return load(...given).give();
}

describe('ES modules as esbuild prints them, as CommonJS', () => {
  it('import names, everything, the default and nothing, and export names', () => {
    const text = [
      'import {',
      '  a,',
      '  b as c',
      '} from "./x.cjs";',
      'import * as all from "./y.cjs";',
      'import own from "node:z";',
      'import "./empty.cjs";',
      'var d = [a, c, all, own];',
      'export {',
      '  a,',
      '  d as list,',
      '  own as default',
      '};',
    ].join('\n');
    const exported = run(text, { './x.cjs': { a: 1, b: 2 }, './y.cjs': { y: 3 }, 'node:z': 4 });
    assert.deepEqual(exported, { a: 1, list: [1, 2, { y: 3 }, 4], default: 4 });
  });

  it('make what they export when it is asked for, all but main', () => {
    const text = 'var a = [];\nvar b = 1;\nfunction start() {\n}\nexport {\n  a,\n  start as main\n};';
    const loaded = load(text);
    assert.equal(typeof loaded.main, 'function');
    assert.deepEqual(loaded.give(), { a: [], main: loaded.main });
    assert.equal(load('var a;\nexport {\n  a\n};').main, undefined);
  });

  it('stay on as many lines', () => {
    const text = 'import {\n  a,\n  b\n} from "x";\nvar c = a;\nexport {\n  c\n};\n';
    assert.equal(toCommonJs(text).split('\n').length, text.split('\n').length);
    assert.match(toCommonJs(text).split('\n')[4] ?? '', /^var c/);
  });

  it('import later, with all that is exported', async () => {
    const exported = run('var later = () => import("./x.cjs");\nexport { later };', {
      './x.cjs': { default: 5 },
    });
    const { later } = exported;
    assert.ok(typeof later === 'function');
    assert.deepEqual(await Promise.resolve(Reflect.apply(later, null, [])), { default: 5 });
  });

  it('know where they are', () => {
    const { at } = run('var at = [import.meta.url, import.meta.dirname];\nexport { at };', {
      'node:url': { pathToFileURL: (path: string) => ({ href: `file://${path}` }) },
      'node:path': { dirname: () => '/a' },
    });
    assert.deepEqual(at, ['file:///a/b.cjs', '/a']);
  });

  it('are refused where an export changes later', () => {
    const changing = 'var count = 0;\nfunction add() {\n  count += 1;\n}\nexport {\n  count,\n  add\n};';
    assert.throws(() => toCommonJs(changing), /expected exports that stay as they are, got count \+=$/);
    const others =
      'var count = 0;\nfunction add(x) {\n  x.count = 1;\n  recount = 2;\n}\nexport {\n  count\n};';
    assert.match(toCommonJs(others), /module\.give = \(\) => \(\{ count/);
  });

  it('are refused where something is left', () => {
    assert.throws(() => toCommonJs('export default 1;'), /got export default 1;/);
  });

  it('are left out where they only pass on what another one exports', () => {
    assert.equal(
      passedOn('import {\n  a\n} from "./x.cjs";\nimport "./y.cjs";\nexport {\n  a\n};\n//# map'),
      './x.cjs',
    );
    for (const text of [
      'import { a } from "./x.cjs";\nexport { a as b };',
      'import { a } from "./x.cjs";\nimport { b } from "./y.cjs";\nexport { a, b };',
      'import { a } from "./x.cjs";\na();\nexport { a };',
      'var a = 1;\nexport { a };',
    ])
      assert.equal(passedOn(text), null);
  });
});
