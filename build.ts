import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { build, type BuildOptions, type Plugin } from 'esbuild';
import { passedOn, toCommonJs } from './tools/common-js.js';
import { prepareCall, waitForShortcuts } from './tools/typical-call.js';

/**
 * Bundles the sources into `dist/`: the library as ES modules, the program and the script of threads as CommonJS, which
 * Node starts sooner. docs/start.md says which file holds what.
 */
const folder = import.meta.dirname;
const start = join(folder, 'src/cli/node.ts');
const longWay = join(folder, 'src/cli/run.ts');
const compile = join(folder, 'src/cli/commands/compile.ts');

const common = {
  absWorkingDir: folder,
  outdir: join(folder, 'dist'),
  platform: 'node',
  target: 'node20.19',
  sourcemap: 'linked',
  sourcesContent: false,
  logLevel: 'warning',
} as const satisfies BuildOptions;

const bundled = {
  ...common,
  bundle: true,
  splitting: true,
  format: 'esm',
  external: ['@napi-rs/*', 'fs-native-extensions'],
} as const satisfies BuildOptions;

async function buildLibrary(): Promise<void> {
  await build({
    ...bundled,
    entryNames: '[name]',
    banner: {
      js: "import{createRequire as __bannerCreateRequire}from'node:module';const require=__bannerCreateRequire(import.meta.url);",
    },
    entryPoints: ['src/index.ts'],
  });
}

/** One small file in CommonJS: a thread has it sooner than a module, by a third of the time that its start takes. */
async function buildThread(): Promise<void> {
  await build({
    ...bundled,
    splitting: false,
    format: 'cjs',
    minify: true,
    entryPoints: ['src/maintenance/bulk-thread.ts'],
    outExtension: { '.js': '.cjs' },
    banner: { js: 'const importMetaUrl=require("node:url").pathToFileURL(__filename).href;' },
    define: { 'import.meta.url': 'importMetaUrl', 'import.meta.dirname': '__dirname' },
  });
}

/**
 * Keeps what the start and a shortcut need in one file, what every other call needs in a second one, and what `compile`
 * needs besides in a third one. esbuild makes a file of the modules that the same entry points reach, and each dynamic
 * import is an entry point. So each of them reaches all that the start and the other calls do; and those of compilations
 * all that `compile` does.
 */
const fewFiles: Plugin = {
  name: 'few-files',
  setup(bundle) {
    bundle.onResolve({ filter: /./ }, ({ kind, path, resolveDir }) => {
      if (kind !== 'dynamic-import') return null;
      const isOwn = path.startsWith('.');
      const target = isOwn ? resolve(resolveDir, path).replace(/\.js$/, '.ts') : path;
      return { path: target, namespace: 'later', pluginData: isOwn ? dirname(target) : resolveDir };
    });
    bundle.onLoad({ filter: /./, namespace: 'later' }, ({ path, pluginData }) => ({
      contents: entryOf(path),
      resolveDir: String(pluginData),
    }));
  },
};

function entryOf(path: string): string {
  const name = JSON.stringify(path);
  const above = /src.compile.|compile-batch|remembered-call|commands.fingerprint/.test(path)
    ? [start, longWay, compile]
    : [start, longWay];
  const before = above.filter((file) => file !== path);
  return [
    ...before.map((file) => `import ${JSON.stringify(file)};`),
    `export * from ${name};`,
    // Packages in CommonJS have nothing else.
    ...(path.startsWith('/') ? [] : [`import * as all from ${name}; export default all['default'];`]),
  ].join('\n');
}

/** esbuild splits ES modules only: its files are converted in a second step. */
async function buildProgram(): Promise<void> {
  const { metafile } = await build({
    ...bundled,
    entryPoints: { main: start },
    outExtension: { '.js': '.cjs' },
    metafile: true,
    plugins: [fewFiles],
    logOverride: { 'import-is-undefined': 'silent' },
  });
  const files = Object.keys(metafile.outputs).filter((file) => file.endsWith('.cjs'));
  const facades = await convertModules(files);
  await build({
    ...common,
    entryPoints: files.filter((file) => !facades.has(file)),
    outExtension: { '.js': '.cjs' },
    allowOverwrite: true,
    format: 'cjs',
    supported: { 'dynamic-import': false },
    // A third less to read and to compile at each start.
    minify: true,
    // As bin/vyre-cache.js runs it.
    banner: { js: '(function(require,module,__filename){"use strict";' },
    footer: { js: '})' },
  });
}

