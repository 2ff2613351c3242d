import { basename } from 'node:path';
import { hashChunks } from '../host/hash.js';
import type { Host } from '../host/host.js';
import type { Fingerprint } from '../model/fingerprint.js';
import {
  blockOf,
  digestField,
  FINGERPRINT_SCHEMA,
  fingerprintOfBlocks,
  numbered,
  sharedBlockOf,
  textField,
  type Field,
  type FieldBlock,
} from '../model/fields.js';
import type { FileDigest } from './file-digests.js';
import { identifierOf, type Identity } from './identity.js';
import { escapeLiteral, expand } from './placeholders.js';
import type { NamedFile, Plan } from './plan.js';
import { lineOf, type CommandPattern } from './planned-command.js';
import type { CacheSession } from './session.js';
import type { SharedLooks } from './shared-looks.js';

/** A compilation as its fingerprint sees it, all but the discovered dependencies. */
export interface Description {
  readonly fields: readonly Field[];
  /** The same: what comes from one source together. */
  readonly blocks: readonly FieldBlock[];
  /** Names of those of `fields` that are dependencies. */
  readonly declared: ReadonlySet<string>;
  /** Of `fields`: leads to the dependency sets, and is the fingerprint where nothing is discovered. */
  readonly primary: Fingerprint;
  /** The inputs and declared dependencies as they were hashed. */
  readonly hashed: readonly FileDigest[];
  /** Of the compiler: its fields are among `fields`. */
  readonly identity: Identity;
  readonly uncacheable: Identity['uncacheable'];
}

function objection(unreadable: readonly string[], identity: Identity): Identity['uncacheable'] {
  const [name] = unreadable;
  if (name === undefined) return identity.uncacheable;
  return {
    word: 'unreadable-input',
    detail: `"${name}" cannot be read, and what cannot be hashed cannot be cached`,
  };
}

/** What identifies the compiler of a plan now. */
export async function identityOf(session: CacheSession, plan: Plan, signal?: AbortSignal): Promise<Identity> {
  return identifierOf(session).identify({
    line: lineOf(plan),
    program: plan.program,
    preset: plan.preset,
    facts: plan.facts,
    tools: plan.tools,
    compilerVersion: plan.request.compilerVersion,
    ...(signal === undefined ? {} : { signal }),
  });
}

/**
 * Hashes everything that is declared.
 * @throws CacheError usage for a bad `--compiler-version`.
 */
export async function describe(
  session: CacheSession,
  plan: Plan,
  { signal, looks }: { readonly signal?: AbortSignal; readonly looks?: SharedLooks } = {},
): Promise<Description> {
  const identity = await identityOf(session, plan, signal);
  looks?.keepIdentity(plan.pattern, identity);
  return describeAs(session, plan, identity);
}

/** {@link describe} for a compiler that is known. */
export function describeAs(session: CacheSession, plan: Plan, identity: Identity): Description {
  const { host } = session;
  const hashed: FileDigest[] = [];
  const unreadable: string[] = [];
  const hashAll = (group: 'input' | 'dep', files: readonly NamedFile[]): readonly Field[] => {
    const fields: Field[] = [];
    for (const { name, path } of files) {
      const digest = session.digests.digestOrNull(path);
      if (digest === null) {
        unreadable.push(name);
        continue;
      }
      hashed.push(digest);
      fields.push(digestField(`${group}/${name}`, digest.digest));
      const isExecutable = group === 'input' && (digest.stat.mode & 0o100) !== 0;
      if (isExecutable) fields.push(textField(`input-mode/${name}`, 'executable'));
    }
    return distinct(fields);
  };
  const dependencies = hashAll('dep', plan.dependencies);
  const inputs = hashAll('input', plan.inputs);
  const cwd = plan.relocatable ? [] : [textField('cwd', plan.request.cwd)];
  const keys = plan.request.keys.map((key, index) => textField(numbered('key', index), key));
  // In the order in which records show them.
  const blocks = [
    ...machineBlocks(host),
    ...argumentBlocks(plan),
    sharedBlockOf(identity.fields),
    blockOf(cwd),
    blockOf(dependencies),
    sharedBlockOf(plan.environment.fields),
    blockOf(inputs),
    blockOf(keys),
    blockOf(outputFields(plan)),
  ].filter((block) => block !== null);
  return new Described(blocks, {
    declared: dependencies.length === 0 ? NONE : new Set(dependencies.map(({ name }) => name)),
    host,
    hashed,
    identity,
    uncacheable: objection(unreadable, identity),
  });
}

const NONE: ReadonlySet<string> = new Set();

