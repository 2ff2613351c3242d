/** A compiler as the name of a folder tells of it. */
interface NamedCompiler {
  readonly name: string;
  readonly version: string;
}

/** `cranelift-31.0.0`, `cranelift-31.0.0-1712345678901`: the version begins with the first digit behind a dash. */
const RELEASE = /^(.+?)-([0-9].*)$/;
/** Of 2020: a git revision in place of the version, and the mtime of the executable behind it in debug builds. */
const REVISION = /^((?:(?!-[0-9]).)+?)-([0-9a-f]{7,40}(?:-(?:m?[0-9]+|no-mtime))?)$/;

/** Null for a name that wasmtime gives to no folder of modules. */
export function compilerOfFolder(folderName: string): NamedCompiler | null {
  const match = REVISION.exec(folderName) ?? RELEASE.exec(folderName);
  if (match === null) return null;
  const [, name = '', version = ''] = match;
  return { name, version };
}
