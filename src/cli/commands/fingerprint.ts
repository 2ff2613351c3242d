import type { FingerprintResult } from '../../compile/request.js';
import type { Call, CliCommand } from '../command.js';
import { compileOptions, readRequest, REQUEST_OPTIONS, requireCommand } from '../compile-request.js';
import { openContext, rootOf, withSession } from '../context.js';
import { EXIT } from '../failure.js';
import { renderJson } from '../rendering/json.js';

export const fingerprintCommand: CliCommand = {
  name: 'fingerprint',
  synopsis: '[inputs...] [options] -- command...',
  description:
    'Prints the fingerprint of the compilation that `vyre-cache compile` with the same words would look up: ' +
    '64 hex digits, or with --json every field that it is made of.',
  positionals: { syntax: '[inputs...]', doc: 'the files that the command compiles' },
  options: REQUEST_OPTIONS,
  settings: [],
  takesCommand: true,
  examples: ['vyre-cache fingerprint a.c -o a.o -- cc -c {input} -o {output}'],
  cleansUp: true,
  run,
};

async function run(call: Call): Promise<number> {
  requireCommand(call);
  const context = await openContext(call);
  const request = await readRequest(call);
  const { fingerprintOfRequest } = await import('../../compile/fingerprint-request.js');
  const result = await withSession(context, { root: rootOf(context) }, async (session) =>
    fingerprintOfRequest(session, request, compileOptions(context)),
  );
  call.terminal.stdout.write(context.json ? renderFields(result) : `${result.fingerprint}\n`);
  return EXIT.ok;
}

function renderFields({ fingerprint, fields }: FingerprintResult): string {
  return renderJson('vyre-cache.fingerprint/1', {
    fingerprint,
    fields: fields.map(({ name, value, digest }) => ({ name, value, digest })),
  });
}
