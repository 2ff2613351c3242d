import { COMMANDS } from './command-table.js';
import { globalOptions } from './global-options.js';

const WIDTH = 80;

/** The help of the program: what exists, and nothing else. Needs no argument parser. */
export function programHelp(): string {
  const commands = COMMANDS.map(({ name, summary }): [string, string] => [name, summary]);
  const options = [
    ...globalOptions().map(({ flags, doc }): [string, string] => [flags, doc]),
    ['-h, --help', 'show this help, or that of a command'] as [string, string],
    ['-V, --version', 'show the version'] as [string, string],
  ];
  return `Usage: vyre-cache <command> [options]

Caches what compilers make, compiles each artifact once, and keeps cache
directories verified.

Commands:
${pairs(commands)}
Options of every command:
${pairs(options)}
Exit codes: 0 done, 1 the negative answer (miss, damage, absent, a failed job),
2 usage, 3 the environment failed, 70 a bug; compile: those of the command.

Run \`vyre-cache <command> --help\` for its options and examples.
`;
}

function pairs(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows
    .map(([left, right]) => {
      const [first = '', ...more] = wordsIn(right, WIDTH - width - 4);
      const rest = more.map((line) => `${' '.repeat(width + 4)}${line}\n`);
      return `  ${left.padEnd(width)}  ${first}\n${rest.join('')}`;
    })
    .join('');
}

function wordsIn(text: string, width: number): readonly string[] {
  const found: string[] = [];
  for (const word of text.split(' ')) {
    const last = found.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      found[found.length - 1] = `${last} ${word}`;
    else found.push(word);
  }
  return found;
}
