import type { Format } from './layout.js';
import { pvfFormats } from './pvf/pvf-layout.js';
import { vyreFormats } from './vyre/vyre-layout.js';
import { wasmerFormats } from './wasmer/wasmer-layout.js';
import { wasmtimeFormats } from './wasmtime/wasmtime-layout.js';

/** Every format, in an order that the threads of one process share: a format is its number there. */
export const FORMATS: readonly Format[] = [
  ...vyreFormats,
  ...wasmtimeFormats,
  ...pvfFormats,
  ...wasmerFormats,
];

export function formatNumber(format: Format): number {
  const number = FORMATS.indexOf(format);
  if (number < 0) throw new Error(`the format ${format.name} is in no list`);
  return number;
}

export function formatAt(number: number): Format {
  const format = FORMATS[number];
  if (format === undefined) throw new Error(`there is no format ${number}`);
  return format;
}
