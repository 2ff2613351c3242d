/** What a program did to one folder, in the order in which the calls returned. Paths are relative to the folder. */
export type DiskCall =
  | { readonly kind: 'open'; readonly path: string; readonly truncates: boolean }
  | { readonly kind: 'make-folder'; readonly path: string }
  /** `at` null: where the last write to this file ended, or its end where it appends. */
  | {
      readonly kind: 'write';
      readonly path: string;
      readonly at: number | null;
      readonly appends: boolean;
      readonly bytes: Buffer;
    }
  | { readonly kind: 'truncate'; readonly path: string; readonly bytes: number }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'link'; readonly from: string; readonly to: string }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'sync'; readonly path: string }
  /** Everything, as `sync` and `syncfs` do. */
  | { readonly kind: 'sync-all' }
  /** The program says on stdout how far it is. */
  | { readonly kind: 'mark'; readonly text: string };

/** The calls that change files; whatever else could is refused by {@link readDiskLog}. */
export const TRACED_CALLS = [
  'open,openat,creat,write,writev,pwrite64,pwritev,pwritev2,truncate,ftruncate,fallocate,copy_file_range,sendfile',
  'rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,mkdir,mkdirat,mknod,mknodat',
  'fsync,fdatasync,sync,syncfs,sync_file_range,io_uring_enter,splice',
].join(',');

/**
 * Reads what `strace -f -y -xx` wrote of {@link TRACED_CALLS}: every text is in hexadecimal, so nothing in it can be
 * taken for syntax. @throws for a call that changes the folder in a way that is not modelled.
 */
export function readDiskLog(log: string, folder: string): readonly DiskCall[] {
  const begun = new Map<string, string>();
  const reader = new CallReader(folder);
  return log.split('\n').flatMap((line) => {
    const whole = wholeLine(line, begun);
    const [, name = '', words = '', result = ''] = /^(\w+)\((.*)\) += (-?\d+)/.exec(whole ?? '') ?? [];
    if (name === '' || result.startsWith('-')) return [];
    return reader.read(name, { words, result: Number(result) });
  });
}

/** A call of one thread may be reported in two parts, with those of others between them; it counts where it returned. */
function wholeLine(line: string, begun: Map<string, string>): string | null {
  const [, thread = '', text = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
  if (text.endsWith(' <unfinished ...>')) {
    begun.set(thread, text.slice(0, -' <unfinished ...>'.length));
    return null;
  }
  const [, rest] = /^<\.\.\. \w+ resumed>(.*)$/.exec(text) ?? [];
  return rest === undefined ? text : `${begun.get(thread) ?? ''}${rest}`;
}

interface Call {
  readonly words: string;
  readonly result: number;
}

class CallReader {
  readonly #folder: string;
  /** Paths that are open for appending. */
  readonly #appending = new Set<string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  read(name: string, { words, result }: Call): readonly DiskCall[] {
    const paths = namedPaths(words).map((path) => this.#relative(path));
    const [path = null, to = null] = paths;
    switch (name) {
      case 'open':
      case 'openat':
      case 'creat':
        return path === null ? [] : this.#opened(path, name === 'creat' ? 'O_CREAT|O_TRUNC' : words);
      case 'mkdir':
      case 'mkdirat':
        return path === null ? [] : [{ kind: 'make-folder', path }];
      case 'unlink':
      case 'unlinkat':
      case 'rmdir':
        return path === null ? [] : [{ kind: 'remove', path }];
      case 'rename':
      case 'renameat':
      case 'renameat2':
        if (path === null && to === null) return [];
        return [{ kind: 'rename', from: inside(path, words), to: inside(to, words) }];
      case 'link':
      case 'linkat':
        if (path === null && to === null) return [];
        return [{ kind: 'link', from: inside(path, words), to: inside(to, words) }];
      case 'sync':
      case 'syncfs':
        return [{ kind: 'sync-all' }];
      default:
        return this.#onDescriptor(name, { words, result });
    }
  }

  #opened(path: string, words: string): readonly DiskCall[] {
    if (/O_WRONLY|O_RDWR|O_CREAT/.test(words)) {
      if (words.includes('O_APPEND')) this.#appending.add(path);
      else this.#appending.delete(path);
    }
    if (!words.includes('O_CREAT') && !words.includes('O_TRUNC')) return [];
    return [{ kind: 'open', path, truncates: words.includes('O_TRUNC') }];
  }

  #onDescriptor(name: string, { words, result }: Call): readonly DiskCall[] {
    const [, descriptor = '', hex = ''] = /^(\d+)<((?:\\x[0-9a-f]{2})+)>/.exec(words) ?? [];
    const texts = [...words.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, text = '']) => bytesOf(text));
    const written = Buffer.concat(texts);
    if (name === 'write' && descriptor === '1') return [{ kind: 'mark', text: written.toString('utf8') }];
    const path = this.#relative(bytesOf(hex).toString('utf8'));
    if (path === null) return [];
    switch (name) {
      case 'write':
      case 'writev':
      case 'pwrite64':
      case 'pwritev': {
        if (written.byteLength !== result)
          throw new Error(`expected ${result} written bytes: ${words.slice(0, 200)}`);
        const at = name.startsWith('p') ? lastNumber(words) : null;
        return [{ kind: 'write', path, at, appends: this.#appending.has(path), bytes: written }];
      }
      case 'ftruncate':
        return [{ kind: 'truncate', path, bytes: lastNumber(words) }];
      case 'fsync':
      case 'fdatasync':
        return [{ kind: 'sync', path }];
      default:
        throw new Error(`expected a call that is modelled, got ${name} on ${path}`);
    }
  }

  /** Null for what lies elsewhere; empty for the folder itself. */
  #relative(path: string): string | null {
    if (path === this.#folder) return '';
    return path.startsWith(`${this.#folder}/`) ? path.slice(this.#folder.length + 1) : null;
  }
}

/** The paths that a call names, absolute ones as they are, others below the folder in front of them. */
function namedPaths(words: string): readonly string[] {
  const named = words.matchAll(/(?:<((?:\\x[0-9a-f]{2})+)>, )?"((?:\\x[0-9a-f]{2})*)"/g);
  return [...named].map(([, folder = '', text = '']) => {
    const path = bytesOf(text).toString('utf8');
    return path.startsWith('/') ? path : `${bytesOf(folder).toString('utf8')}/${path}`;
  });
}

function inside(path: string | null, words: string): string {
  if (path !== null) return path;
  throw new Error(`expected a rename or a link within the folder: ${words.slice(0, 400)}`);
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text.replaceAll(String.raw`\x`, ''), 'hex');
}

function lastNumber(words: string): number {
  return Number(/(\d+)$/.exec(words)?.[1] ?? Number.NaN);
}
