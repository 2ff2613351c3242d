import type { DirectoryItem } from '../host/files.js';
import type { Host } from '../host/host.js';
import { formatNumber } from '../layouts/formats.js';
import { partName } from '../layouts/examination.js';
import type { Format, LayoutName, LitterRule, NamedPart, Section } from '../layouts/layout.js';
import { recognise, type KnownAs } from '../layouts/recognition.js';
import { HomePaths, STORE_FOLDER } from '../layouts/vyre/home-paths.js';
import { storeSection } from '../layouts/vyre/vyre-layout.js';
import { HEX_LENGTH } from '../model/fingerprint.js';
import { errnoOf } from '../model/error.js';
import { rootKind, type RootKind } from '../store/home.js';
import { ArtifactTable } from './artifact-table.js';
import { StemIndex } from './stem-index.js';

/** A folder in which artifacts lie. */
export interface Place {
  /** Absolute. */
  readonly path: string;
  /** Below the root, empty for the root itself. */
  readonly relative: string;
  /** The root of the home that the folder belongs to; null outside of homes. */
  readonly home: string | null;
}

/** A temporary file of a known writer. */
export interface LitterFile {
  readonly place: number;
  readonly name: string;
  readonly rule: LitterRule;
}

export interface UnreadableFolder {
  /** Below the root. */
  readonly relative: string;
  readonly errno: string;
}

/** What lies below a root, by places and names alone: no file was looked at. */
export interface Inventory {
  readonly places: readonly Place[];
  /** An artifact a row. */
  readonly artifacts: ArtifactTable;
  readonly litter: readonly LitterFile[];
  /** Files that no layout knows. */
  readonly aliens: number;
  readonly unreadable: readonly UnreadableFolder[];
  /** The homes among what was seen, the root first where it is one. */
  readonly homes: readonly string[];
}

/** Below this many artifacts one thread is done before another one has started. */
export const MANY_ARTIFACTS = 4096;
/** What a folder of as many names of vyre's occupies on most file systems. */
const BYTES_PER_NAME = 128;
const LARGE_FOLDER_BYTES = BYTES_PER_NAME * MANY_ARTIFACTS;

export interface InventoryOptions {
  /** The layouts whose artifacts and litter are wanted; null: all. */
  readonly layouts: readonly LayoutName[] | null;
  /** False: folders that no layout knows are not entered, and their files not counted. */
  readonly countsAliens: boolean;
  /** Ends the listing between two folders. */
  readonly signal?: AbortSignal | null;
  /** Called before a folder is listed that seems to hold {@link MANY_ARTIFACTS}. It may hold none. */
  readonly onLargeFolder?: () => void;
  /** Called whenever there are {@link MANY_ARTIFACTS} more. */
  readonly onMany?: (listed: Rows) => void;
}

/** An artifact by its place and name. */
export interface NamedArtifact {
  readonly format: Format;
  readonly stem: string;
  /** Absolute. */
  readonly folder: string;
  readonly home: string | null;
}

/** The artifacts of an inventory, with the folders in which they lie. */
export type Rows = Pick<Inventory, 'artifacts' | 'places'>;

export function artifactAt({ artifacts, places }: Rows, row: number): NamedArtifact {
  const place = places[artifacts.place(row)];
  if (place === undefined) throw new Error(`there is no place of artifact ${row}`);
  return new TableArtifact(artifacts, row, place);
}

/** Its name becomes text when somebody asks for it: many runs never do. */
class TableArtifact implements NamedArtifact {
  readonly format: Format;
  readonly folder: string;
  readonly home: string | null;
  readonly #artifacts: ArtifactTable;
  readonly #row: number;
  #stem: string | null = null;

  constructor(artifacts: ArtifactTable, row: number, { path, home }: Place) {
    this.format = artifacts.format(row);
    this.folder = path;
    this.home = home;
    this.#artifacts = artifacts;
    this.#row = row;
  }

  get stem(): string {
    this.#stem ??= this.#artifacts.stem(this.#row);
    return this.#stem;
  }
}

/** Below the root: the first part that is there, else the first one. */
export function pathOf({ artifacts, places }: Rows, row: number): string {
  const format = artifacts.format(row);
  const present = artifacts.present(row);
  // The lowest bit that is set.
  const first = present === 0 ? 0 : 31 - Math.clz32(present & -present);
  return below(places[artifacts.place(row)]?.relative ?? '', partName(format, first, artifacts.stem(row)));
}

