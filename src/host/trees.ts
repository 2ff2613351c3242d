import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf } from '../model/error.js';

/**
 * A folder and those above it, one at a time. Node's recursive mkdir never returns where the kernel answers ENOENT for
 * a folder whose parent is there (`/proc`), and says ENOENT for a read-only file system.
 */
export function makeFolders(path: string, mode: number): void {
  try {
    makeFolder(path, mode);
  } catch (error) {
    const errno = errnoOf(error);
    const parent = dirname(path);
    if (errno !== 'ENOENT' || parent === path) throw error;
    // Another process may have made the parent since; where it was there all along, the second try says so.
    if (fs.existsSync(parent)) {
      makeFolder(path, mode);
      return;
    }
    makeFolders(parent, mode);
    makeFolders(path, mode);
  }
}

function makeFolder(path: string, mode: number): void {
  try {
    fs.mkdirSync(path, { mode });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST' || !fs.statSync(path).isDirectory()) throw error;
  }
}

const NULL_IF_ABSENT = { throwIfNoEntry: false } as const;

/**
 * Lets the user into every folder of a tree, so that what is in them can be removed. Follows no link. Somebody who puts
 * a link in the place of a folder meanwhile makes us open up a folder that belongs to us anyway.
 */
export function openUp(path: string): void {
  if (fs.lstatSync(path, NULL_IF_ABSENT)?.isDirectory() !== true) return;
  fs.chmodSync(path, 0o700);
  for (const item of fs.readdirSync(path, { withFileTypes: true })) {
    if (item.isDirectory()) openUp(join(path, item.name));
  }
}

/**
 * Removes a folder by what it lists: Node's own removal tries first what fails for every folder. False where something
 * stands in the way. `path` is a folder and no link.
 */
export function removeListed(path: string): boolean {
  try {
    for (const item of fs.readdirSync(path, { withFileTypes: true })) {
      const child = join(path, item.name);
      if (!item.isDirectory()) fs.unlinkSync(child);
      else if (!removeListed(child)) return false;
    }
    fs.rmdirSync(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return false;
  }
}
