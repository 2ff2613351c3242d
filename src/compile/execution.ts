import { basename, join } from 'node:path';
import { lstatOrNull, withFile, type DirectoryItem, type FileStat } from '../host/files.js';
import { readRegularFile } from '../host/regular-file.js';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';
import type { Fingerprint } from '../model/fingerprint.js';
import type { Uncacheable } from '../model/lifecycle.js';
import { ACTIVE_VARIABLE } from '../model/lifecycle.js';
import { activeMark, WORKER_FOLDERS, type WorkerDirectory } from '../store/worker-directory.js';
import { sameState } from './file-state.js';
import { expand, namesDepfile } from './placeholders.js';
import type { Plan } from './plan.js';
import { lineOf } from './planned-command.js';
import { missingPathsOf } from './presets/missing-paths.js';
import type { FailedRun, Listed, Listing, ListingRun } from './presets/preset.js';
import type { CompileOptions } from './request.js';
import { run, type RunRequest, type RunResult } from './runner.js';

/**
 * Where a compilation happens.
 * - `worker`: outputs, HOME and TMPDIR in the worker directory.
 * - `place`: outputs at their real places, HOME and TMPDIR in the worker directory.
 * - `caller`: outputs at their real places, the caller's HOME and TMPDIR; nothing of ours is touched.
 */
export type Setting =
  | { readonly mode: 'worker' | 'place'; readonly worker: WorkerDirectory; readonly primary: Fingerprint }
  | { readonly mode: 'caller' };

/** An output as the compiler left it. */
export interface MadeOutput {
  /** Where it lies now. */
  readonly path: string;
  /** Null when the compiler did not write it, or it cannot be looked at. */
  readonly stat: FileStat | null;
  /** It may be there, and cannot be looked at. */
  readonly isUnseen: boolean;
  /** A regular file that this user may read. */
  readonly isUsable: boolean;
}

export interface Execution {
  readonly run: RunResult;
  readonly outputs: readonly MadeOutput[];
  /** What the compiler says that it read; null where it is not asked. */
  readonly listed: Listed | null;
  /** The list that the command itself asked for with `{depfile}`; null where it did not or nothing was written. */
  readonly depfile: Buffer | null;
  /** When it began, by the clock of the home's file system; 0 where nobody can tell. */
  readonly startedMs: number;
}

export interface ExecutionRequest {
  readonly plan: Plan;
  readonly options: CompileOptions;
  readonly setting: Setting;
  readonly onOverflow: RunRequest['onOverflow'];
  /** True when it is worth asking what a failed run has read. Absent: it never is. */
  readonly asksAfterFailure?: (result: RunResult) => boolean;
  /** Asks the compiler what does not change between compilations. */
  readonly memoised: NonNullable<ListingRun['memoised']>;
}

/** In a worker directory, beside its folders. */
const LIST_NAME = 'read';
const DEPFILE_NAME = 'depfile';
const STDOUT_NAME = 'stdout';

/** @throws CacheError when the program cannot be started; errno errors of the worker directory's file system. */
export async function execute(host: Host, request: ExecutionRequest): Promise<Execution> {
  const { plan, setting } = request;
  const layout = layoutOf(plan, setting);
  makeFolders(host, layout, setting);
  const before = plan.outputs.map((output) => lstatOrNull(host.files, output.path));
  const worker = setting.mode === 'caller' ? null : setting.worker;
  // Asked before the compiler runs: what it writes in there changes these times as well.
  const startedMs = worker === null ? 0 : (lstatOrNull(host.files, worker.path)?.ctimeMs ?? 0);
  const listing = worker === null ? null : (plan.preset?.listing(lineOf(plan)) ?? null);
  const result = await withStdoutFile(host, layout, async (stdoutFd) =>
    run(host, runRequest(request, { layout, listing, stdoutFd })),
  );
  const outputs = layout.outputs.map((path, index) => {
    const old = path === plan.outputs[index]?.path ? (before[index] ?? null) : null;
    return lookAtOutput(host, path, old);
  });
  const listed =
    listing !== null && worker !== null
      ? await collect(host, { layout, listing, worker, request, result })
      : null;
  return { run: result, outputs, listed, depfile: readDepfile(host, plan, layout), startedMs };
}

