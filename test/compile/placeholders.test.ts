import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  escapeLiteral,
  expand,
  namesDepfile,
  namesOutput,
  parseTemplate,
  type Template,
  type TemplateContext,
} from '../../src/compile/placeholders.js';
import { CacheError } from '../../src/model/error.js';
import { checkProperty } from '../support/properties.js';

const TWO: TemplateContext = { inputs: 2, outputs: 2, strict: true };
const ONE: TemplateContext = { inputs: 1, outputs: 1, strict: true };
const NONE: TemplateContext = { inputs: 0, outputs: 0, strict: false };

/** The real arguments of one template. */
function real(argument: string, context: TemplateContext): string[] {
  const templates = [parseTemplate(argument, context)];
  return expand(templates, context, {
    input: (index) => `in${index + 1}.c`,
    output: (index) => `out${index + 1}.o`,
    depfile: () => 'deps.d',
    text: (text) => text,
  });
}

describe('placeholders', () => {
  const table: readonly (readonly [string, TemplateContext, readonly string[]])[] = [
    ['', ONE, ['']],
    ['-c', ONE, ['-c']],
    ['{input}', ONE, ['in1.c']],
    ['{output}', ONE, ['out1.o']],
    ['{input}', TWO, ['in1.c', 'in2.c']],
    ['{output}', TWO, ['out1.o', 'out2.o']],
    ['{input:1}', TWO, ['in1.c']],
    ['{input:2}', TWO, ['in2.c']],
    ['{output:2}', TWO, ['out2.o']],
    ['--in={input}', ONE, ['--in=in1.c']],
    ['-o{output}', ONE, ['-oout1.o']],
    ['{input}{output}', ONE, ['in1.cout1.o']],
    ['{input:1}:{input:2}', TWO, ['in1.c:in2.c']],
    ['a{input:2}b{output:1}c', TWO, ['ain2.cbout1.oc']],
    ['{depfile}', ONE, ['deps.d']],
    ['-MF{depfile}', NONE, ['-MFdeps.d']],
    ['{{input}}', ONE, ['{input}']],
    ['{{x}}', ONE, ['{x}']],
    ['{{}}', ONE, ['{}']],
    ['{{input:9}}', ONE, ['{input:9}']],
    ['{{inputs}}', ONE, ['{inputs}']],
    ['a{{x}}b{input}', ONE, ['a{x}bin1.c']],
    ['${VAR}', ONE, ['${VAR}']],
    ['${input}', ONE, ['${input}']],
    ['${inputs}', ONE, ['${inputs}']],
    ['${output:9}', ONE, ['${output:9}']],
    ['$ {input}', ONE, ['$ in1.c']],
    ['{}', ONE, ['{}']],
    ['{', ONE, ['{']],
    ['}', ONE, ['}']],
    ['{input', ONE, ['{input']],
    ['input}', ONE, ['input}']],
    ['{ input }', ONE, ['{ input }']],
    ['{"a": 1}', ONE, ['{"a": 1}']],
    ['{a,b}', ONE, ['{a,b}']],
    ['{include}', ONE, ['{include}']],
    ['{INPUT}', ONE, ['{INPUT}']],
    ['{in}', ONE, ['{in}']],
    ['{put}', ONE, ['{put}']],
    ['{depfile:1}', ONE, ['{depfile:1}']],
    ['é{input}ü', ONE, ['éin1.cü']],
  ];
  for (const [argument, context, expected] of table) {
    it(`turn ${JSON.stringify(argument)} with ${context.inputs} inputs into ${JSON.stringify(expected)}`, () => {
      assert.deepEqual(real(argument, context), expected);
    });
  }

  const wrong: readonly (readonly [string, TemplateContext])[] = [
    ['{input:0}', TWO],
    ['{input:3}', TWO],
    ['{input:01}', TWO],
    ['{input:}', TWO],
    ['{input:-1}', TWO],
    ['{input:1.0}', TWO],
    ['{input: 1}', TWO],
    ['{input:a}', TWO],
    ['{input:1:2}', TWO],
    ['{input:9999999999}', TWO],
    ['{output:0}', TWO],
    ['{output:3}', TWO],
    ['{output:1}', { inputs: 1, outputs: 0, strict: true }],
    ['x{input}', TWO],
    ['{input}x', TWO],
    ['{input}{input}', TWO],
    ['--out={output}', TWO],
    ['{input}', NONE],
    ['x{output}', NONE],
    ['{input:1}', NONE],
  ];
  for (const [argument, context] of wrong) {
    it(`refuse ${argument} with ${context.inputs} inputs and ${context.outputs} outputs`, () => {
      assert.throws(
        () => parseTemplate(argument, context),
        (error) => error instanceof CacheError && error.code === 'usage' && error.hint !== null,
      );
    });
  }

  const NEAR = [
    'inputs',
    'imput',
    'inpt',
    'inptu',
    'nput',
    'niput',
    'inpu',
    'iinput',
    'Input',
    'inputt',
    'ouput',
    'outputs',
    'outptu',
    'Output',
    'depfil',
    'depfiles',
    'depflie',
    'xinput',
  ];
  for (const word of NEAR) {
    it(`take {${word}} for a slip where files were given, and for itself elsewhere`, () => {
      for (const argument of [`{${word}}`, `-o{${word}}`, `{${word}:1}`]) {
        assert.throws(
          () => parseTemplate(argument, ONE),
          (error) =>
            error instanceof CacheError && error.code === 'usage' && error.message.includes(`{${word}`),
        );
        assert.deepEqual(real(argument, NONE), [argument]);
      }
      assert.deepEqual(real(`{{${word}}}`, ONE), [`{${word}}`]);
      assert.deepEqual(real(`\${${word}}`, ONE), [`\${${word}}`]);
    });
  }

  it('take every word at distance 1 for a slip', () => {
    const known = fc.constantFrom('input', 'output', 'depfile');
    const letter = fc.constantFrom(...'abcdefghijklmnopqrstuvwxyzABC019_-'.split(''));
    const edit = fc.record({
      word: known,
      at: fc.nat(8),
      kind: fc.constantFrom('insert', 'delete', 'replace', 'swap'),
      letter,
    });
    checkProperty(
      fc.property(edit, ({ word, at, kind, letter: put }) => {
        const place = at % word.length;
        const [before, here, after] = [
          word.slice(0, place),
          word.slice(place, place + 1),
          word.slice(place + 1),
        ];
        const edited = {
          insert: `${before}${put}${here}${after}`,
          delete: `${before}${after}`,
          replace: `${before}${put}${after}`,
          swap: `${before}${after.slice(0, 1)}${here}${after.slice(1)}`,
        }[kind];
        fc.pre(edited !== word && edited !== undefined);
        assert.throws(() => parseTemplate(`{${edited}}`, ONE), CacheError);
      }),
      500,
    );
  });

  it('are found in a command', () => {
    const parse = (...words: string[]): readonly Template[] => words.map((word) => parseTemplate(word, TWO));
    assert.equal(namesOutput(parse('-o', '{output}'), 1), true);
    assert.equal(namesOutput(parse('-o', '{output:1}'), 0), true);
    assert.equal(namesOutput(parse('-o', '{output:1}'), 1), false);
    assert.equal(namesOutput(parse('{{output}}', '${output}', '{input}'), 0), false);
    assert.equal(namesDepfile(parse('-MF', '{depfile}')), true);
    assert.equal(namesDepfile(parse('-MF', '{{depfile}}')), false);
  });
});

