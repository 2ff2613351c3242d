import { resolve } from 'node:path';
import { deliver } from '../../compile/delivery.js';
import type { LookupResult } from '../../compile/request.js';
import type { CacheSession } from '../../compile/session.js';
import { extractOutputs, getEntry } from '../../compile/stored-entry.js';
import { CacheError } from '../../model/error.js';
import type { Call, CliCommand } from '../command.js';
import {
  compilerStream,
  isLauncherUse,
  readRequest,
  REQUEST_OPTIONS,
  requireCommand,
} from '../compile-request.js';
import { openContext, type Context } from '../context.js';
import { EXIT, problemLines } from '../failure.js';
import { requirePrefix, resolvePrefix } from '../fingerprint-arguments.js';
import { withReadableRoot } from '../readable-root.js';
import { isBinary, renderGetJson, renderMiss } from '../rendering/get.js';

export const getCommand: CliCommand = {
  name: 'get',
  synopsis: '<fingerprint> [options]\n       vyre-cache get [inputs...] [options] -- command...',
  description:
    'By fingerprint (at least eight digits): writes the payload to stdout, to -o FILE, or its outputs into a folder. ' +
    'By request: does what compile does on a hit, and never compiles. Exit 1: a miss.',
  positionals: {
    syntax: '[fingerprint-or-inputs...]',
    doc: 'a fingerprint, or the files that the command compiles',
  },
  options: [
    ...REQUEST_OPTIONS,
    { flags: '--extract <dir>', doc: 'write the outputs of the entry into this folder, by their names' },
    { flags: '--force', doc: 'write binary bytes to a terminal' },
  ],
  settings: [],
  takesCommand: true,
  examples: ['vyre-cache get 3f2a9c1b -o a.o', 'vyre-cache get a.c -o a.o -- cc -c {input} -o {output}'],
  cleansUp: true,
  run,
};

async function run(call: Call): Promise<number> {
  const context = await openContext(call);
  return call.command === null ? getByFingerprint(context) : getByRequest(context);
}

async function getByRequest(context: Context): Promise<number> {
  const { call } = context;
  const program = requireCommand(call)[0] ?? '';
  if (call.options.text('extract') !== null) {
    throw new CacheError('usage', 'expected -o for a request, got --extract', {
      hint: 'A request delivers its outputs where it names them.',
    });
  }
  if (isLauncherUse(call)) {
    throw new CacheError('usage', `expected inputs and outputs before "--", got only "${program}"`);
  }
  const request = await readRequest(call);
  const { lookup } = await import('../../compile/lookup.js');
  const { result, troubled } = await withReadableRoot(context, null, async (session) => ({
    result: await lookup(session, request, { failureMemory: context.settings.failureMemory }),
    troubled: session.troubles.length > 0,
  }));
  if (result.hit) {
    compilerStream(context, 'stdout').write(result.stdout);
    compilerStream(context, 'stderr').write(result.stderr);
  }
  const code = finish(context, result);
  return context.settings.strict && troubled ? EXIT.environment : code;
}

async function getByFingerprint(context: Context): Promise<number> {
  const word = readWord(context);
  const result = await withReadableRoot(context, null, async (session) => {
    const found = await find(session, word);
    if (found.hit) await writePayload(context, session, found);
    return found;
  });
  return finish(context, result);
}

/** The one fingerprint that was typed, after a check that the payload has somewhere to go. */
function readWord({ call, json }: Context): string {
  const { positionals, options } = call;
  const [word] = positionals;
  if (word === undefined || positionals.length > 1) {
    const got = word === undefined ? 'nothing' : `"${positionals.join(' ')}"`;
    throw new CacheError('usage', `expected one fingerprint, or inputs and a command after "--", got ${got}`);
  }
  const prefix = requirePrefix(word);
  const places = [...options.list('output'), options.text('extract')].filter((place) => place !== null);
  if (places.length > 1)
    throw new CacheError('usage', `expected one of -o and --extract, got "${places.join('" and "')}"`);
  if (json && places.length === 0) {
    throw new CacheError('usage', 'expected -o FILE or --extract DIR with --json, got neither', {
      hint: 'The document goes to stdout, so the payload needs another place.',
    });
  }
  return prefix;
}

async function find(session: CacheSession, word: string): Promise<LookupResult> {
  const fingerprint = await resolvePrefix(session, word);
  return fingerprint === null
    ? { hit: false, fingerprint: null, reason: 'absent' }
    : getEntry(session, fingerprint);
}

type Hit = Extract<LookupResult, { hit: true }>;

async function writePayload(context: Context, session: CacheSession, hit: Hit): Promise<void> {
  const { call } = context;
  const folder = call.options.text('extract');
  const [file] = call.options.list('output');
  if (folder !== null) {
    const { buffer, byteOffset, byteLength } = hit.payload;
    const entry = { fingerprint: hit.fingerprint, payload: Buffer.from(buffer, byteOffset, byteLength) };
    await extractOutputs(session, entry, resolve(call.cwd, folder));
  } else if (file !== undefined) {
    const output = { path: resolve(call.cwd, file), executable: false, content: hit.payload };
    await deliver(call.host, output, call);
  } else {
    writeToStdout(call, hit.payload);
  }
}

function writeToStdout({ terminal, options }: Call, payload: Uint8Array): void {
  if (terminal.stdout.isTerminal && !options.flag('force') && isBinary(payload)) {
    throw new CacheError('usage', 'expected another place than a terminal for a binary payload', {
      hint: 'Write it to a file with -o FILE, or use --force.',
    });
  }
  terminal.stdout.write(payload);
}

function finish({ call, json, quiet }: Context, result: LookupResult): number {
  const { stdout, stderr } = call.terminal;
  if (!result.hit && !quiet) stderr.write(problemLines(renderMiss(result)));
  if (json) stdout.write(renderGetJson(result));
  return result.hit ? EXIT.ok : EXIT.negative;
}
