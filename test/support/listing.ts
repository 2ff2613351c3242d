import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Everything below a folder with its state and content, to show that nothing changed. */
export function listing(folder: string): readonly string[] {
  const lines: string[] = [];
  visit(folder, '.', lines);
  return lines;
}

function visit(path: string, name: string, lines: string[]): void {
  const stat = lstatSync(path, { bigint: true });
  const kind = stat.mode & 0o170_000n;
  const facts = [name, stat.ino, stat.mode.toString(8), stat.size, stat.mtimeNs, stat.ctimeNs, stat.nlink];
  let content = '';
  if (stat.isFile()) content = createHash('sha256').update(readFileSync(path)).digest('hex');
  else if (stat.isSymbolicLink()) content = readlinkSync(path);
  lines.push([...facts, kind.toString(8), content].join(' '));
  if (!stat.isDirectory()) return;
  for (const item of readdirSync(path).toSorted()) visit(join(path, item), `${name}/${item}`, lines);
}

/** The paths below a folder, sorted; folders end with a slash. */
export function tree(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .map((item) => {
      const path = relative(folder, join(item.parentPath, item.name));
      return item.isDirectory() ? `${path}/` : path;
    })
    .toSorted();
}
