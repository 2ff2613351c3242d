import { join } from 'node:path';
import type { FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import type { Classified, Layout } from '../layouts/layout.js';
import { errnoOf } from '../model/error.js';

/** A file below a root, as its layout classifies it. */
export interface WalkedFile {
  readonly path: string;
  /** Below the root. */
  readonly relative: string;
  readonly type: FileStat['type'];
  readonly classified: Classified;
}

export interface Visitor {
  file(file: WalkedFile): Promise<void> | void;
  /** A folder that could not be read. */
  unreadable(relative: string, errno: string): void;
}

/** Visits every file below a root. Follows no link; what appears or vanishes meanwhile may be visited or not. */
export async function walk(host: Host, root: string, layout: Layout, visitor: Visitor): Promise<void> {
  const waiting: (readonly string[])[] = [[]];
  for (let segments = waiting.pop(); segments !== undefined; segments = waiting.pop()) {
    for (const item of readFolder(host, root, segments, visitor)) {
      const below = [...segments, item.name];
      const classified = layout.classify(below);
      // A folder in the place of an entry is visited as what it pretends to be.
      if (item.type === 'directory' && classified.kind !== 'entry') {
        if (layout.enters(below)) waiting.push(below);
        continue;
      }
      const relative = below.join('/');
      await visitor.file({ path: join(root, relative), relative, type: item.type, classified });
    }
  }
}

function readFolder(
  host: Host,
  root: string,
  segments: readonly string[],
  visitor: Visitor,
): ReturnType<Host['files']['readDirectory']> {
  try {
    return host.files.readDirectory(join(root, ...segments));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    if (errno !== 'ENOENT') visitor.unreadable(segments.join('/'), errno);
    return [];
  }
}