/** @param old what lay there before; null where it is of no account. */
function lookAtOutput(host: Host, path: string, old: FileStat | null): MadeOutput {
  let stat: FileStat | null;
  try {
    stat = host.files.lstat(path);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return { path, stat: null, isUnseen: true, isUsable: false };
  }
  const isOld = stat !== null && old !== null && sameState(stat, old);
  const isUsable = !isOld && stat?.type === 'file' && isReadable(host, path);
  return { path, stat: isOld ? null : stat, isUnseen: false, isUsable };
}

function isReadable(host: Host, path: string): boolean {
  try {
    return withFile(host.files, { path, flags: 'read' }, () => true);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return false;
  }
}

export function succeeded(result: RunResult): boolean {
  return typeof result.end === 'object' && result.end.status === 0;
}

/** The real paths of one compilation. */
interface Layout {
  readonly outputs: readonly string[];
  readonly home: string | null;
  readonly folders: readonly string[];
  readonly listPath: string | null;
  readonly depfile: string;
  /** The file that takes stdout; null when stdout is no output. */
  readonly stdout: string | null;
}

function layoutOf(plan: Plan, setting: Setting): Layout {
  const stdoutIndex = plan.outputs.findIndex((output) => output.isStdout);
  if (setting.mode === 'caller') {
    const outputs = plan.outputs.map((output) => output.path);
    const stdout = outputs[stdoutIndex] ?? null;
    return { outputs, home: null, folders: [], listPath: null, depfile: '/dev/null', stdout };
  }
  const root = setting.worker.path;
  const home = join(root, WORKER_FOLDERS.home);
  const outputFolder = join(root, WORKER_FOLDERS.outputs);
  const folders = setting.worker.isHandedOn ? [] : [outputFolder, home];
  const taken = new Set<string>();
  const outputs = plan.outputs.map((output, index) => {
    if (output.isStdout) return join(root, STDOUT_NAME);
    if (setting.mode === 'place') return output.path;
    const name = basename(output.name);
    if (!taken.has(name)) {
      taken.add(name);
      return join(outputFolder, name);
    }
    const folder = join(outputFolder, freeName(plan, String(index + 1)));
    folders.push(folder);
    return join(folder, name);
  });
  const stdout = outputs[stdoutIndex] ?? null;
  return {
    outputs,
    home,
    folders,
    listPath: join(root, LIST_NAME),
    depfile: join(root, DEPFILE_NAME),
    stdout,
  };
}

/** A name that no output has. */
function freeName(plan: Plan, wanted: string): string {
  const isTaken = plan.outputs.some((output) => basename(output.name) === wanted);
  return isTaken ? freeName(plan, `${wanted}_`) : wanted;
}

function makeFolders(host: Host, layout: Layout, setting: Setting): void {
  if (setting.mode === 'caller') return;
  for (const folder of layout.folders) host.files.makeDirectory(folder);
}

async function withStdoutFile<T>(
  host: Host,
  layout: Layout,
  work: (fd: number | null) => Promise<T>,
): Promise<T> {
  if (layout.stdout === null) return work(null);
  const fd = host.files.open(layout.stdout, 'deliver', 0o666);
  try {
    return await work(fd);
  } finally {
    host.files.close(fd);
  }
}

