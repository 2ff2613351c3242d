import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { DiskCall } from './disk-log.js';

/** Number of a call; what was there before the first one is at -1. */
type CallNumber = number;

/** A file: what it contained after each write, and when it was synced. */
export class ModelFile {
  readonly kind = 'file';
  readonly versions: { readonly at: CallNumber; readonly content: Buffer }[] = [];
  readonly syncs: CallNumber[] = [];
  /** Where the next write goes. */
  position = 0;

  get content(): Buffer {
    return this.versions.at(-1)?.content ?? Buffer.alloc(0);
  }

  change(at: CallNumber, content: Buffer): void {
    this.versions.push({ at, content });
  }

  /** What is on the disk for sure after the first `calls` calls, then what was written since, in order. */
  historyAt(calls: number): readonly Buffer[] {
    return since(this.versions, { calls, syncs: this.syncs }).map(
      (version) => version?.content ?? Buffer.alloc(0),
    );
  }
}

export type ModelNode = ModelFile | ModelFolder;

/** A folder: what each name led to after each change, and when the folder was synced. */
export class ModelFolder {
  readonly kind = 'folder';
  readonly names = new Map<string, { readonly at: CallNumber; readonly node: ModelNode | null }[]>();
  readonly syncs: CallNumber[] = [];

  current(name: string): ModelNode | null {
    return this.names.get(name)?.at(-1)?.node ?? null;
  }

  change(at: CallNumber, name: string, node: ModelNode | null): void {
    const changes = this.names.get(name) ?? [];
    changes.push({ at, node });
    this.names.set(name, changes);
  }

  /** What a name leads to for sure after the first `calls` calls, then what it led to since, in order. */
  historyAt(name: string, calls: number): readonly (ModelNode | null)[] {
    const changes = since(this.names.get(name) ?? [], { calls, syncs: this.syncs });
    return changes.map((change) => change?.node ?? null);
  }
}

/** The last change before the last sync, null without one, and those that no sync followed. */
function since<T extends { readonly at: CallNumber }>(
  changes: readonly T[],
  { calls, syncs }: { readonly calls: number; readonly syncs: readonly CallNumber[] },
): readonly (T | null)[] {
  const synced = Math.max(-1, ...syncs.filter((at) => at < calls));
  const safe = changes.findLast(({ at }) => at <= synced) ?? null;
  return [safe, ...changes.filter(({ at }) => at > synced && at < calls)];
}

/** A folder on a disk, with all that it was while the calls of a log were made. */
export class DiskModel {
  readonly root: ModelFolder;
  readonly calls: readonly DiskCall[];

  /** `before`: the folder as it was before the first call; everything in it is on the disk. */
  constructor(before: ModelFolder, calls: readonly DiskCall[]) {
    this.root = before;
    this.calls = calls;
    for (const [at, call] of calls.entries()) this.#apply(at, call);
  }

  #apply(at: CallNumber, call: DiskCall): void {
    switch (call.kind) {
      case 'mark':
        return;
      case 'open':
        this.#open(at, call);
        return;
      case 'make-folder':
        this.#change(at, call.path, new ModelFolder());
        return;
      case 'write':
        write(at, this.#find(call.path), call);
        return;
      case 'truncate': {
        const file = this.#find(call.path);
        if (file?.kind === 'file') file.change(at, resized(file.content, call.bytes));
        return;
      }
      case 'link':
        this.#change(at, call.to, this.#find(call.from));
        return;
      case 'rename': {
        const moved = this.#find(call.from);
        this.#change(at, call.to, moved);
        this.#change(at, call.from, null);
        return;
      }
      case 'remove':
        this.#change(at, call.path, null);
        return;
      case 'sync':
        this.#find(call.path)?.syncs.push(at);
        return;
      case 'sync-all':
        everyNode(this.root, (node) => node.syncs.push(at));
        return;
      default:
        call satisfies never;
    }
  }

  #open(at: CallNumber, { path, truncates }: DiskCall & { readonly kind: 'open' }): void {
    const there = this.#find(path);
    if (there === null) {
      this.#change(at, path, new ModelFile());
      return;
    }
    if (there.kind !== 'file') return;
    there.position = 0;
    if (truncates) there.change(at, Buffer.alloc(0));
  }

  #find(path: string): ModelNode | null {
    let node: ModelNode | null = this.root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      if (node?.kind !== 'folder') return null;
      node = node.current(name);
    }
    return node;
  }

  #change(at: CallNumber, path: string, node: ModelNode | null): void {
    const parent = this.#find(dirname(path) === '.' ? '' : dirname(path));
    if (parent?.kind !== 'folder') throw new Error(`expected a folder above ${path}`);
    parent.change(at, basename(path), node);
  }
}

/** A file that was removed while it is open is written to as well: that changes nothing. */
function write(at: CallNumber, file: ModelNode | null, call: DiskCall & { readonly kind: 'write' }): void {
  if (file?.kind !== 'file') return;
  const { content } = file;
  const start = call.at ?? (call.appends ? content.byteLength : file.position);
  const end = start + call.bytes.byteLength;
  const next = resized(content, Math.max(content.byteLength, end));
  call.bytes.copy(next, start);
  file.change(at, next);
  if (call.at === null) file.position = end;
}

function resized(content: Buffer, bytes: number): Buffer {
  const next = Buffer.alloc(bytes);
  content.copy(next);
  return next;
}

function everyNode(node: ModelNode, visit: (node: ModelNode) => void): void {
  visit(node);
  if (node.kind === 'file') return;
  for (const name of node.names.keys()) {
    const child = node.current(name);
    if (child !== null) everyNode(child, visit);
  }
}

/** A real folder as it is now. */
export function readFolder(path: string): ModelFolder {
  const folder = new ModelFolder();
  for (const name of readdirSync(path)) {
    const child = join(path, name);
    if (lstatSync(child).isDirectory()) {
      folder.change(-1, name, readFolder(child));
      continue;
    }
    const file = new ModelFile();
    file.change(-1, readFileSync(child));
    folder.change(-1, name, file);
  }
  return folder;
}
