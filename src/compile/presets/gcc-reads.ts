import { dirname, resolve } from 'node:path';
import { scanCSource, type CInclude, type CSource } from './c-source.js';
import { resolvedFrom } from '../file-names.js';
import { readFollowing } from './file-text.js';
import { valuesOf, type GccArguments } from './gcc-arguments.js';
import { includeFolders, type SearchedFolders } from './gcc-includes.js';
import { ShadowSearch } from './include-search.js';
import type { Listed, ListingRun } from './preset.js';

export interface GccReadsOptions {
  readonly parsed: GccArguments;
  readonly plusPlus: boolean;
  /** The compiler that is asked for its folders: the program itself, or the host compiler of nvcc. */
  readonly program: string;
  /** Folders that come before the compiler's own and whose files count as its own: those of CUDA. */
  readonly systemFolders: readonly string[];
  /** Neither the working directory nor the output's folder may reach the bytes. */
  readonly relocatable: boolean;
  /** The assembler has named what `.incbin` read. */
  readonly listsIncbin: boolean;
  /** What else speaks against the text of a source; null: nothing. */
  readonly objection: (text: string) => string | null;
}

type Problem = Extract<Listed, { readonly ok: false }>;

/** Goes through the files that a compilation has read: what else decided the result, and what cannot be cached. */
export class GccReads {
  readonly #run: ListingRun;
  readonly #options: GccReadsOptions;
  readonly #files = new Set<string>();
  #absent: readonly string[] = [];
  #problem: Problem | null = null;

  constructor(run: ListingRun, options: GccReadsOptions) {
    this.#run = run;
    this.#options = options;
  }

  get files(): readonly string[] {
    return [...this.#files];
  }

  get absent(): readonly string[] {
    return this.#absent;
  }

  /** Why the result must not be cached, or null. */
  get problem(): Problem | null {
    return this.#problem;
  }

  async add(read: {
    readonly preprocessed: readonly string[];
    readonly assembled: readonly string[];
  }): Promise<void> {
    const { parsed } = this.#options;
    const { cwd } = this.#run.line;
    const searched = await includeFolders(this.#run, this.#options);
    const sources = parsed.sources.map((source) => source.path).filter((path) => path !== '-');
    const listed = [...new Set([...read.preprocessed, ...sources])];
    const search = new ShadowSearch(this.#run.missing, { cwd, ...searched }, listed);
    for (const folder of searched.missing) search.addIfAbsent(folder);
    for (const path of listed) {
      this.#files.add(path);
      if (isBelow(searched.system, resolvedFrom(cwd, path))) search.addRead(path, []);
      else this.#addOwnSource(path, search, listed);
    }
    this.#addNamedByOptions(search);
    this.#addUnexplained(listed, search, searched);
    this.#addAssembled(read.assembled, search, searched);
    this.#checkArguments();
    this.#absent = search.absent;
  }

  #addNamedByOptions(search: ShadowSearch): void {
    const { parsed } = this.#options;
    for (const name of valuesOf(parsed, '-include', '-imacros')) {
      const include = { name, quoted: true, next: false };
      const includer = `${this.#run.line.cwd}/-`;
      search.addDirective(include, includer);
      this.#addPrecompiled(include, includer, search);
    }
  }

  /** True for a source of the command line. */
  #isMain(path: string): boolean {
    return this.#options.parsed.sources.some((main) => main.path === path);
  }

  /** Where no directive that was seen leads, a computed one has led, or one in a form that is not read here. */
  #addUnexplained(listed: readonly string[], search: ShadowSearch, { system }: SearchedFolders): void {
    const { cwd } = this.#run.line;
    const own = listed.filter((path) => !isBelow(system, resolvedFrom(cwd, path)));
    const folders = [...new Set(own.map((path) => dirname(path)))];
    for (const path of own) {
      if (this.#isMain(path) || search.explains(path)) continue;
      search.addRead(path, folders);
      search.addRead(`${path}.gch`, folders);
      this.#addPrecompiled({ name: path, quoted: true, next: false }, `${cwd}/-`, search);
    }
  }

  /** A header that was precompiled is read instead of its text, and no list names it. */
  #addPrecompiled(include: CInclude, includer: string, search: ShadowSearch): void {
    for (const path of search.addPrecompiled(include, includer)) {
      if (search.typeOf(path) === 'file') this.#files.add(path);
      else this.#fail('preset:unlisted-read', `"${path}" may hold any number of precompiled headers`);
    }
  }

