// batch-miss.cjs GCC LANES NAMES: starts the gcc that lies at GCC for each name, LANES at once, and collects what it prints.
// NAMES has a line for each source. Fails where one of them fails or leaves no object.
// Left out: everything else: no cache is looked into and none is filled.
'use strict';
const { spawn } = require('node:child_process');
const { readFileSync, statSync } = require('node:fs');

const [gcc, lanes, namesFile] = process.argv.slice(2);
const names = readFileSync(namesFile, 'latin1').trimEnd().split('\n');
let next = 0;
let running = 0;

function startNext() {
  if (next === names.length) {
    if (running === 0) finish();
    return;
  }
  const name = names[next];
  next += 1;
  running += 1;
  const argv = ['-O2', '-c', `src/${name}.c`, '-o', `out/${name}.o`];
  const compiler = spawn(gcc, argv, { argv0: 'gcc', stdio: ['ignore', 'pipe', 'pipe'] });
  const printed = [];
  for (const stream of [compiler.stdout, compiler.stderr]) stream.on('data', (bytes) => printed.push(bytes));
  compiler.on('close', (code) => {
    if (code !== 0) throw new Error(`expected ${name} to compile, got ${code}\n${Buffer.concat(printed)}`);
    running -= 1;
    startNext();
  });
}

function finish() {
  for (const name of names) {
    if (statSync(`out/${name}.o`).size === 0) throw new Error(`expected an object of ${name}`);
  }
  // oxlint-disable-next-line unicorn/no-process-exit -- without taking the heap apart.
  process.exit();
}

for (let lane = 0; lane < Number(lanes); lane += 1) startNext();
