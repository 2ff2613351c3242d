// stats.cjs FOLDER COUNT BYTES: lists a folder and looks at every file in it (lstat), in two threads; keeps size and time of
// each. Fails unless there are COUNT files with BYTES bytes. With a time in milliseconds as a fourth word, what a dry run
// of prune does: it also prints the names of those that were used before.
// Left out: records, private state, other layouts, anything that is made of the figures.
'use strict';
const { lstatSync, writeSync } = require('node:fs');
const { argv } = require('node:process');
const { visitInTwoThreads } = require('./two-threads.cjs');

const [folder, count, bytes, olderThanMs = '0'] = argv.slice(2);
const files = Number(count);

visitInTwoThreads(
  __filename,
  { folder, blockNames: 256, resultBytes: files * 16 },
  {
    makeVisit(results) {
      const sizes = new Float64Array(results, 0, files);
      const times = new Float64Array(results, files * 8, files);
      const limit = Number(olderThanMs);
      let text = '';
      return {
        visit(name, index) {
          const { size, mtimeMs } = lstatSync(name);
          sizes[index] = size;
          times[index] = mtimeMs;
          if (mtimeMs < limit) text += `${name}\n`;
        },
        end() {
          for (let rest = Buffer.from(text, 'latin1'); rest.length > 0;)
            rest = rest.subarray(writeSync(1, rest));
        },
      };
    },
    finish(results, found) {
      const sum = new Float64Array(results, 0, files).reduce((total, size) => total + size, 0);
      if (found !== files || sum !== Number(bytes))
        throw new Error(`expected ${count} files of ${bytes} bytes, found ${found} of ${sum}`);
    },
  },
);
