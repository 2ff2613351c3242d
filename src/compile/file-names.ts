/**
 * A name of a request as an absolute path. Nothing is resolved, so that `..` behind a link means what it means to the
 * compiler; `path.resolve` would name another file there, and serves only to compare names.
 */
export function pathOf(cwd: string, name: string): string {
  return name.startsWith('/') ? name : `${cwd}/${name}`;
}