function runRequest(
  request: ExecutionRequest,
  made: { readonly layout: Layout; readonly listing: Listing | null; readonly stdoutFd: number | null },
): RunRequest {
  const { plan, options, setting } = request;
  const { layout, listing, stdoutFd } = made;
  const args = commandArguments(plan, layout);
  const mark = setting.mode === 'caller' ? null : activeMark(setting.primary, setting.worker.random);
  return {
    spawn: {
      program: plan.program.path,
      argv0: plan.command.typed,
      args: listing === null || layout.listPath === null ? args : listing.augment(args, layout.listPath),
      cwd: plan.request.cwd,
      environment: environmentOf(plan, layout.home, mark),
    },
    mark,
    timeoutMs: options.timeoutMs,
    memoryBytes: options.memoryBytes,
    stdoutFd,
    signal: options.signal ?? null,
    onStarted: (pid) => {
      if (setting.mode !== 'caller') setting.worker.recordGroup(pid);
    },
    onOverflow: request.onOverflow,
  };
}

function commandArguments(plan: Plan, layout: Layout): readonly string[] {
  const { request } = plan;
  const counts = { inputs: request.inputs.length, outputs: request.outputs.length };
  return expand(plan.templates, counts, {
    input: (index) => request.inputs[index] ?? '',
    // A real place is named as it was given: some compilers write the name of their output into it.
    output: (index) => {
      const path = layout.outputs[index] ?? '';
      const output = plan.outputs[index];
      return path === output?.path ? output.name : path;
    },
    depfile: () => layout.depfile,
    text: (text) => text,
  });
}

/** The declared environment; HOME and TMPDIR are the worker directory's, or the caller's. */
function environmentOf(
  plan: Plan,
  home: string | null,
  mark: string | null,
): Readonly<Record<string, string>> {
  const caller = plan.request.environment;
  const variables: Record<string, string> = { ...plan.environment.variables };
  for (const name of plan.environment.workerVariables) {
    const value = home ?? caller[name];
    if (value !== undefined) variables[name] = value;
  }
  const marks = [caller[ACTIVE_VARIABLE], mark].filter(Boolean);
  if (marks.length > 0) variables[ACTIVE_VARIABLE] = marks.join(':');
  return variables;
}

async function collect(
  host: Host,
  made: {
    readonly layout: Layout;
    readonly listing: Listing;
    readonly worker: WorkerDirectory;
    readonly request: ExecutionRequest;
    readonly result: RunResult;
  },
): Promise<Listed | null> {
  const { layout, listing, worker, result, request } = made;
  const { plan, options, memoised } = request;
  const isSuccess = succeeded(result);
  if (!isSuccess && request.asksAfterFailure?.(result) !== true) return null;
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const timeoutMs = isSuccess ? LIST_TIMEOUT_MS : FAILED_LIST_TIMEOUT_MS;
  const environment = environmentOf(plan, layout.home, null);
  const listingRun: ListingRun = {
    line: lineOf(plan),
    listPath: layout.listPath ?? '',
    workerDirectory: worker.path,
    files: host.files,
    missing: missingPathsOf(host),
    memoised,
    capture: async (argv) => {
      const [program = '', ...args] = argv;
      return host.processes.capture(
        { program, argv0: program, args, cwd: plan.request.cwd, environment },
        { maxBytes: MAX_LIST_BYTES, timeoutMs, ...signal },
      );
    },
  };
  return isSuccess
    ? listing.collect(listingRun)
    : collectFailed(listing, { ...listingRun, ...saidBy(result) });
}

/** What a run printed, and whether it ended by itself. */
function saidBy({ end, stdout, stderr }: RunResult): Pick<FailedRun, 'endedByItself' | 'said'> {
  const said = `${stdout.toString('latin1')}\n${stderr.toString('latin1')}`;
  return { endedByItself: typeof end === 'object' && end.signal === null, said };
}

async function collectFailed(listing: Listing, failed: FailedRun): Promise<Listed> {
  const unknown: Listed = { ok: false, word: 'preset:unlisted-read', detail: 'a failed run lists nothing' };
  return (await listing.collectFailed?.(failed)) ?? unknown;
}