/** A description whose fields are put together, and hashed, when they are asked for: many a hit does without. */
class Described implements Description {
  readonly blocks: readonly FieldBlock[];
  readonly declared: ReadonlySet<string>;
  readonly hashed: readonly FileDigest[];
  readonly identity: Identity;
  readonly uncacheable: Identity['uncacheable'];
  readonly #host: Host;
  #primary: Fingerprint | null = null;

  constructor(
    blocks: readonly FieldBlock[],
    about: Omit<Description, 'fields' | 'blocks' | 'primary'> & { readonly host: Host },
  ) {
    this.blocks = blocks;
    this.declared = about.declared;
    this.#host = about.host;
    this.hashed = about.hashed;
    this.identity = about.identity;
    this.uncacheable = about.uncacheable;
  }

  get primary(): Fingerprint {
    this.#primary ??= fingerprint(this.#host, this.blocks);
    return this.#primary;
  }

  get fields(): readonly Field[] {
    return this.blocks.flatMap(({ fields }) => fields);
  }
}

function outputFields({ outputs, relocatable }: Plan): readonly Field[] {
  return outputs.map((output, index) => {
    const name = relocatable ? basename(output.name) : output.name;
    return textField(output.isStdout ? 'stdout' : numbered('output', index), name);
  });
}

const knownMachines = new WeakMap<Host['machine'], readonly (FieldBlock | null)[]>();

function machineBlocks({ machine }: Host): readonly (FieldBlock | null)[] {
  const known = knownMachines.get(machine);
  if (known !== undefined) return known;
  const fields = [
    textField('schema', FINGERPRINT_SCHEMA),
    textField('platform', machine.platform),
    textField('arch', machine.arch),
  ];
  const blocks = fields.map((field) => blockOf([field]));
  knownMachines.set(machine, blocks);
  return blocks;
}

/** The fingerprint of blocks of fields, with this host's BLAKE3. */
export function fingerprint(host: Host, blocks: readonly FieldBlock[]): Fingerprint {
  return fingerprintOfBlocks(blocks, (chunks) => hashChunks(host.hash, chunks));
}

/** A file may be named twice, as an input and by an argument; the same name means the same field. */
function distinct(fields: readonly Field[]): readonly Field[] {
  if (fields.length < 2) return fields;
  return [...new Map(fields.map((field) => [field.name, field])).values()];
}

/**
 * The command with logical names. Literal text that looks like a placeholder is doubled, braces and backslashes in a name
 * are escaped: no two commands look alike.
 */
export function logicalCommand(plan: Pick<Plan, 'request' | 'command'>): readonly string[] {
  const { request } = plan;
  const counts = { inputs: request.inputs.length, outputs: request.outputs.length };
  const args = expand(plan.command.templates, counts, {
    input: (index) => `{input:${escapeName(request.inputs[index] ?? '')}}`,
    output: (index) => `{output:${index + 1}}`,
    depfile: () => '{depfile}',
    text: escapeLiteral,
  });
  return [escapeLiteral(plan.command.typed), ...args];
}

const SPECIAL = /[\\{}]/;

function escapeName(name: string): string {
  return SPECIAL.test(name) ? name.replaceAll(/[\\{}]/g, '\\$&') : name;
}

/** Arguments from `start` to before `end`. */
interface ArgumentRun {
  readonly start: number;
  readonly end: number;
  /** Null where one of them holds the name of an input. */
  readonly block: FieldBlock | null;
}

const knownRuns = new WeakMap<CommandPattern, readonly ArgumentRun[]>();

/** The fields of the arguments. What all commands of a pattern have in common is encoded once. */
function argumentBlocks(plan: Plan): readonly (FieldBlock | null)[] {
  const words = logicalCommand(plan);
  const { pattern } = plan;
  if (pattern === null) return [argumentBlock(words, { start: 0, end: words.length })];
  const runs = knownRuns.get(pattern) ?? runsOf(plan, words);
  knownRuns.set(pattern, runs);
  return runs.map((run) => run.block ?? argumentBlock(words, run));
}

function argumentBlock(
  words: readonly string[],
  { start, end }: Pick<ArgumentRun, 'start' | 'end'>,
): FieldBlock | null {
  return blockOf(
    words.slice(start, end).map((word, index) => textField(numbered('arg', start + index), word)),
  );
}

function runsOf({ command, request }: Plan, words: readonly string[]): readonly ArgumentRun[] {
  const inputs = request.inputs.map((name) => `${name}/`);
  const others = logicalCommand({ command, request: { ...request, inputs } });
  const isNaming = (index: number): boolean => words[index] !== others[index];
  const runs: ArgumentRun[] = [];
  for (let start = 0; start < words.length;) {
    let end = start + 1;
    while (end < words.length && isNaming(end) === isNaming(start)) end += 1;
    runs.push({ start, end, block: isNaming(start) ? null : argumentBlock(words, { start, end }) });
    start = end;
  }
  return runs;
}
