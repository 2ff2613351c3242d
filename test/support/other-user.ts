import { chmodSync, chownSync, lchownSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Belongs to nobody on any machine this runs on. */
const OTHER_USER = 12_345;

/**
 * Runs `work` as a user whom permissions stop, to whom the folder is given first: root would pass through anything. Who
 * is not root stays who they are. The folder above is made passable, for it is the temporary one of this test.
 */
export async function asOtherUser<T>(folder: string, work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0 || process.seteuid === undefined) return work();
  chmodSync(dirname(folder), 0o711);
  give(folder);
  process.seteuid(OTHER_USER);
  try {
    return await work();
  } finally {
    process.seteuid(0);
  }
}

function give(folder: string): void {
  chownSync(folder, OTHER_USER, OTHER_USER);
  for (const item of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, item.name);
    if (item.isDirectory()) give(path);
    else lchownSync(path, OTHER_USER, OTHER_USER);
  }
}
