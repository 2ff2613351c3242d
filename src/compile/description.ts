import { basename } from 'node:path';
import { hashChunks } from '../host/hash.js';
import type { Host } from '../host/host.js';
import {
  digestField,
  FINGERPRINT_SCHEMA,
  fingerprintOfGroups,
  numbered,
  textField,
  type Field,
  type Fingerprint,
} from '../model/fingerprint.js';
import type { FileDigest } from './file-digests.js';
import { identifierOf, type Identity } from './identity.js';
import { escapeLiteral, expand } from './placeholders.js';
import type { NamedFile, Plan } from './plan.js';
import type { CacheSession } from './session.js';

/** A compilation as its fingerprint sees it, all but the discovered dependencies. */
export interface Description {
  readonly fields: readonly Field[];
  /** The same: what comes from one source together. */
  readonly groups: readonly (readonly Field[])[];
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
    line: plan.line,
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
  signal?: AbortSignal,
): Promise<Description> {
  const { host } = session;
  const identity = await identityOf(session, plan, signal);
  const hashed: FileDigest[] = [];
  const unreadable: string[] = [];
  const hashFile = (group: 'input' | 'dep', file: NamedFile): readonly Field[] => {
    const digest = session.digests.digestOrNull(file.path);
    if (digest === null) {
      unreadable.push(file.name);
      return [];
    }
    hashed.push(digest);
    const field = digestField(`${group}/${file.name}`, digest.digest);
    const isExecutable = group === 'input' && (digest.stat.mode & 0o100) !== 0;
    return isExecutable ? [field, textField(`input-mode/${file.name}`, 'executable')] : [field];
  };
  const groups = [
    ...machineGroups(host),
    argumentFields(plan),
    identity.fields,
    plan.relocatable ? [] : [textField('cwd', plan.request.cwd)],
    distinct(plan.dependencies.flatMap((file) => hashFile('dep', file))),
    plan.environment.fields,
    distinct(plan.inputs.flatMap((file) => hashFile('input', file))),
    plan.request.keys.map((key, index) => textField(numbered('key', index), key)),
    ...plan.outputs.map((output, index) => {
      const name = plan.relocatable ? basename(output.name) : output.name;
      return [textField(output.isStdout ? 'stdout' : numbered('output', index), name)];
    }),
  ];
  const primary = fingerprint(host, groups);
  return {
    fields: groups.flat(),
    groups,
    primary,
    hashed,
    identity,
    uncacheable: objection(unreadable, identity),
  };
}

const knownMachines = new WeakMap<Host['machine'], Description['groups']>();

function machineGroups({ machine }: Host): Description['groups'] {
  const known = knownMachines.get(machine);
  if (known !== undefined) return known;
  const groups = [
    [textField('schema', FINGERPRINT_SCHEMA)],
    [textField('platform', machine.platform)],
    [textField('arch', machine.arch)],
  ];
  knownMachines.set(machine, groups);
  return groups;
}

/** The fingerprint of groups of fields, with this host's BLAKE3. */
export function fingerprint(host: Host, groups: Description['groups']): Fingerprint {
  return fingerprintOfGroups(groups, (chunks) => hashChunks(host.hash, chunks));
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
export function logicalCommand(plan: Plan): readonly string[] {
  const { request } = plan;
  const counts = { inputs: request.inputs.length, outputs: request.outputs.length };
  const args = expand(plan.templates, counts, {
    input: (index) => `{input:${(request.inputs[index] ?? '').replaceAll(/[\\{}]/g, '\\$&')}}`,
    output: (index) => `{output:${index + 1}}`,
    depfile: () => '{depfile}',
    text: escapeLiteral,
  });
  return [escapeLiteral(plan.line.typed), ...args];
}

function argumentFields(plan: Plan): readonly Field[] {
  return logicalCommand(plan).map((argument, index) => textField(numbered('arg', index), argument));
}
