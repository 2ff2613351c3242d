/** A document on one line. The schema comes first. */
export function renderJson(schema: string, fields: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify({ schema, ...fields })}\n`;
}

/** A span or an age: at most three decimals, never negative, null where unknown. */
export function jsonSeconds(seconds: number | null): number | null {
  return seconds === null ? null : Math.max(0, Math.round(seconds * 1000) / 1000);
}