function readDepfile(host: Host, plan: Plan, layout: Layout): Buffer | null {
  if (!namesDepfile(plan.templates) || layout.listPath === null) return null;
  const read = readRegularFile(host.files, layout.depfile, MAX_LIST_BYTES);
  return read.ok ? read.bytes : null;
}

/** Lists of what was read: a few thousand names at most. */
const MAX_LIST_BYTES = 67_108_864;
const LIST_TIMEOUT_MS = 600_000;
/** A preprocessor takes seconds at most; what has failed may have hung, and its memory costs a compilation at most. */
const FAILED_LIST_TIMEOUT_MS = 10_000;

/**
 * What speaks against keeping the result of a successful execution; null when nothing does. `embeds-path` asks for a
 * repetition in the caller's setting.
 */
export function judgeExecution(
  host: Host,
  execution: Execution,
  worker: WorkerDirectory,
): Uncacheable | null {
  if (execution.run.lingering) return 'irregular-output';
  if (execution.outputs.some((output) => !output.isUsable)) return 'irregular-output';
  if (leftovers(host, execution, worker) || embeds(host, execution, worker)) return 'embeds-path';
  return null;
}

/** True when a file lies in the worker directory that nobody declared, or a folder that cannot be looked into. */
export function leftovers(host: Host, execution: Execution, worker: WorkerDirectory): boolean {
  const declared = new Set(execution.outputs.map((output) => output.path));
  return Object.values(WORKER_FOLDERS).some((name) => holdsStranger(host, join(worker.path, name), declared));
}

function holdsStranger(host: Host, folder: string, declared: ReadonlySet<string>): boolean {
  const items = readFolder(host, folder);
  if (items === null) return true;
  return items.some((item) => {
    const path = join(folder, item.name);
    return item.type === 'directory' ? holdsStranger(host, path, declared) : !declared.has(path);
  });
}

/**
 * Null for what a compiler can bring about: a name that is not UTF-8, or a folder that it closed or removed. Looked at
 * twice, since that is remembered of the request for good.
 * @throws the errno error of a disk or a system in trouble.
 */
function readFolder(host: Host, folder: string): readonly DirectoryItem[] | null {
  for (let look = 0; look < FOLDER_LOOKS; look += 1) {
    try {
      return host.files.readDirectory(folder);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null || TROUBLES_OF_SYSTEMS.has(errno)) throw error;
    }
  }
  return null;
}

const FOLDER_LOOKS = 2;
const TROUBLES_OF_SYSTEMS: ReadonlySet<string> = new Set([
  'EIO',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'EINTR',
  'ESTALE',
]);

/**
 * True when an output or a stream tells of the worker directory. Its random name is looked for: it stands in every
 * form of the path, escaped, relative or cut.
 */
export function embeds(host: Host, execution: Execution, worker: WorkerDirectory): boolean {
  const needle = Buffer.from(worker.random, 'latin1');
  if (execution.run.stdout.includes(needle) || execution.run.stderr.includes(needle)) return true;
  return execution.outputs.some(
    ({ isUsable, path, stat }) => isUsable && fileContains(host, { path, bytes: stat?.bytes ?? 0 }, needle),
  );
}

const SCAN_BYTES = 1_048_576;

function fileContains(
  host: Host,
  { path, bytes }: { readonly path: string; readonly bytes: number },
  needle: Buffer,
): boolean {
  const { files } = host;
  // One byte more than the file should have shows its end; longer than the needle, so that each step goes on.
  const length = Math.min(SCAN_BYTES, Math.max(bytes + 1, 2 * needle.byteLength));
  const buffer = Buffer.allocUnsafe(length);
  return withFile(files, { path, flags: 'read' }, (fd) => {
    for (let position = 0; ; position += length - needle.byteLength) {
      const count = files.readAt(fd, buffer, length, position);
      if (buffer.subarray(0, count).includes(needle)) return true;
      if (count < length) return false;
    }
  });
}
