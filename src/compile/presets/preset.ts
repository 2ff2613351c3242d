import type { Captured } from '../../host/processes.js';
import type { Files } from '../../host/files.js';
import type { Uncacheable } from '../../model/lifecycle.js';
import type { MissingPaths } from './missing-paths.js';

/** A command as a person would run it without us: placeholders replaced by the paths that were given. */
export interface CommandLine {
  /** The program as it was typed, argument 0. */
  readonly typed: string;
  /** Absolute path of the program that was found, links not resolved. */
  readonly program: string;
  /** The arguments without the program. */
  readonly args: readonly string[];
  /** As given, relative to `cwd` or absolute. */
  readonly inputs: readonly string[];
  /** As given, in the order of `{output:N}`. */
  readonly outputs: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  /** What the compiler gets besides HOME and TMPDIR. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What a preset knows about one command line. */
export interface Facts {
  /**
   * True when, with these arguments, neither the working directory nor the folder of an output can reach the bytes of
   * any output or stream. When in doubt: false.
   */
  readonly relocatable: boolean;
  /** Files that these arguments write besides those that an argument names as an output, relative to `cwd` or absolute. */
  readonly furtherOutputs: readonly string[];
  /** Set when a result of this command line must not be cached. */
  readonly uncacheable: { readonly word: Uncacheable; readonly detail: string } | null;
  /** True when the bytes depend on the processor of this machine (`-march=native`). */
  readonly machineModel: boolean;
  /** True when the bytes depend on the GPU of this machine (`nvcc -arch=native`). */
  readonly gpuModel?: boolean;
}

/** What a finished compilation has read. */
export type Listed =
  | {
      readonly ok: true;
      /** As the compiler named them: relative to `cwd` or absolute. Inputs may be among them. */
      readonly files: readonly string[];
      /**
       * Paths where nothing lies, not even a folder, and where a file would have been read if it did (an earlier folder
       * of the include path). A missing folder stands for everything below it.
       */
      readonly absent: readonly string[];
    }
  | { readonly ok: false; readonly word: Uncacheable; readonly detail: string };

export interface ListingRun {
  readonly line: CommandLine;
  /** The file that {@link Listing.augment} asked for. */
  readonly listPath: string;
  /** Paths in here are the compilation's own temporary files. */
  readonly workerDirectory: string;
  readonly files: Files;
  /** What earlier compilations of this process have found missing. */
  readonly missing: MissingPaths;
  /** Runs a program in the folder and environment of the compilation. The first element is the program. */
  capture(argv: readonly string[]): Promise<Captured>;
  /** As `capture`, for questions whose answer stays while the files of `dependsOn` do (`DelegateContext.memoised`). */
  memoised?(argv: readonly string[], dependsOn: readonly string[]): Promise<Captured>;
}

/** How a compiler is made to say what it read. */
export interface Listing {
  /**
   * The arguments with what makes the compiler write its list. `args` may hold other output paths than the command
   * line does. Must not change a byte of any output or stream.
   */
  augment(args: readonly string[], listPath: string): readonly string[];
  /** Called after a successful run only. */
  collect(run: ListingRun): Promise<Listed>;
  /**
   * Called after a failed run: whatever may have decided that it fails, or why that is not known. Absent: what a failed
   * run has read is never known.
   */
  collectFailed?(run: FailedRun): Promise<Listed>;
}

/** A run that has failed. Questions to the compiler have seconds only: what has hung once may hang again. */
export interface FailedRun extends ListingRun {
  /** False when a signal or a limit ended it. */
  readonly endedByItself: boolean;
  /** What it printed, both streams. */
  readonly said: string;
}

/** A program that a compiler starts or loads, and its name in the fingerprint (`compiler/<name>`). */
export interface Delegate {
  readonly name: string;
  /** Absolute path. */
  readonly path: string;
}

export interface DelegateContext {
  readonly line: CommandLine;
  readonly files: Files;
  /** Runs a program in the folder and environment of the request; memoised as long as `dependsOn` stays as it is. */
  memoised(argv: readonly string[], dependsOn: readonly string[]): Promise<Captured>;
}

/** Which commands have the same facts, delegates and kind of listing. */
export interface Likeness {
  /** The end of a file's name, where nothing else of it counts; null for a name that counts as a whole. */
  readonly endingOf: (name: string) => string | null;
  /** True where names that begin with these characters stand at places only where their endings decide all. */
  readonly isIndifferent: (line: CommandLine, beginning: string) => boolean;
}

/** The facts about one compiler. */
export interface Preset {
  readonly name: string;
  /** True for the base name of a program this preset knows: `gcc`, `gcc-12`, `x86_64-linux-gnu-gcc`. */
  matches(baseName: string): boolean;
  facts(line: CommandLine): Facts;
  /** Set where commands that differ in the names of their files only are nearly always treated alike. */
  readonly likeness?: Likeness;
  /** Programs and files that the compiler starts or loads by itself and that belong to its identity. */
  delegates(context: DelegateContext): Promise<readonly Delegate[]>;
  /** Arguments of the program that print its version, for programs that are scripts or proxies; null where the files say it all. */
  readonly versionArgs: readonly string[] | null;
  /** Variables of the caller that the compiler gets and that become fields, if they are set. */
  readonly environment: readonly string[];
  /** True when a failed run at the real places leaves old outputs as they were; false where it may remove them. */
  keepsOldOutputs(line: CommandLine): boolean;
  /** What the compiler says when the machine has failed and not the source, besides what `classify` knows. */
  readonly transientWords: readonly string[];
  /** Null when these arguments read nothing but the inputs. */
  listing(line: CommandLine): Listing | null;
}
