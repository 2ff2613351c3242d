import { mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { LayoutName } from '../../src/layouts/layout.js';
import { encodeRecord } from '../../src/model/record.js';
import { entryBytes, fingerprintFrom, hashOf, makeArtifact } from './artifacts.js';
import { codeBytes, hexOf, moduleName, wasmerArtifact } from './other-caches.js';
import { NOW_MS } from './store-files.js';
import {
  aotSidecar,
  summaryBytes,
  payloadsPieces,
  tokensPieces,
  tomlOf,
  wgpuBlobSidecar,
  wgpuTextSidecar,
} from './vyre-files.js';

/** Files of one artifact by their names below the root. */
type FilesOf = (text: string) => Readonly<Record<string, Uint8Array | string>>;

/** A kind of artifact as its writer leaves it. */
export interface ArtifactKind {
  readonly name: string;
  /** As reports call it. */
  readonly format: string;
  readonly layout: LayoutName;
  /** What a root is called that holds it; its writer's sections lie in a home. */
  readonly root: 'vyre' | 'wasmtime' | 'pvf' | 'wasmer' | 'wasix';
  /** For each text another artifact. */
  readonly filesOf: FilesOf;
}

const SHADER = '@compute @workgroup_size(8) fn main() {}\n';

/** The order of the files is that of the parts. */
export const ARTIFACT_KINDS: readonly ArtifactKind[] = [
  {
    name: 'entry of vyre',
    format: 'entry',
    layout: 'vyre',
    root: 'vyre',
    filesOf: (text) => ({ [`pipelines/${hexOf(text)}.bin`]: entryBytes(text) }),
  },
  {
    name: 'entry with its record',
    format: 'entry',
    layout: 'vyre',
    root: 'vyre',
    filesOf: (text) => {
      const fingerprint = fingerprintFrom(hexOf(`ours ${text}`));
      const { payload, record } = makeArtifact(fingerprint, text);
      if (record === null) throw new Error('expected a record');
      return {
        [`pipelines/${fingerprint}.bin`]: entryBytes(payload),
        [`pipelines/${fingerprint}.json`]: encodeRecord(record, hashOf),
      };
    },
  },
  {
    name: 'pipeline of a driver',
    format: 'driver-pipeline',
    layout: 'vyre',
    root: 'vyre',
    filesOf: (text) => sharded('pipelines', `${hexOf(text)}.bin`, text),
  },
  {
    name: 'pipeline of wgpu',
    format: 'wgpu-pipeline',
    layout: 'vyre',
    root: 'vyre',
    filesOf: (text) => {
      const key = hexOf(text);
      const blob = codeBytes(text, 500);
      return {
        [`pipeline/${key}.wgsl`]: SHADER,
        [`pipeline/${key}.wgsl.toml`]: tomlOf(wgpuTextSidecar(key, SHADER)),
        [`pipeline/${key}.pipeline.bin`]: blob,
        [`pipeline/${key}.pipeline.toml`]: tomlOf(wgpuBlobSidecar(key, SHADER, blob)),
      };
    },
  },
  {
    name: 'shader of aot',
    format: 'aot',
    layout: 'vyre',
    root: 'vyre',
    filesOf: (text) => ({
      [`aot/${hexOf(text)}.wgsl`]: SHADER,
      [`aot/${hexOf(text)}.toml`]: tomlOf(aotSidecar(SHADER)),
    }),
  },
  {
    name: 'PTX text',
    format: 'ptx-source',
    layout: 'vyre',
    root: 'vyre',
    filesOf: (text) => sharded('ptx-source', `${hexOf(text)}.ptx`, '.version 8.0\n'),
  },
  {
    name: 'summary of the C frontend',
    format: 'frontend-c-summary',
    layout: 'vyre',
    root: 'vyre',
    filesOf: (text) => sharded('frontend-c-summary', `${hexOf(text).slice(0, 32)}.bin`, summaryBytes()),
  },
  {
    name: 'tokens of the preprocessor',
    format: 'parsed-ast-tokens',
    layout: 'vyre',
    root: 'vyre',
    filesOf: (text) => ({
      [`parsed-ast/${hexOf(text).slice(0, 32)}.vct`]: Buffer.concat(tokensPieces()),
    }),
  },
  {
    name: 'payloads of the preprocessor',
    format: 'parsed-ast-payloads',
    layout: 'vyre',
    root: 'vyre',
    filesOf: (text) => ({
      [`parsed-ast/${hexOf(text).slice(0, 32)}.vpl`]: Buffer.concat(payloadsPieces()),
    }),
  },
  {
    name: 'module of wasmtime with statistics',
    format: 'wasmtime-module',
    layout: 'wasmtime',
    root: 'wasmtime',
    filesOf: (text) => ({
      [`modules/cranelift-31.0.0/${moduleName(text)}`]: codeBytes(text, 900),
      [`modules/cranelift-31.0.0/${moduleName(text)}.stats`]: 'usages = 1\noptimized-compression = 3\n',
    }),
  },
  {
    name: 'module of wasmtime without statistics',
    format: 'wasmtime-module',
    layout: 'wasmtime',
    root: 'wasmtime',
    filesOf: (text) => ({ [`modules/cranelift-31.0.0/${moduleName(`bare ${text}`)}`]: codeBytes(text, 800) }),
  },
  {
    name: 'artifact of a PVF host',
    format: 'pvf-artifact',
    layout: 'pvf',
    root: 'pvf',
    filesOf: (text) => ({ [`0x${hexOf(text)}${hexOf(`${text} `)}.pvf`]: codeBytes(text, 700) }),
  },
  {
    name: 'artifact of a PVF host of 2023',
    format: 'pvf-persistent',
    layout: 'pvf',
    root: 'pvf',
    filesOf: (text) => ({
      [`1.0.0-abc1234_0x${hexOf(text)}_0x${hexOf('parameters')}_0x${hexOf('content')}`]: codeBytes(text, 600),
    }),
  },
  {
    name: 'artifact of an older PVF host',
    format: 'pvf-old',
    layout: 'pvf',
    root: 'pvf',
    filesOf: (text) => ({
      [`wasmtime_v8.0.1_0x${hexOf(text)}_0x${hexOf('parameters')}`]: codeBytes(text, 500),
    }),
  },
  {
    name: 'module of wasmer',
    format: 'wasmer-module',
    layout: 'wasmer',
    root: 'wasmer',
    filesOf: (text) => ({ [hexOf(text)]: wasmerArtifact(codeBytes(text, 400)) }),
  },
  {
    name: 'module of wasix',
    format: 'wasix-module',
    layout: 'wasmer',
    root: 'wasix',
    filesOf: (text) => ({
      [`cranelift-x86_64-wasmer-universal-v11/${wasixName(text)}.bin`]: wasmerArtifact(codeBytes(text, 300)),
    }),
  },
  {
    name: 'module of an older wasix',
    format: 'wasix-module-old',
    layout: 'wasmer',
    root: 'wasix',
    filesOf: (text) => ({ [`${wasixName(text)}.bin`]: wasmerArtifact(codeBytes(text, 200)) }),
  },
];

function sharded(
  section: string,
  name: string,
  bytes: Uint8Array | string,
): Readonly<Record<string, Uint8Array | string>> {
  return { [`${section}/${name.slice(0, 2)}/${name}`]: bytes };
}

function wasixName(text: string): string {
  return hexOf(text).slice(0, 16).toUpperCase();
}

/** Puts an artifact into a root. @returns its files, in the order of its parts. */
export function placeKind(root: string, kind: ArtifactKind, text: string): readonly string[] {
  return Object.entries(kind.filesOf(text)).map(([name, bytes]) => {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes, { mode: 0o600 });
    return path;
  });
}

