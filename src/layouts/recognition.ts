import type { DirectoryItem } from '../host/files.js';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';
import type { Layout, Named, Section } from './layout.js';
import { pvfLayout } from './pvf/pvf-layout.js';
import { flatStore, homeTop, sectionAt, vyreLayout } from './vyre/vyre-layout.js';
import { wasixLayout, wasmerLayout } from './wasmer/wasmer-layout.js';
import { wasmtimeLayout, wasmtimeModulesLayout } from './wasmtime/wasmtime-layout.js';

/** A new system is a folder beside this file and a row here. */
const LAYOUTS: readonly Layout[] = [
  vyreLayout,
  wasmtimeLayout,
  wasmtimeModulesLayout,
  pvfLayout,
  wasmerLayout,
  wasixLayout,
];

/** How many items of a folder one layout looks closer at before it takes the folder for none of its own. */
const MAX_CONFIRMATIONS = 32;

/** A layout that has found nothing of its own yet. */
interface Open {
  readonly layout: Layout;
  looks: number;
}

/** A folder of several systems: each layout joins with the first item that it knows for its own. */
class MixedSection implements Section {
  readonly #host: Host;
  readonly #folder: string;
  readonly #known: Section[];
  #open: readonly Open[];

  /** `known` says what the folder is anyway. */
  constructor(host: Host, folder: string, known: Section | null) {
    this.#host = host;
    this.#folder = folder;
    this.#known = known === null ? [] : [known];
    this.#open = LAYOUTS.filter(({ top }) => top !== known).map((layout) => ({ layout, looks: 0 }));
  }

  get isRecognised(): boolean {
    return this.#known.length > 0;
  }

  /** Takes in the layouts that know this item for their own. */
  meet(item: DirectoryItem): void {
    for (const open of this.#open) {
      if (open.layout.suggests(item)) this.#confirm(open, item);
    }
  }

  #confirm(open: Open, item: DirectoryItem): void {
    open.looks += 1;
    const isIts = this.#isIts(open.layout, item);
    if (isIts) this.#known.push(open.layout.top);
    if (isIts || open.looks === MAX_CONFIRMATIONS) this.#open = this.#open.filter((each) => each !== open);
  }

  #isIts(layout: Layout, item: DirectoryItem): boolean {
    try {
      return layout.confirms(this.#host, this.#folder, item);
    } catch (error) {
      // What may not be looked at proves nothing.
      if (errnoOf(error) === null) throw error;
      return false;
    }
  }

  file(name: string): Named | null {
    for (const section of this.#known) {
      const named = section.file(name);
      if (named !== null) return named;
    }
    return this.#joined({ name, type: 'file' }, (section) => section.file(name));
  }

  folder(name: string): Section | 'private' | null {
    for (const section of this.#known) {
      const below = section.folder(name);
      if (below !== null) return below;
    }
    return this.#joined({ name, type: 'directory' }, (section) => section.folder(name));
  }

  /** Asks the layouts that join because of this item. */
  #joined<T>(item: DirectoryItem, ask: (section: Section) => T | null): T | null {
    const before = this.#known.length;
    this.meet(item);
    for (const section of this.#known.slice(before)) {
      const answer = ask(section);
      if (answer !== null) return answer;
    }
    return null;
  }
}

/** What is known of a folder before its items are looked at. */
export type KnownAs =
  /** A home, or a folder with vyre's sections. */
  | 'home'
  /** A flat folder of entries. */
  | 'store'
  /** Whatever was named by the user. */
  | 'root'
  /** Whatever lies in the top of another cache: nobody has named it, so its own name proves nothing. */
  | 'nested';

/**
 * What a folder holds, by its place and the names in it; null when it fits no layout.
 * @throws the errno error when it cannot be read.
 */
export function recognise(host: Host, folder: string, as: KnownAs): Section | null {
  if (as === 'home') return new MixedSection(host, folder, homeTop);
  if (as === 'store') return new MixedSection(host, folder, flatStore);
  const mixed = new MixedSection(host, folder, null);
  host.files.scanDirectory(folder, (item) => {
    mixed.meet(item);
    return !mixed.isRecognised;
  });
  if (mixed.isRecognised) return mixed;
  return as === 'root' ? sectionAt(host, folder) : null;
}
