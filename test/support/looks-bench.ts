import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RecordedLooks } from '../../src/compile/recorded-looks.js';
import type { Files } from '../../src/host/files.js';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import { failingFiles, FakeClock, fakeHost } from './fake-host.js';
import { temporaryFolder, type Cleanup } from './temporary-folder.js';

/** Old enough for every file that a test has just made. */
export const LATER_MS = 3_600_000;
const OLD = new Date(1_700_000_000_000);

/** A folder with something of each kind, all of it old, and what was looked at in it. */
export class LooksBench {
  readonly folder: string;
  readonly clock = new FakeClock(Date.now() + LATER_MS);
  readonly looks: RecordedLooks;

  constructor(t: Cleanup, replaced: Partial<Files> = {}) {
    this.folder = temporaryFolder(t);
    for (const name of ['file', 'other']) this.write(name, 'abc');
    for (const name of ['one', 'two']) {
      mkdirSync(this.path(name));
      this.write(`${name}/in`, name);
    }
    symlinkSync('file', this.path('link'));
    symlinkSync('one', this.path('way'));
    symlinkSync('circle', this.path('circle'));
    for (const name of ['one', 'two']) utimesSync(this.path(name), OLD, OLD);
    const files = failingFiles({ isLocal: () => true, ...replaced });
    this.looks = new RecordedLooks(fakeHost({ clock: this.clock, files }));
  }

  get files(): Files {
    return this.looks.host.files;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Each time with a time of its own. */
  write(name: string, content: string): void {
    writeFileSync(this.path(name), content);
    utimesSync(this.path(name), OLD, new Date(OLD.getTime() + content.length));
  }

  repoint(name: string, target: string): void {
    rmSync(this.path(name));
    symlinkSync(target, this.path(name));
  }

  /** What was looked at until now; a home lies elsewhere. */
  list(): string | null {
    this.looks.stop();
    return this.looks.listBeside(new HomePaths(this.path('home')));
  }
}

/** A look at something in the folder. */
export function at(look: (files: Files, path: string) => unknown, name: string): (bench: LooksBench) => void {
  return (bench) => {
    look(bench.files, bench.path(name));
  };
}

/** Opens a file to read it; a link in the last place is refused. */
export function opened(files: Files, path: string): void {
  files.close(files.open(path, 'read'));
}

export function scanned(files: Files, path: string): void {
  files.scanDirectory(path, () => true);
}