export function below(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

const ALIEN_SECTION: Section = { file: () => null, folder: () => ALIEN_SECTION };

/** What stands for a byte in a name that is not UTF-8: such a name cannot be asked for. */
const NOT_UTF8 = '\uFFFD';

interface Visit {
  readonly segments: readonly string[];
  readonly section: Section;
  readonly home: string | null;
  /** The top of a cache: a folder in it that its layouts do not know may be a cache of its own. */
  readonly isTop: boolean;
}

/** Lists a root. Follows no link; what appears or vanishes meanwhile may be listed or not. */
export async function takeInventory(host: Host, root: string, options: InventoryOptions): Promise<Inventory> {
  const lister = new Lister(host, root, options);
  await lister.run();
  return lister;
}

/** Lists nothing but the store of a home. */
export async function takeStoreInventory(
  host: Host,
  home: string,
  options: Pick<InventoryOptions, 'signal' | 'onLargeFolder'>,
): Promise<Inventory> {
  const lister = new Lister(host, home, { layouts: null, countsAliens: false, ...options });
  await lister.runStore();
  return lister;
}

class Lister implements Inventory {
  readonly places: Place[] = [];
  readonly artifacts = new ArtifactTable();
  readonly litter: LitterFile[] = [];
  readonly unreadable: UnreadableFolder[] = [];
  readonly homes: string[] = [];
  aliens = 0;
  readonly #host: Host;
  readonly #root: string;
  readonly #options: InventoryOptions;
  readonly #waiting: Visit[] = [];
  readonly #seed: number;
  /** Early for the first time: V8 takes what was never done for what will not be, and compiles all anew when it is. */
  #nextLook = 256;

  constructor(host: Host, root: string, options: InventoryOptions) {
    this.#host = host;
    this.#root = root;
    this.#options = options;
    this.#seed = Number.parseInt(host.random.hex(4), 16);
  }

  async run(): Promise<void> {
    this.#pushTop([]);
    await this.#listAll();
  }

  async runStore(): Promise<void> {
    this.#push({ segments: [STORE_FOLDER], section: storeSection, home: this.#root, isTop: false });
    await this.#listAll();
  }

  async #listAll(): Promise<void> {
    for (let visit = this.#waiting.pop(); visit !== undefined; visit = this.#waiting.pop()) {
      if (this.#options.signal?.aborted === true) return;
      await this.#host.clock.breathe();
      this.#list(visit);
    }
  }

  #absolute(segments: readonly string[]): string {
    return segments.length === 0 ? this.#root : `${this.#root}/${segments.join('/')}`;
  }

  /** A folder that may be a cache: the root, or one in the top of another cache. */
  #pushTop(segments: readonly string[]): void {
    const path = this.#absolute(segments);
    try {
      const isRoot = segments.length === 0;
      const kind = rootKind(this.#host, new HomePaths(path));
      // What a newer version wrote it may lock in another way: whoever wants it has to name it.
      const isNewer = kind === 'newer-home' && !isRoot;
      const section = isNewer ? null : recognise(this.#host, path, knownAs(kind, isRoot));
      if (section === null) {
        this.#push({ segments, section: ALIEN_SECTION, home: null, isTop: false });
        return;
      }
      if (kind === 'home') this.homes.push(path);
      this.#push({ segments, section, home: kind === 'home' ? path : null, isTop: true });
    } catch (error) {
      // A folder that nobody knows, such as `lost+found`: who counts no aliens has nothing to look for in it.
      if (segments.length > 0 && !this.#options.countsAliens && errnoOf(error) !== null) return;
      this.#noteUnreadable(segments, error);
    }
  }

  #push(visit: Visit): void {
    if (visit.section === ALIEN_SECTION && !this.#options.countsAliens) return;
    this.#waiting.push(visit);
  }

  #list(visit: Visit): void {
    const path = this.#absolute(visit.segments);
    try {
      const { files } = this.#host;
      const bytes = files.lstat(path)?.bytes ?? 0;
      if (bytes >= LARGE_FOLDER_BYTES) this.#options.onLargeFolder?.();
      const folder = new ListedFolder(this, visit, {
        path,
        seed: this.#seed,
        expected: bytes / BYTES_PER_NAME,
      });
      const hexFormat = visit.section.hexFormat ?? null;
      const hex = hexFormat !== null && this.#isWanted(hexFormat.layout) ? hexFormat : null;
      files.scanDirectory(path, (item) => {
        if (hex !== null && item.type === 'file' && folder.markHex(item.name, hex)) this.#tellOfMany();
        else this.#item(visit, folder, item);
        return true;
      });
    } catch (error) {
      // Among aliens, a path that is too long to be asked for is no more than one of them.
      if (visit.section === ALIEN_SECTION && errnoOf(error) === 'ENAMETOOLONG') this.aliens += 1;
      else this.#noteUnreadable(visit.segments, error);
    }
  }

  #noteUnreadable(segments: readonly string[], error: unknown): void {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    if (errno !== 'ENOENT') this.unreadable.push({ relative: segments.join('/'), errno });
  }

  #item(visit: Visit, folder: ListedFolder, { name, type }: DirectoryItem): void {
    if (name.includes(NOT_UTF8)) {
      this.aliens += 1;
      return;
    }
    const named = visit.section.file(name);
    if (named?.kind === 'part' && (type !== 'directory' || named.format.isLockedByFingerprint))
      this.#part(folder, named, type === 'file');
    else if (type === 'directory') this.#folder(visit, name);
    else if (named?.kind === 'litter' && type === 'file') this.#litter(folder, name, named.rule);
    else if (named?.kind !== 'private') this.aliens += 1;
  }

  #part(folder: ListedFolder, named: NamedPart, isRegular: boolean): void {
    // Where every name is a part, a link or a pipe is nobody's artifact in disguise.
    if (!isRegular && !named.format.isPrunable) this.aliens += 1;
    else if (this.#isWanted(named.format.layout)) {
      folder.mark(named, isRegular);
      this.#tellOfMany();
    }
  }

  #tellOfMany(): void {
    if (this.artifacts.count >= this.#nextLook) this.#look();
  }

  #look(): void {
    const { count } = this.artifacts;
    if (count >= MANY_ARTIFACTS) this.#options.onMany?.(this);
    this.#nextLook = count - (count % MANY_ARTIFACTS) + MANY_ARTIFACTS;
  }

  #litter(folder: ListedFolder, name: string, rule: LitterRule): void {
    this.litter.push({ place: folder.place, name, rule });
  }

  #isWanted(layout: LayoutName): boolean {
    const { layouts } = this.#options;
    return layouts === null || layouts.includes(layout);
  }

  #folder(visit: Visit, name: string): void {
    const segments = [...visit.segments, name];
    const section = visit.section.folder(name);
    if (section === 'private') return;
    if (section === null && visit.isTop) this.#pushTop(segments);
    else this.#push({ segments, section: section ?? ALIEN_SECTION, home: visit.home, isTop: false });
  }
}

