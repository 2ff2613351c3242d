/**
 * Turns the ES modules that esbuild prints into CommonJS. esbuild's own conversion gives each export two getters, and
 * a call of what another file exports goes through both: to make them takes a start longer than to read its settings.
 * What is exported here are the values, which `module.give` returns, and what is imported becomes a variable. That holds as
 * long as no export is given another value later, and no two files import each other: the first is checked, esbuild never
 * makes the second.
 */

const STRING = String.raw`"(?:[^"\\]|\\.)*"`;
const NAME = String.raw`[\w$]+`;
const LIST = String.raw`\{[\w$,\s]*\}`;

/** What was imported from where, at the begin of a line: names, everything, the default, or nothing. */
const IMPORT = new RegExp(`^import (?:(?:(${LIST})|\\* as (${NAME})|(${NAME})) from )?(${STRING});$`, 'gm');
const EXPORT = new RegExp(`^export (${LIST});$`, 'gm');
const LATER = new RegExp(`\\bimport\\((${STRING})\\)`, 'g');

/** Lines stay where they are: the source map of the text holds for the result. @throws Error for what is not known. */
export function toCommonJs(text: string): string {
  const exported = [...text.matchAll(EXPORT)].flatMap(([, list = '']) => namesOf(list));
  for (const [local] of exported) refuseChanging(text, local);
  const required = new Map<string, string>();
  const result = text
    .replace(IMPORT, (_, list?: string, all?: string, own?: string, from: string = '') => {
      const target = list === undefined ? (all ?? own) : renamed(list, (pair) => pair);
      if (target === undefined) return `require(${from});`;
      const known = required.get(from);
      if (known !== undefined) return `const ${target} = ${known};`;
      // A file is made of many, of which each has its own imports: to ask for a module once more takes a call each.
      const variable = `required${required.size}`;
      required.set(from, variable);
      return `const ${variable} = require(${from}), ${target} = ${variable};`;
    })
    .replace(EXPORT, (_, list: string) => `${given(list)};`)
    .replace(LATER, (_, from: string) => `Promise.resolve().then(() => require(${from}))`)
    .replaceAll('import.meta.url', 'require("node:url").pathToFileURL(__filename).href')
    .replaceAll('import.meta.dirname', 'require("node:path").dirname(__filename)');
  const left = /^(?:import|export)\b.*/m.exec(result)?.[0];
  if (left !== undefined) throw new Error(`expected imports and exports as esbuild prints them, got ${left}`);
  return result;
}

/**
 * Made when another file asks: a start needs `main` of all that its file exports, and to make an object of so many values
 * takes a hundredth of it.
 */
function given(list: string): string {
  const main = namesOf(list).find(([, name]) => name === 'main');
  const give = `module.give = () => (${renamed(list, ([local, name]) => [name, local])})`;
  return main === undefined ? give : `module.main = ${main[0]}; ${give}`;
}

/** Where a file only passes on what another one exports, by the same names: the other one. */
export function passedOn(text: string): string | null {
  const code = text.replace(/^\/\/.*$/gm, '');
  if (code.replace(IMPORT, '').replace(EXPORT, '').trim() !== '') return null;
  const imports = [...code.matchAll(IMPORT)].filter(([, list]) => list !== undefined);
  const [only, ...others] = imports;
  const exported = [...code.matchAll(EXPORT)].flatMap(([, list = '']) => namesOf(list));
  if (only === undefined || others.length > 0 || exported.some(([local, name]) => local !== name))
    return null;
  const imported = namesOf(only[1] ?? '');
  const known = new Set(imported.filter(([name, local]) => name === local).map(([name]) => name));
  return exported.every(([name]) => known.has(name)) ? String(JSON.parse(only[4] ?? '""')) : null;
}

type Pair = readonly [before: string, after: string];

/** `{ a, b as c }` is a and a, b and c. */
function namesOf(list: string): readonly Pair[] {
  const words = list
    .slice(1, -1)
    .split(',')
    .map((word) => word.trim());
  return words
    .filter((word) => word !== '')
    .map((word) => {
      const [before = '', after = before] = word.split(' as ');
      return [before, after];
    });
}

/** The same list as a pattern or an object, on as many lines. */
function renamed(list: string, order: (pair: Pair) => Pair): string {
  const lines = '\n'.repeat(list.split('\n').length - 1);
  const items = namesOf(list).map((pair) => {
    const [key, value] = order(pair);
    return key === value ? key : `${key}: ${value}`;
  });
  return `{ ${items.join(', ')}${lines} }`;
}

/** @throws Error where a variable of the file may be given another value after its file was loaded. */
function refuseChanging(text: string, name: string): void {
  const escaped = name.replaceAll('$', String.raw`\$`);
  const changes = new RegExp(
    `^(?!\\s*(?:var|const|let|class|function) ).*(?<![\\w$.#])${escaped} (?:[-+*/%&|^?]{0,3}=) `,
    'm',
  );
  const found = changes.exec(text)?.[0];
  if (found !== undefined) throw new Error(`expected exports that stay as they are, got ${found.trim()}`);
}
