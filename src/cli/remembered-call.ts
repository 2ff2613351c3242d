import { isChanging, leaveShortcut, recordedOf } from '../compile/leave-shortcut.js';
import { notedLooks } from '../compile/noted-looks.js';
import type { RecordedLooks } from '../compile/recorded-looks.js';
import type { CompileRequest, CompileResult } from '../compile/request.js';
import { pathOf } from '../compile/file-names.js';
import { HomePaths, StorePaths } from '../layouts/vyre/home-paths.js';
import type { Context } from './context.js';
import { placeOfShortcut } from './shortcut.js';

/** Leaves a shortcut for a call that was a hit, where all that it depends on was looked at and has long been as it is. */
export function rememberCall(
  { call, settings }: Context,
  done: {
    readonly looks: RecordedLooks;
    readonly request: CompileRequest;
    readonly result: CompileResult;
    readonly root: string;
  },
): void {
  const { looks, request, result, root } = done;
  const { argv, cwd, environment, host } = call;
  const place = placeOfShortcut(host, { argv, cwd, environment });
  const { fingerprint } = result;
  if (fingerprint === null || place?.root !== root || request.env.some(isChanging)) return;
  const names = request.outputs.map((name) => ({ name, isStdout: false }));
  if (request.stdoutFile !== null) names.push({ name: request.stdoutFile, isStdout: true });
  const outputs = names.map(({ name, isStdout }) => ({ name, isStdout, path: pathOf(cwd, name) }));
  const paths = new HomePaths(root);
  const { maxPayloadBytes } = settings;
  const artifact = { store: new StorePaths(paths.store), fingerprint, maxPayloadBytes };
  const list = looks.listBeside(paths);
  const noted = list === null ? null : notedLooks(list);
  const recorded = noted === null ? null : recordedOf(host, artifact, outputs);
  if (noted === null || recorded === null) return;
  const leftAtMs = host.clock.nowMs();
  leaveShortcut(host, place, { leftAtMs, maxPayloadBytes, ...recorded, ...noted });
}
