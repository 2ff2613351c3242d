/** What esbuild's metafile says, as far as it is needed. */
export interface Metafile {
  readonly inputs: readonly MetafileInput[];
  /** Paths, or `<stdout>`. */
  readonly outputs: readonly string[];
}

export interface MetafileInput {
  /** Relative to the working directory, perhaps with a prefix such as `(disabled):`. */
  readonly path: string;
  readonly imports: readonly MetafileImport[];
}

export interface MetafileImport {
  readonly path: string;
  readonly external: boolean;
  /** As it stands in the source; null where esbuild made it up. */
  readonly original: string | null;
}

/** An object's own members, or null for anything else. */
export function membersOf(value: unknown): ReadonlyMap<string, unknown> | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  return new Map<string, unknown>(Object.entries(value));
}

/** Decodes a metafile; null when it is none. Unknown keys are passed over, since every version adds some. */
export function decodeMetafile(text: string): Metafile | null {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    // Best effort: a metafile that is none lists nothing, and its compilation is not cached.
    return null;
  }
  const inputs = membersOf(membersOf(root)?.get('inputs'));
  const outputs = membersOf(membersOf(root)?.get('outputs'));
  if (inputs === null || outputs === null) return null;
  const decoded: MetafileInput[] = [];
  for (const [path, value] of inputs) {
    const imports = decodeImports(membersOf(value)?.get('imports'));
    if (imports === null) return null;
    decoded.push({ path, imports });
  }
  return { inputs: decoded, outputs: [...outputs.keys()] };
}

function decodeImports(value: unknown): readonly MetafileImport[] | null {
  if (!Array.isArray(value)) return null;
  const imports: MetafileImport[] = [];
  for (const item of value) {
    const members = membersOf(item);
    const path = members?.get('path');
    const original = members?.get('original');
    if (typeof path !== 'string') return null;
    imports.push({
      path,
      external: members?.get('external') === true,
      original: typeof original === 'string' ? original : null,
    });
  }
  return imports;
}
