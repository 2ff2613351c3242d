import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isHarmless } from '../../src/compile/presets/gcc-harmless.js';

const HARMLESS = [
  '-c',
  '-O',
  '-O3',
  '-Wall',
  '-W',
  '-Wno-unused',
  '-std=c11',
  '-m64',
  '-march=native',
  '-fPIC',
  '-fno-PIC',
  '-finline',
  '-finline-functions',
  '-fno-inline-functions',
  '-fbuiltin-memcpy',
  '-fmerge-all-constants',
  '-fconstexpr-depth=1',
  '-fsanitize=address',
  '-fno-sanitize',
  '-fno-diagnostics-show-caret',
];
const REACHING = [
  '',
  '-',
  '-cc',
  '-O4',
  '-O33',
  '-g',
  '-ggdb',
  '-Wl,-z',
  '-Wa,-a',
  '-Wp,-DX',
  '-W all',
  '-std=',
  '-m',
  '-m=64',
  '-fbuiltin-',
  '-fno-no-PIC',
  '-fPICK',
  '-fconstexpr-=1',
  '-fconstexpr-depth=',
  '-fsanitize',
  '-flto',
  '-fprofile-use',
  '-std=c11\n',
  '-finline\u2028',
  '--coverage',
];

describe('options of gcc', () => {
  for (const name of HARMLESS)
    it(`let nothing of the folders reach a byte: ${name}`, () => {
      assert.equal(isHarmless(name), true);
    });
  for (const name of REACHING)
    it(`count as reaching the bytes: ${JSON.stringify(name)}`, () => {
      assert.equal(isHarmless(name), false);
    });
});
