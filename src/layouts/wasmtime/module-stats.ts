/** Some fifty bytes are usual. Nobody reads more. */
export const MAX_STATS_BYTES = 65_536;

const LINE = /^([A-Za-z0-9_-]+)[ \t]*=[ \t]*([+-]?[0-9]{1,19})$/;

/**
 * How often a module was used, by its statistics: TOML with the integers `usages` and `optimized-compression`. Null for
 * anything else, which wasmtime takes for the statistics of a new module. Not exact above 2^53.
 */
export function readUsages(bytes: Uint8Array): number | null {
  if (bytes.length > MAX_STATS_BYTES) return null;
  const values = new Map<string, number>();
  for (const line of Buffer.from(bytes).toString('utf8').split('\n')) {
    const text = line.replace(/#.*$/, '').trim();
    if (text === '') continue;
    const [, key, digits] = LINE.exec(text) ?? [];
    if (key === undefined || values.has(key)) return null;
    values.set(key, Number(digits));
  }
  const usages = values.get('usages');
  return usages !== undefined && usages >= 0 && values.has('optimized-compression') ? usages : null;
}
