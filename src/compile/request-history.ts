import { hashChunks } from '../host/hash.js';
import type { Host } from '../host/host.js';
import type { HomePaths } from '../layouts/vyre/home-paths.js';
import { mismatch, Reader } from '../model/decoder.js';
import { toHex } from '../model/fingerprint.js';
import { showField, type Field } from '../model/fields.js';
import type { MissReason } from '../model/lifecycle.js';
import { readChecked, writeChecked } from '../store/checked-file.js';
import type { Plan } from './plan.js';

const SCHEMA = 'vyre-cache.request/1';
const MAX_BYTES = 4_194_304;

/** What the last compilation of a request shape was made of. */
export interface RequestHistory {
  /** Digest of each field's value by the field's name. */
  readonly fields: ReadonlyMap<string, string>;
  /** Digest of the setting with which the outputs held the worker directory's path; null when they never did. */
  readonly embedsPath: string | null;
}

/** The name under which a request is remembered: where it runs, what it is called, what it reads and writes. */
export function requestShape(host: Host, plan: Plan): string {
  const { request } = plan;
  return digestOf(host, [
    request.cwd,
    plan.command.typed,
    request.inputs,
    plan.outputs.map((output) => output.name),
  ]);
}

/** The digest of all fields but those of files: the same command in the same environment with the same compiler. */
export function settingDigest(host: Host, fields: readonly Field[]): string {
  const setting = [...fieldDigests(host, fields)].filter(
    ([name]) => !/^(?:input|input-mode|dep)\//.test(name),
  );
  return digestOf(host, setting);
}

function digestOf(host: Host, value: unknown): string {
  return toHex(hashChunks(host.hash, [Buffer.from(JSON.stringify(value), 'utf8')]));
}

export function readHistory(host: Host, paths: HomePaths, shape: string): RequestHistory | null {
  return readChecked(host, { path: paths.request(shape), maxBytes: MAX_BYTES }, decodeHistory);
}

/** The setting with which the outputs of a request held the worker directory's path: all that a hit asks for. */
export function readEmbedsPath(host: Host, paths: HomePaths, shape: string): string | null {
  const file = { path: paths.request(shape), maxBytes: MAX_BYTES };
  return readChecked(host, file, (reader) => {
    if (reader.text('schema') !== SCHEMA) mismatch('unknown schema');
    return reader.textOrNull('embedsPath');
  });
}

/** Best effort: without it a later miss is `absent` instead of naming what changed. */
export function rememberRequest(
  host: Host,
  paths: HomePaths,
  request: { readonly shape: string; readonly fields: readonly Field[]; readonly embedsPath: string | null },
): void {
  const file = {
    path: paths.request(request.shape),
    folder: paths.requests,
    staged: paths.staged(host.random.hex(8)),
  };
  const fields = [...fieldDigests(host, request.fields)].map(([name, digest]) => ({ name, digest }));
  writeChecked(host, file, { schema: SCHEMA, embedsPath: request.embedsPath, fields });
}

function fieldDigests(host: Host, fields: readonly Field[]): ReadonlyMap<string, string> {
  const hash = (chunks: readonly Uint8Array[]): Uint8Array => hashChunks(host.hash, chunks);
  return new Map(
    fields.map((field) => {
      const { value, digest } = showField(field, hash);
      return [field.name, digest ?? (value === null ? '' : digestOf(host, value))];
    }),
  );
}

/** In this order: what changed first explains the rest. `arg` stands for keys and output names, too. */
const REASONS: readonly (readonly [prefix: RegExp, reason: MissReason])[] = [
  [/^(?:compiler\/|arch$|platform$|schema$)/, 'compiler-changed'],
  [/^(?:arg|key|output)\/|^(?:cwd|stdout)$/, 'flags-changed'],
  [/^env\//, 'environment-changed'],
  [/^input(?:-mode)?\//, 'program-changed'],
  [/^dep\//, 'dependency-changed'],
];

/** Names the first group of fields that changed since the last compilation of this request; null when none did. */
export function changedReason(
  host: Host,
  history: RequestHistory,
  now: { readonly fields: readonly Field[]; readonly discoveredKnown: boolean },
): MissReason | null {
  const current = fieldDigests(host, now.fields);
  for (const [prefix, reason] of REASONS) {
    const isDependency = reason === 'dependency-changed';
    if (isDependency && !now.discoveredKnown) return reason;
    if (differs(select(history.fields, prefix), select(current, prefix))) return reason;
  }
  return null;
}

function select(fields: ReadonlyMap<string, string>, prefix: RegExp): ReadonlyMap<string, string> {
  return new Map([...fields].filter(([name]) => prefix.test(name)));
}

function differs(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size !== b.size || [...a].some(([name, digest]) => b.get(name) !== digest);
}

function decodeHistory(reader: Reader): RequestHistory {
  if (reader.text('schema') !== SCHEMA) mismatch('unknown schema');
  const embedsPath = reader.textOrNull('embedsPath');
  const fields = reader.list('fields', (value, path) => {
    const item = new Reader(value, path);
    const field: [string, string] = [item.text('name'), item.text('digest')];
    item.end();
    return field;
  });
  reader.end();
  return { fields: new Map(fields), embedsPath };
}
