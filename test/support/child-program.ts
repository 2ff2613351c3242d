import { build } from 'esbuild';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const LIBRARY = pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href;

/**
 * Makes a script of `children/` runnable by Node alone, with the built library: hundreds of processes start too slowly
 * through a loader that compiles. @returns the path of the program.
 */
export async function childProgram(source: string, folder: string): Promise<string> {
  const path = join(folder, 'child.mjs');
  await build({
    entryPoints: [source],
    outfile: path,
    bundle: true,
    format: 'esm',
    platform: 'node',
    logLevel: 'error',
    plugins: [
      {
        name: 'built-library',
        setup: (builder) => {
          builder.onResolve({ filter: /\/src\/index\.js$/ }, () => ({ path: LIBRARY, external: true }));
          // CommonJS, which a module has no `require` for.
          builder.onResolve({ filter: /^cacache$/ }, () => ({
            path: import.meta.resolve('cacache'),
            external: true,
          }));
        },
      },
    ],
  });
  return path;
}
