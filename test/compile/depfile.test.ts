import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { depfilePrerequisites, parseDepfile } from '../../src/compile/depfile.js';

describe('depfiles', () => {
  const rows: readonly (readonly [string, string, readonly string[]])[] = [
    ['one line', 'a.o: a.c a.h\n', ['a.c', 'a.h']],
    ['no final newline', 'a.o: a.c', ['a.c']],
    ['continuation lines', 'a.o: a.c \\\n a.h \\\r\n\tb.h\n', ['a.c', 'a.h', 'b.h']],
    ['several targets', 'a.o a.d: a.c\n', ['a.c']],
    ['several rules', 'a.o: a.c\nb.o: b.c a.c\n', ['a.c', 'b.c']],
    ['phony targets of -MP', 'a.o: a.c a.h\n\na.h:\n', ['a.c', 'a.h']],
    ['blanks', 'a.o: my\\ file.c tab\\\tbed.h\n', ['my file.c', 'tab\tbed.h']],
    ['hashes and dollars', 'a.o: a\\#b.h a$$b.h\n', ['a#b.h', 'a$b.h']],
    ['backslashes that escape nothing', 'a.o: a\\b.c c\\\\d.c\n', ['a\\b.c', 'c\\\\d.c']],
    ['an even number of backslashes before a blank ends the word', 'a.o: a\\\\ b\n', ['a\\', 'b']],
    ['a space before the colon (nvcc)', 'a.o : a.cu \\\n  /usr/include/x.h\n', ['a.cu', '/usr/include/x.h']],
    ['colons inside names', 'a.o: C:/x.h d:e.h\n', ['C:/x.h', 'd:e.h']],
    ['an escaped colon in a target', 'C\\:/a.o: a.c\n', ['a.c']],
    ['comments', '# nothing: here\na.o: a.c # b.c\n', ['a.c']],
    ['double colons', 'a.o:: a.c\n', ['a.c']],
    ['nothing', '', []],
    ['no rule', 'words without a rule\n', []],
  ];
  for (const [name, text, expected] of rows) {
    test(name, () => {
      assert.deepEqual(depfilePrerequisites(text), expected);
    });
  }

  test('targets are kept with their escapes undone', () => {
    assert.deepEqual(parseDepfile('my\\ a.o b.o: a.c\n'), [
      { targets: ['my a.o', 'b.o'], prerequisites: ['a.c'] },
    ]);
  });

  test('no text makes it throw', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', '\\', ' ', ':', '$', '#', '\n', '\t', '\r') }),
        (text) => {
          depfilePrerequisites(text);
        },
      ),
    );
  });

  test('names that are escaped as gcc does come back', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '.', '/', ' ', '#', '$'), minLength: 1 });
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 1 }), (names) => {
        const escaped = names.map((text) => text.replace(/[ #]/g, '\\$&').replaceAll('$', '$$$$'));
        assert.deepEqual(depfilePrerequisites(`a.o: ${escaped.join(' \\\n ')}\n`), names);
      }),
    );
  });
});
