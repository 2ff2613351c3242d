import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Kept {
  /** Null: a folder. */
  readonly content: Buffer | null;
  readonly mode: number;
}

/** Some folders with all that is in them, to be put back after each damage. */
export class HomeImage {
  readonly #folders: readonly string[];
  readonly #kept = new Map<string, Kept>();

  constructor(folders: readonly string[]) {
    this.#folders = folders;
    for (const folder of folders) this.#keep(folder);
  }

  #keep(path: string): void {
    const stat = lstatSync(path);
    const mode = stat.mode & 0o7777;
    if (!stat.isDirectory()) {
      this.#kept.set(path, { content: readFileSync(path), mode });
      return;
    }
    this.#kept.set(path, { content: null, mode });
    for (const name of readdirSync(path)) this.#keep(join(path, name));
  }

  /** Every file, with its content. */
  files(): readonly (readonly [path: string, content: Buffer])[] {
    return [...this.#kept].flatMap(([path, { content }]) =>
      content === null ? [] : [[path, content] as const],
    );
  }

  restore(): void {
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
    for (const [path, { content, mode }] of this.#kept) {
      if (content === null) mkdirSync(path, { mode });
      else writeFileSync(path, content, { mode });
      chmodSync(path, mode);
    }
  }
}
