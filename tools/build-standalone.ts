import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { addonTrailer } from '../src/host/attached-addon.js';
import { prepareCall, waitForShortcuts } from './typical-call.js';

// tsx tools/build-standalone.ts [FILE]: makes the standalone executable, dist/standalone/vyre-cache unless told otherwise.

const PROJECT = join(import.meta.dirname, '..');
const ENTRY = join(PROJECT, 'src/cli/standalone.ts');
const EXECUTABLE = join(PROJECT, 'dist/standalone/vyre-cache');

/** Node's names of processors, and Bun's. */
const PROCESSORS = { x64: 'x64', arm64: 'aarch64' } as const;

/** How Bun builds whatever stands for itself. */
export const BUN_FLAGS: readonly string[] = [
  '--compile',
  // A chunk per command: what a call does not need is never looked at. With bytecode, nothing is parsed at start.
  '--splitting',
  '--format=esm',
  '--bytecode',
  '--minify',
  // A start is over before most of what the compilers of a JavaScript engine would speed up.
  '--compile-jit-policy=100',
  // A project's .env must not reach a compilation, nor its bunfig.toml this program.
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
];

/** The program of the devDependency for this machine; null where it was not installed. */
export function findBun(): string | null {
  if (process.platform !== 'linux' || !isProcessor(process.arch)) return null;
  try {
    return createRequire(import.meta.url).resolve(`@oven/bun-linux-${PROCESSORS[process.arch]}/bin/bun`);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND')) throw error;
    return null;
  }
}

/** @throws where the optional package for this machine was not installed. */
function findAddon(): string {
  return createRequire(import.meta.url).resolve(`@napi-rs/blake-hash-linux-${process.arch}-gnu`);
}

function isProcessor(name: string): name is keyof typeof PROCESSORS {
  return Object.hasOwn(PROCESSORS, name);
}

/**
 * Builds the executable into `file`, which is there whole or not at all. It is built twice: the second one has its bytecode
 * in the order in which calls of the first one asked for it, so that they touch a third less memory. @throws what Bun said.
 */
export function buildStandalone(bun: string, file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const folder = mkdtempSync(join(dirname(file), '.building-'));
  try {
    const built = join(folder, 'vyre-cache');
    bundle(bun, folder, { file: built, flags: [] });
    bundle(bun, folder, { file: built, flags: [`--bytecode-order=${ordersOf(built, folder).join(',')}`] });
    renameSync(built, file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function bundle(
  bun: string,
  folder: string,
  { file, flags }: { readonly file: string; readonly flags: readonly string[] },
): void {
  const args = ['build', ...BUN_FLAGS, ...flags, ENTRY, '--outfile', file];
  const { status, signal, error, stdout, stderr } = spawnSync(bun, args, { cwd: folder, encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`bun ended with ${status ?? signal}\n${stdout}${stderr}`);
  const addon = readFileSync(findAddon());
  appendFileSync(file, Buffer.concat([addon, addonTrailer(addon.byteLength)]));
}

/** The files in which an executable has noted what it asked for: in a hit by a shortcut, and in one without. */
function ordersOf(executable: string, folder: string): readonly string[] {
  const [shortcut, longWay] = [join(folder, 'order-shortcut'), join(folder, 'order-long-way')];
  const words = ['compile', ...prepareCall(folder)];
  const call = (order: Readonly<Record<string, string>>): void => {
    // oxlint-disable-next-line node/no-process-env -- the search path of a build is that of its caller.
    const env = { PATH: process.env['PATH'], HOME: folder, ...order };
    execFileSync(executable, words, { cwd: folder, env, stdio: ['ignore', 'ignore', 'inherit'] });
  };
  call({});
  waitForShortcuts();
  call({ BUN_BYTECODE_ORDER_OUT: longWay });
  call({ BUN_BYTECODE_ORDER_OUT: shortcut });
  return [shortcut, longWay];
}

function main(file: string): void {
  const bun = findBun();
  if (bun === null) {
    process.stderr.write(
      `expected Bun for ${process.platform} ${process.arch}, found none\n` +
        'hint: run `npm ci` without --omit; there is one for Linux with glibc on x64 and arm64.\n',
    );
    process.exitCode = 3;
    return;
  }
  buildStandalone(bun, file);
  process.stdout.write(`${file}, ${(statSync(file).size / 1e6).toFixed(0)} MB\n`);
}

const [, script = '', file = EXECUTABLE] = process.argv;
if (import.meta.url === pathToFileURL(script).href) main(file);