  /** The assembler looks in the working directory, then in the folders of -I. */
  #addAssembled(assembled: readonly string[], search: ShadowSearch, searched: SearchedFolders): void {
    for (const path of assembled) {
      this.#files.add(path);
      if (!isBelow(searched.system, resolvedFrom(this.#run.line.cwd, path))) search.addRead(path, ['.']);
    }
  }

  #addOwnSource(path: string, search: ShadowSearch, listed: readonly string[]): void {
    const text = readFollowing(this.#run.files, resolve(this.#run.line.cwd, path));
    if (text === null) {
      this.#fail('preset:unlisted-read', `"${path}" cannot be read`);
      return;
    }
    const source = scanCSource(text);
    const objection = this.#options.objection(text);
    if (objection !== null) this.#fail('preset:unlisted-read', `"${path}": ${objection}`);
    this.#judge(path, source);
    for (const include of source.includes) {
      search.addDirective(include, path);
      if (this.#isMain(path)) this.#addPrecompiled(include, path, search);
    }
    if (source.hasComputedInclude) for (const other of listed) search.addRead(other, [dirname(path)]);
    for (const probe of source.probes) {
      for (const answer of search.addProbe(probe, path)) this.#files.add(answer);
    }
    for (const name of source.lineFiles) this.#addLineFile(name, search);
  }

  /** Messages show lines of the file that a `#line` names. */
  #addLineFile(name: string, search: ShadowSearch): void {
    const { files, line } = this.#run;
    if (name === '' || name.endsWith('/')) return;
    if (readFollowing(files, resolve(line.cwd, name)) === null) search.addIfAbsent(name);
    else this.#files.add(name);
  }

  #judge(path: string, source: CSource): void {
    const clock = this.#run.line.environment['SOURCE_DATE_EPOCH'] === undefined;
    if (source.hasComputedProbe)
      this.#fail('preset:unlisted-read', `"${path}" computes an operand of __has_include`);
    if (source.usesFileTime)
      this.#fail('preset:time-macro', `"${path}" uses the time of a file's last change`);
    if (source.usesTime && clock) {
      this.#fail('preset:time-macro', `"${path}" uses __DATE__ or __TIME__ and SOURCE_DATE_EPOCH is not set`);
    }
    if (source.hasIncbin && !this.#options.listsIncbin && this.#assembles()) {
      this.#fail('preset:unlisted-read', `"${path}" may include a file by .incbin, which nothing lists`);
    }
    if (source.hasDebugDirective && this.#options.relocatable) {
      this.#fail(
        'embeds-path',
        `"${path}" holds .loc or .file, with which the assembler writes the working directory`,
      );
    }
  }

  #assembles(): boolean {
    const { stage } = this.#options.parsed;
    return stage === 'assemble' || stage === 'link';
  }

  /** `-DNOW=__TIME__` */
  #checkArguments(): void {
    const { args, environment } = this.#run.line;
    if (args.some((argument) => argument.includes('__TIMESTAMP__'))) {
      this.#fail('preset:time-macro', 'an argument uses __TIMESTAMP__');
    }
    if (environment['SOURCE_DATE_EPOCH'] !== undefined) return;
    if (args.some((argument) => /__(?:DATE|TIME)__/.test(argument))) {
      this.#fail(
        'preset:time-macro',
        'an argument uses __DATE__ or __TIME__ and SOURCE_DATE_EPOCH is not set',
      );
    }
  }

  /** The first problem is told. */
  #fail(word: Problem['word'], detail: string): void {
    this.#problem ??= { ok: false, word, detail };
  }
}

function isBelow(folders: readonly string[], path: string): boolean {
  return folders.some((folder) => path.startsWith(`${folder}/`));
}
