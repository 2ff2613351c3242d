import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DiskModel, ModelFile, ModelFolder, ModelNode } from './disk-model.js';

/** What may be found after a power cut, by path relative to the folder: null is a folder. */
export type DiskState = ReadonlyMap<string, Buffer | null>;

/** One thing that a disk may have in several states, independent of all others. */
interface Choice {
  /** Choices of one group are combined with each other completely. */
  readonly group: string | null;
  readonly options: number;
}

/** The choices that a power cut leaves open, and the state that each combination of them is. */
export class OpenChoices {
  readonly #model: DiskModel;
  readonly #calls: number;
  readonly #groupOf: (path: string) => string | null;
  readonly #choices: Choice[] = [];
  readonly #indices = new Map<ModelFile | string, number>();
  readonly #contents = new Map<ModelFile, readonly Buffer[]>();

  /**
   * After the first `calls` calls of a model. `groupOf` says to which group a path belongs; null: it is varied on its
   * own.
   */
  constructor(model: DiskModel, calls: number, groupOf: (path: string) => string | null) {
    this.#model = model;
    this.#calls = calls;
    this.#groupOf = groupOf;
    this.#collect(model.root, '', new Set());
  }

  get choices(): readonly Choice[] {
    return this.#choices;
  }

  #collect(folder: ModelFolder, path: string, above: ReadonlySet<ModelNode>): void {
    for (const name of folder.names.keys()) {
      const child = path === '' ? name : `${path}/${name}`;
      const history = folder.historyAt(name, this.#calls);
      if (history.length > 1) this.#add(child, { group: this.#groupOf(child), options: history.length });
      for (const node of history) {
        if (node === null || above.has(node)) continue;
        if (node.kind === 'folder') this.#collect(node, child, new Set([...above, node]));
        else this.#collectFile(node, child);
      }
    }
  }

  /** A file with several names belongs to the group of whichever has one. */
  #collectFile(file: ModelFile, path: string): void {
    const group = this.#groupOf(path);
    const known = this.#indices.get(file);
    if (known !== undefined) {
      const choice = this.#choices[known];
      if (choice !== undefined && choice.group === null) this.#choices[known] = { ...choice, group };
      return;
    }
    const contents = tornContents(file.historyAt(this.#calls));
    this.#contents.set(file, contents);
    if (contents.length > 1) this.#add(file, { group, options: contents.length });
  }

  #add(key: ModelFile | string, choice: Choice): void {
    this.#indices.set(key, this.#choices.length);
    this.#choices.push(choice);
  }

  /** The state that takes this option of each choice. */
  state(picked: readonly number[]): DiskState {
    const found = new Map<string, Buffer | null>();
    this.#fill(found, { folder: this.#model.root, path: '', picked, seen: new Set() });
    return found;
  }

  #fill(
    found: Map<string, Buffer | null>,
    at: {
      readonly folder: ModelFolder;
      readonly path: string;
      readonly picked: readonly number[];
      readonly seen: Set<ModelNode>;
    },
  ): void {
    for (const name of at.folder.names.keys()) {
      const path = at.path === '' ? name : `${at.path}/${name}`;
      const node =
        at.folder.historyAt(name, this.#calls)[at.picked[this.#indices.get(path) ?? -1] ?? 0] ?? null;
      // No file system gives a folder two names.
      if (node === null || at.seen.has(node)) continue;
      if (node.kind === 'file') {
        found.set(
          path,
          this.#contents.get(node)?.[at.picked[this.#indices.get(node) ?? -1] ?? 0] ?? Buffer.alloc(0),
        );
        continue;
      }
      at.seen.add(node);
      found.set(path, null);
      this.#fill(found, { ...at, folder: node, path });
    }
  }
}

/** The unit in which disks write, in bytes; a file system may write less at once, not more. */
const BLOCK_BYTES = 4096;

/**
 * What a file may contain that held the first content for sure and was then written until it held the last one: each
 * content in between, and of the last one, with its whole length, any of: nothing but zeros, blocks that are missing,
 * half a block, bytes of somebody else. Each once, the first content first, the last one last.
 */
