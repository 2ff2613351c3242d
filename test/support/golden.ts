import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '..', '..', 'fixtures', 'golden');

export function goldenPath(name: string): string {
  return join(FOLDER, name);
}

export function goldenBytes(name: string): Buffer {
  return readFileSync(goldenPath(name));
}

export function goldenText(name: string): string {
  return goldenBytes(name).toString('utf8');
}