describe('a command as the fingerprint sees it', () => {
  function logical(argument: string): string[] {
    return expand([parseTemplate(argument, TWO)], TWO, {
      input: (index) => `{input:in${index + 1}.c}`,
      output: (index) => `{output:${index + 1}}`,
      depfile: () => '{depfile}',
      text: escapeLiteral,
    });
  }

  for (const [argument, expected] of [
    ['-O2', '-O2'],
    ['{input:1}', '{input:in1.c}'],
    ['-o{output:2}', '-o{output:2}'],
    ['{{x}}', '{x}'],
    ['{x}', '{x}'],
    ['${VAR}', '${VAR}'],
  ] as const) {
    it(`has ${argument} as ${expected}`, () => {
      assert.deepEqual(logical(argument), [expected]);
    });
  }

  it('keeps a literal apart from the placeholder that it looks like', () => {
    assert.notDeepEqual(logical('{{output:1}}'), logical('{output:1}'));
    assert.notDeepEqual(logical('{{input:in1.c}}'), logical('{input:1}'));
    assert.notDeepEqual(logical('{{depfile}}'), logical('{depfile}'));
  });

  it('keeps a literal behind a dollar apart from a placeholder between braces', () => {
    assert.deepEqual(real('${{input:1}}', TWO), ['${in1.c}']);
    assert.deepEqual(real('${input:in1.c}', TWO), ['${input:in1.c}']);
    assert.notDeepEqual(logical('${{input:1}}'), logical('${input:in1.c}'));
  });

  it('never looks the same for two commands that differ', () => {
    const word = fc.constantFrom(
      '{',
      '}',
      '{{',
      '}}',
      '$',
      'x',
      'input',
      'output',
      'depfile',
      ':1',
      ':in1.c',
      '{input:1}',
      '{output:1}',
      '{depfile}',
      '{{input:in1.c}}',
      '${',
    );
    const argument = fc.array(word, { maxLength: 6 }).map((words) => words.join(''));
    const seen = new Map<string, { readonly argument: string; readonly real: string }>();
    checkProperty(
      fc.property(argument, (text) => {
        let made: readonly string[];
        try {
          made = real(text, TWO);
        } catch (error) {
          assert.ok(error instanceof CacheError);
          return;
        }
        const key = JSON.stringify(logical(text));
        const known = seen.get(key);
        const now = { argument: text, real: JSON.stringify(made) };
        assert.ok(
          known === undefined || known.real === now.real,
          `${known?.argument} and ${text} are both ${key}`,
        );
        seen.set(key, now);
      }),
      20_000,
    );
  });
});
