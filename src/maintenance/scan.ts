import type { DirectoryItem, Files } from '../host/files.js';
import { errnoOf } from '../model/error.js';

/**
 * Visits the items of a folder; one that does not exist holds nothing.
 * @throws the errno error when it cannot be read.
 */
export function scanIfThere(files: Files, folder: string, visit: (item: DirectoryItem) => void): void {
  try {
    files.scanDirectory(folder, (item) => {
      visit(item);
      return true;
    });
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error;
  }
}
