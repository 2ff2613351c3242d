import { resolve } from 'node:path';

/**
 * A name of a request as an absolute path. Nothing is resolved, so that `..` behind a link means what it means to the
 * compiler; `path.resolve` would name another file there, and serves only to compare names.
 */
export function pathOf(cwd: string, name: string): string {
  return name.startsWith('/') ? name : `${cwd}/${name}`;
}

/** As `path.resolve`, for an absolute folder. */
export function resolvedFrom(cwd: string, name: string): string {
  return resolved(pathOf(cwd, name));
}

/** An absolute path as `path.resolve` writes it; most are that already. */
export function resolved(path: string): string {
  const isPlain = !path.includes('//') && !path.includes('/.') && !path.endsWith('/');
  return isPlain ? path : resolve(path);
}
