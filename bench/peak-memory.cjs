// Loaded into our own program by NODE_OPTIONS, in the round that is not timed: notes the peak of its resident memory,
// as the kernel knows it at the end. `ru_maxrss` would not do: it begins with what the parent occupied at the fork.
'use strict';
const { appendFileSync, readFileSync } = require('node:fs');
const { isMainThread } = require('node:worker_threads');

if (isMainThread) {
  process.on('exit', () => {
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1];
    appendFileSync(process.env.BENCH_PEAK_FILE, `${kibibytes}\n`);
  });
}
