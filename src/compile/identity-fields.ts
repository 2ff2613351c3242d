import { errnoOf } from '../model/error.js';
import { digestField, textField, type Digest, type Field } from '../model/fingerprint.js';
import type { FileDigests } from './file-digests.js';
import type { Libraries } from './libraries.js';
import type { FoundPackage } from './package-version.js';

/** Collects the `compiler/…` fields: each name once, whoever brings it. */
export class IdentityFields {
  readonly #digests: FileDigests;
  readonly #libraries: Libraries;
  readonly #libraryPath: string | undefined;
  readonly #fields = new Map<string, Field>();
  /** Path behind each name: a second file of one name gets another name. */
  readonly #paths = new Map<string, string>();
  #unreadable: string | null = null;

  constructor(digests: FileDigests, libraries: Libraries, libraryPath: string | undefined) {
    this.#digests = digests;
    this.#libraries = libraries;
    this.#libraryPath = libraryPath;
  }

  get list(): readonly Field[] {
    return [...this.#fields.values()];
  }

  /** A file of the compiler that may be executed and not read, or null. */
  get unreadable(): string | null {
    return this.#unreadable;
  }

  add(field: Field): void {
    this.#fields.set(field.name, field);
  }

  /** The digest of a program or library and those of the libraries that it loads. */
  addProgram(name: string, path: string): void {
    if (!this.#addFile(name, path)) return;
    for (const library of this.#libraries.of(path, this.#libraryPath)) {
      if (library.path === null) this.add({ name: `compiler/library/${library.name}`, kind: 'absent' });
      else this.#addFile(`library/${library.name}`, library.path);
    }
  }

  addPackage(name: string, found: FoundPackage): void {
    this.#addFile(name, found.path);
    this.add(textField(`compiler/${name}-version`, `${found.name}@${found.version}`));
  }

  /** False when this file stands there already. */
  #addFile(name: string, path: string): boolean {
    let unique = name;
    for (let number = 2; ; number += 1) {
      const known = this.#paths.get(unique);
      if (known === path) return false;
      if (known === undefined) break;
      unique = `${name}#${number}`;
    }
    this.#paths.set(unique, path);
    const digest = this.#digestOf(path);
    this.add(
      digest === null ? { name: `compiler/${unique}`, kind: 'absent' } : digestField(`compiler/${unique}`, digest),
    );
    return true;
  }

  #digestOf(path: string): Digest | null {
    try {
      return this.#digests.digest(path)?.digest ?? null;
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      this.#unreadable ??= path;
      return null;
    }
  }
}