/** Returns the files that nobody needs: those that only pass on what another one exports. */
async function convertModules(files: readonly string[]): Promise<ReadonlySet<string>> {
  const texts = new Map(files.map((file) => [file, readFileSync(join(folder, file), 'utf8')]));
  const passing = new Map<string, string>();
  for (const [file, text] of texts) {
    const target = passedOn(text);
    if (target !== null) passing.set(`./${basename(file)}`, target);
  }
  for (const [file, text] of texts) {
    if (passing.has(`./${basename(file)}`)) {
      rmSync(join(folder, file));
      rmSync(join(folder, `${file}.map`));
      continue;
    }
    const direct = toCommonJs(text).replaceAll(
      /\brequire\("(\.\/[^"]+)"\)/g,
      (_, from: string) => `require("${passing.get(from) ?? from}")`,
    );
    writeFileSync(join(folder, file), direct);
  }
  const started = passing.get('./main.cjs');
  if (started === undefined) throw new Error('expected main.cjs to pass on what a chunk exports');
  writeFileSync(join(common.outdir, 'start.json'), `${JSON.stringify({ start: started.slice(2) })}\n`);
  return new Set(files.filter((file) => passing.has(`./${basename(file)}`)));
}

/** Runs the program, and keeps in a folder what V8 made of its files in the end. */
const keepingCode = (code: string): string => `
  const { codeFile, scripts, start } = require(${JSON.stringify(join(folder, 'bin/vyre-cache.js'))});
  process.on('exit', () => {
    for (const [file, script] of scripts)
      require('node:fs').writeFileSync(
        require('node:path').join(${JSON.stringify(code)}, require('node:path').basename(codeFile(file))),
        script.createCachedData(),
      );
  });
  start();`;

/**
 * Uses a home, and leaves beside the bundle the code of what was run. A file that several commands share keeps what the
 * last of them ran, and no more: a hit, which is short enough to feel the difference. Nobody but the last one finds the
 * code, because what V8 is given it gives back with what it made.
 */
function keepCode(): void {
  const scratch = mkdtempSync(join(tmpdir(), 'vyre-cache-build-'));
  const code = join(scratch, 'code');
  // oxlint-disable-next-line node/no-process-env -- the search path of a build is that of its caller.
  const env = { PATH: process.env['PATH'], HOME: scratch, VYRE_CACHE_DIR: join(scratch, 'home') };
  const run = (...words: readonly string[]): string =>
    execFileSync(process.execPath, words, { cwd: scratch, env, encoding: 'utf8' });
  try {
    mkdirSync(code);
    const request = prepareCall(scratch);
    const [input = '', , output = '', , ...command] = request;
    writeFileSync(
      join(scratch, 'manifest'),
      JSON.stringify({ jobs: [{ inputs: [input], outputs: [output], command }] }),
    );
    run(join(folder, 'bin/vyre-cache.js'), 'compile', ...request);
    const fingerprint = run(join(folder, 'bin/vyre-cache.js'), 'fingerprint', ...request).trim();
    const keep = (...words: readonly string[]): string =>
      run('-e', keepingCode(code), 'vyre-cache', ...words);
    keep('verify', 'home');
    keep('stats', 'home');
    keep('prune', 'home', '--all', '--dry-run');
    keep('compile', '--manifest', 'manifest');
    waitForShortcuts();
    for (let time = 0; time < 2; time += 1) keep('compile', ...request);
    cpSync(code, common.outdir, { recursive: true });
    // The other hit finds the code, and adds what it runs besides.
    keep('get', fingerprint, '-o', 'out');
    cpSync(code, common.outdir, { recursive: true });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What `bin/vyre-cache.js` exports. */
interface Starter {
  readonly codeFile: (file: string) => string;
  readonly packed: string;
  readonly packedBytes: number;
}

/** Puts code and source of the first file into one, which `bin/vyre-cache.js` reads at once. */
function packStart(): void {
  const { codeFile, packed, packedBytes } = createRequire(import.meta.url)('./bin/vyre-cache.js') as Starter;
  const { start: name } = JSON.parse(readFileSync(join(common.outdir, 'start.json'), 'utf8')) as {
    start: string;
  };
  const file = join(common.outdir, name);
  const code = readFileSync(codeFile(file));
  const end = Buffer.from(`packed ${name} ${code.byteLength} `.padEnd(packedBytes));
  writeFileSync(packed, Buffer.concat([code, readFileSync(file), end]));
  rmSync(codeFile(file));
}

/** What an earlier build has left would be found by nobody, or taken for a part of this one. */
function removeOldFiles(): void {
  mkdirSync(common.outdir, { recursive: true });
  for (const item of readdirSync(common.outdir, { withFileTypes: true }))
    if (item.isFile()) rmSync(join(common.outdir, item.name));
}

removeOldFiles();
await buildLibrary();
await buildThread();
await buildProgram();
keepCode();
packStart();
