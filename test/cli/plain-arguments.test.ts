import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import { parseArguments, type ParsedRun } from '../../src/cli/arguments.js';
import { COMMANDS } from '../../src/cli/command-table.js';
import type { CliCommand } from '../../src/cli/command.js';
import { optionName, optionsOf } from '../../src/cli/parsed-options.js';
import { parsePlain } from '../../src/cli/plain-arguments.js';
import { CacheError } from '../../src/model/error.js';
import { checkProperty } from '../support/properties.js';

const commands: CliCommand[] = [];
before(async () => {
  for (const entry of COMMANDS) commands.push(await entry.load());
});

function commandOf(name: string): CliCommand {
  const found = commands.find((command) => command.name === name);
  assert.ok(found !== undefined);
  return found;
}

/** All that a command can ask of its options. */
function readings(command: CliCommand, parsed: ParsedRun): unknown {
  const { positionals, options, flags } = parsed;
  const names = optionsOf(command).map((spec) => optionName(spec).attribute);
  const asked = names.map((name) => [
    name,
    options.text(name),
    options.list(name),
    options.flag(name),
    options.refused(name),
  ]);
  return { positionals: [...positionals], asked, flags: Object.fromEntries(flags) };
}

/** Null for help and mistakes. */
function byTheParser(command: CliCommand, words: readonly string[]): unknown {
  try {
    const parsed = parseArguments(command, words);
    return parsed.kind === 'run' ? readings(command, parsed) : null;
  } catch (error) {
    if (error instanceof CacheError) return null;
    throw error;
  }
}

/** Names of options in all forms, values, and what only looks like either. */
function callsOf(command: CliCommand): fc.Arbitrary<readonly string[]> {
  const names = optionsOf(command).map(optionName);
  const option = fc.constantFrom(...names).chain((name): fc.Arbitrary<readonly string[]> => {
    const flag = fc.constantFrom(name.long, ...(name.short === null ? [] : [name.short]));
    return name.hasValue ? fc.tuple(flag, fc.constantFrom('a.o', '-x', '', '7d', '--json')) : fc.tuple(flag);
  });
  const odd = fc.constantFrom(
    '-',
    '-1',
    '-h',
    '--help',
    '--json=1',
    '--no-json',
    '-qv',
    '-oa.o',
    '--output=a',
    '-o',
    '--x',
    '',
  );
  const word = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('a.c', 'b', '0123456789abcdef') },
    fc.string(),
  );
  return fc
    .array(
      fc.oneof(
        { weight: 6, arbitrary: option },
        { weight: 4, arbitrary: fc.tuple(word) },
        { weight: 1, arbitrary: fc.tuple(odd) },
      ),
      { maxLength: 8 },
    )
    .map((groups) => groups.flat());
}

describe('plain arguments', () => {
  for (const { name } of COMMANDS) {
    it(`of ${name} are read as the argument parser reads them, or left to it`, () => {
      const command = commandOf(name);
      let plain = 0;
      checkProperty(
        fc.property(callsOf(command), (typed) => {
          const parsed = parsePlain(command, typed);
          if (parsed === null) return;
          plain += 1;
          assert.deepEqual(readings(command, parsed), byTheParser(command, typed));
        }),
        1000,
      );
      assert.ok(plain > 0, 'expected some that are plain');
    });
  }

  const usual: readonly (readonly [string, readonly string[]])[] = [
    ['compile', ['a.c', '-o', 'a.o']],
    [
      'compile',
      ['-v', '--cache-dir', 'x', 'a.c', '-o', 'a.o', '--deps', '*.h', '--key', 'k', '--relocatable'],
    ],
    ['compile', ['a.c', '--output', '-', '--no-cache', '--no-color', '--timeout', '3s']],
    ['get', ['0123456789abcdef', '-o', 'a.o', '--json']],
    ['get', ['0123456789abcdef']],
    ['stats', []],
    ['stats', ['dir', '--json']],
    ['prune', ['dir', '--ttl', '7d', '--dry-run']],
  ];
  for (const [name, typed] of usual) {
    it(`are what ${name} is usually called with: ${typed.join(' ')}`, () => {
      const command = commandOf(name);
      const parsed = parsePlain(command, typed);
      assert.ok(parsed !== null);
      assert.deepEqual(readings(command, parsed), byTheParser(command, typed));
    });
  }

  const others: readonly (readonly [string, readonly string[]])[] = [
    ['compile', ['a.c', '-oa.o']],
    ['compile', ['a.c', '--output=a.o']],
    ['compile', ['a.c', '-o']],
    ['compile', ['--help']],
    ['compile', ['--outptu', 'a.o']],
    ['stats', ['one', 'two']],
    ['flush', ['one', 'two']],
    ['rm', []],
    ['stats', ['-qv']],
    ['stats', ['-1']],
  ];
  for (const [name, typed] of others) {
    it(`are not these of ${name}: ${typed.join(' ')}`, () => {
      assert.equal(parsePlain(commandOf(name), typed), null);
    });
  }
});