function knownAs(kind: RootKind, isRoot: boolean): KnownAs {
  if (kind === 'home' || kind === 'newer-home') return 'home';
  if (!isRoot) return 'nested';
  if (kind === 'sections') return 'home';
  return kind === 'store' ? 'store' : 'root';
}

/** A folder while it is listed. Becomes a place with the first thing that is found in it. */
class ListedFolder {
  readonly #inventory: { readonly places: Place[]; readonly artifacts: ArtifactTable };
  readonly #visit: Visit;
  readonly #path: string;
  readonly #names: { readonly seed: number; readonly expected: number };
  #place: number | null = null;
  #index: StemIndex | null = null;

  constructor(
    inventory: { readonly places: Place[]; readonly artifacts: ArtifactTable },
    visit: Visit,
    { path, ...names }: { readonly path: string; readonly seed: number; readonly expected: number },
  ) {
    this.#inventory = inventory;
    this.#visit = visit;
    this.#path = path;
    this.#names = names;
  }

  get place(): number {
    if (this.#place === null) {
      const { segments, home } = this.#visit;
      this.#place = this.#inventory.places.length;
      this.#inventory.places.push({ path: this.#path, relative: segments.join('/'), home });
    }
    return this.#place;
  }

  mark(named: NamedPart, isRegular: boolean): void {
    this.#index ??= new StemIndex(this.#inventory.artifacts, this.place, this.#names);
    this.#inventory.artifacts.mark(this.#index.row(named), named.part, isRegular);
  }

  /** The same for a regular file that is named after 64 hex digits. @returns false for any other name. */
  markHex(name: string, format: Format): boolean {
    const part = partAfter(HEX_LENGTH, name, format);
    if (part < 0 || this.#index === null) return false;
    const row = this.#index.hexRow(name, HEX_LENGTH, formatNumber(format));
    if (row < 0) return false;
    this.#inventory.artifacts.mark(row, part, true);
    return true;
  }
}

/** The part of a format whose suffix a name has after so many characters; -1 where it has none. */
function partAfter(length: number, name: string, { parts }: Format): number {
  for (let part = 0; part < parts.length; part += 1) {
    const suffix = parts[part]?.suffix ?? '';
    if (name.length === length + suffix.length && name.endsWith(suffix)) return part;
  }
  return -1;
}