/** One that was last used this long before `NOW_MS`; negative in the future. */
export function placeUsed(
  root: string,
  kind: ArtifactKind,
  used: { readonly text: string; readonly age: number },
): readonly string[] {
  const paths = placeKind(root, kind, used.text);
  touch(paths, used.age);
  return paths;
}

/** Where artifacts of a kind lie in a home that holds the directories of the other systems as well. */
export function placeIn(home: string, kind: ArtifactKind): string {
  return kind.root === 'vyre' ? home : join(home, kind.root);
}

/** Puts one artifact of each kind into a home and into the directories of other systems in it. @returns their files. */
export function placeAll(
  home: string,
  ageOf: (index: number) => number,
): ReadonlyMap<ArtifactKind, readonly string[]> {
  return new Map(
    ARTIFACT_KINDS.map((kind, index) => [
      kind,
      placeUsed(placeIn(home, kind), kind, { text: 'one', age: ageOf(index) }),
    ]),
  );
}

/** Gives files both times, in seconds before `NOW_MS`. */
export function touch(paths: readonly string[], age: number): void {
  for (const path of paths) utimesSync(path, NOW_MS / 1000 - age, NOW_MS / 1000 - age);
}

/** What an artifact of these files counts as: wasmtime leaves its statistics out. */
export function countedBytes(kind: ArtifactKind, paths: readonly string[]): number {
  const counted = kind.layout === 'wasmtime' ? paths.slice(0, 1) : paths;
  return counted.reduce((sum, path) => sum + statSync(path).size, 0);
}

export function kindNamed(name: string): ArtifactKind {
  const kind = ARTIFACT_KINDS.find((each) => each.name === name);
  if (kind === undefined) throw new Error(`there is no kind "${name}"`);
  return kind;
}
