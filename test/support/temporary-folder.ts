import { chmodSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The part of a test's context that cleans up. */
export interface Cleanup {
  after(work: () => unknown): void;
}

/** A new folder with links resolved, removed when the test has ended. */
export function temporaryFolder(t: Cleanup): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'vyre-cache-test-')));
  t.after(() => {
    openUp(folder);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** A test may leave folders behind that nobody but root could remove. */
function openUp(folder: string): void {
  chmodSync(folder, 0o700);
  for (const item of readdirSync(folder, { withFileTypes: true })) {
    if (item.isDirectory()) openUp(join(folder, item.name));
  }
}
