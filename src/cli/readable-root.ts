import { lstatOrNull } from '../host/files.js';
import type { CacheSession } from '../compile/session.js';
import { CacheError, errnoOf } from '../model/error.js';
import type { RootKind } from '../store/home.js';
import { rootOf, withSession, type Context } from './context.js';
import type { ChosenRoot } from './settings/root.js';

export interface ReadableRootOptions {
  /** True when there is something to say about a root that is no cache. */
  isEnough?(session: CacheSession): boolean;
  /** True: the directories of other systems are caches, too. Else only those with entries of vyre and ours are. */
  readonly anyLayout?: boolean;
}

/**
 * Opens the root of a command that reads a cache. The root that holds anyway may be absent or empty: then there is
 * nothing to report. A typed one must exist and be a cache.
 * @throws CacheError `environment` for any other root.
 */
export async function withReadableRoot<T>(
  context: Context,
  positional: string | null,
  work: (session: CacheSession) => Promise<T>,
  options: ReadableRootOptions = {},
): Promise<T> {
  const root = rootOf(context, positional);
  return withSession(context, { root }, async (session) => {
    if (options.isEnough?.(session) !== true) await requireCache(root, session, options.anyLayout === true);
    return work(session);
  });
}

/** What Node makes of bytes of an argument that are not UTF-8. */
const UNREADABLE_NAME = '\uFFFD';

function kindOf(session: CacheSession, root: ChosenRoot): RootKind {
  try {
    return session.kind();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    throw new CacheError('environment', `the directory "${root.path}" cannot be read (${errno})`, {
      cause: error,
    });
  }
}

async function requireCache(root: ChosenRoot, session: CacheSession, anyLayout: boolean): Promise<void> {
  const kind = kindOf(session, root);
  if (kind === 'absent' && root.typed) {
    throw new CacheError('environment', `expected a cache directory, found nothing at "${root.path}"`, {
      hint: root.path.includes(UNREADABLE_NAME)
        ? 'Names that are not UTF-8 cannot be given; make a link to it with another name.'
        : 'Run `vyre-cache config` to see which directory is used without one.',
    });
  }
  if (kind === 'not-a-directory') {
    const isLink = lstatOrNull(session.host.files, root.path)?.type === 'link';
    const found = isLink ? 'a link that leads to nothing' : 'a file';
    throw new CacheError('environment', `expected a cache directory, found ${found} at "${root.path}"`);
  }
  if (kind !== 'foreign') return;
  const { isRecognised } = await import('../maintenance/maintained-root.js');
  const isOther = isRecognised(session);
  if (isOther && anyLayout) return;
  if (isOther) {
    throw new CacheError(
      'environment',
      `expected a cache with entries, got "${root.path}" of another system`,
      {
        hint: '`verify`, `prune`, `gc` and `stats` work on it.',
      },
    );
  }
  throw new CacheError(
    'environment',
    `expected a cache directory, got "${root.path}", which has no known layout`,
    {
      hint: 'It holds files, but not those of a cache of vyre, wasmtime, wasmer or a PVF host; name another directory.',
    },
  );
}