function tornContents(history: readonly Buffer[]): readonly Buffer[] {
  const first = history[0] ?? Buffer.alloc(0);
  const last = history.at(-1) ?? first;
  if (history.length === 1) return [first];
  const between = [...history.slice(1, -1), ...tornFrom(first, last)];
  const different = new Map(between.map((content) => [content.toString('latin1'), content]));
  for (const end of [first, last]) different.delete(end.toString('latin1'));
  return [first, ...different.values(), last];
}

function tornFrom(first: Buffer, last: Buffer): readonly Buffer[] {
  const length = last.byteLength;
  const start = changedFrom(first, last);
  const middle = start + Math.ceil((length - start) / 2);
  const aligned = Math.ceil((start + 1) / BLOCK_BYTES) * BLOCK_BYTES;
  const zeroed = (from: number, to: number): Buffer => Buffer.from(last).fill(0, from, to);
  const torn = [
    zeroed(start, length),
    zeroed(middle, length),
    zeroed(start, middle),
    last.subarray(0, middle),
    garbage(last, start),
  ];
  if (aligned >= length) return torn;
  const end = Math.floor((length - 1) / BLOCK_BYTES) * BLOCK_BYTES;
  return [
    ...torn,
    zeroed(start, aligned),
    zeroed(aligned, length),
    zeroed(end, length),
    last.subarray(0, end),
  ];
}

/** Where two contents begin to differ. */
function changedFrom(first: Buffer, last: Buffer): number {
  const common = Math.min(first.byteLength, last.byteLength);
  for (let index = 0; index < common; index += 1) if (first[index] !== last[index]) return index;
  return common;
}

/** What somebody else had written there before. */
function garbage(content: Buffer, start: number): Buffer {
  const changed = Buffer.from(content);
  for (let index = start; index < changed.byteLength; index += 1) changed[index] = (index * 167 + 13) & 0xff;
  return changed;
}

/** Which options to take, over and over: those of a group in every combination, and `count` random ones of all. */
export function* combinations(
  choices: readonly Choice[],
  more: { readonly random: () => number; readonly count: number },
): Generator<readonly number[]> {
  const oldest = choices.map(() => 0);
  const newest = choices.map(({ options }) => options - 1);
  const anything = (): number[] => choices.map(({ options }) => Math.floor(more.random() * options));
  yield oldest;
  yield newest;
  const groups = new Set(choices.map(({ group }, index) => group ?? index));
  for (const group of groups) {
    const members = choices.flatMap((choice, index) => ((choice.group ?? index) === group ? [index] : []));
    for (const own of products(members.map((index) => choices[index]?.options ?? 1))) {
      for (const others of [oldest, newest, anything()]) {
        const picked = [...others];
        for (const [position, index] of members.entries()) picked[index] = own[position] ?? 0;
        yield picked;
      }
    }
  }
  for (let number = 0; number < more.count; number += 1) yield anything();
}

/** Every combination of one number below each limit. */
function* products(limits: readonly number[]): Generator<readonly number[]> {
  const [limit, ...rest] = limits;
  if (limit === undefined) {
    yield [];
    return;
  }
  for (let value = 0; value < limit; value += 1)
    for (const others of products(rest)) yield [value, ...others];
}

/** The same for two states that are the same. */
export function stateKey(state: DiskState): string {
  const hash = createHash('sha256');
  for (const path of [...state.keys()].toSorted()) {
    const content = state.get(path) ?? null;
    hash.update(`${path}\0${content === null ? 'folder' : content.byteLength}\0`);
    if (content !== null) hash.update(digestOf(content));
  }
  return hash.digest('base64');
}

/** States share their contents. */
const DIGESTS = new WeakMap<Buffer, Buffer>();

function digestOf(content: Buffer): Buffer {
  const known = DIGESTS.get(content);
  if (known !== undefined) return known;
  const digest = createHash('sha256').update(content).digest();
  DIGESTS.set(content, digest);
  return digest;
}

/** Makes the state real. `folder` exists and is empty. */
export function materialise(state: DiskState, folder: string): void {
  for (const path of [...state.keys()].toSorted()) {
    const content = state.get(path) ?? null;
    const place = join(folder, path);
    if (content === null) mkdirSync(place, { mode: 0o700 });
    else writeFileSync(place, content, { mode: 0o600 });
  }
}
