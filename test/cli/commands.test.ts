import assert from 'node:assert/strict';
import {
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  chmodSync,
  mkdirSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { cli, makePlace, start, type Place, type Ran } from './support.js';

/** A compiler that needs nothing but a shell: writes its input in capitals and speaks on both streams. */
const COMPILER = `#!/bin/sh
echo "compiling $1"
echo "warning: shouting" >&2
tr a-z A-Z < "$1" > "$2"
`;

function makeCompiler(place: Place, text = COMPILER): void {
  chmodSync(place.write('shout.sh', text), 0o755);
  place.write('a.txt', 'hello\n');
}

const REQUEST = [
  'a.txt',
  '-o',
  'a.out',
  '--compiler-version',
  'echo 1',
  '--',
  './shout.sh',
  '{input}',
  '{output}',
] as const;

function json(ran: Ran): Record<string, unknown> {
  return JSON.parse(ran.stdout) as Record<string, unknown>;
}

function output(place: Place, name = 'a.out'): string {
  return readFileSync(join(place.work, name), 'utf8');
}

describe('compile', () => {
  it('gives what the compiler would have given, with and without a hit', async (t) => {
    const place = makePlace(t);
    makeCompiler(place);
    const first = await cli(place, ['compile', ...REQUEST]);
    assert.deepEqual(first, { code: 0, stdout: 'compiling a.txt\n', stderr: 'warning: shouting\n' });
    assert.equal(output(place), 'HELLO\n');
    rmSync(join(place.work, 'a.out'));
    assert.deepEqual(await cli(place, ['compile', ...REQUEST]), first);
    assert.equal(output(place), 'HELLO\n');
  });

  it('says with -v what happened', async (t) => {
    const place = makePlace(t);
    makeCompiler(place);
    const miss = await cli(place, ['compile', '-v', ...REQUEST]);
    assert.match(
      miss.stderr,
      /^warning: shouting\nvyre-cache: compiled \(empty-cache\) [0-9a-f]{64}, a\.out, took (?:[0-9.]+ [a-z]+ ?)+\n$/,
    );
    const hit = await cli(place, ['compile', '-v', ...REQUEST]);
    assert.match(hit.stderr, /vyre-cache: hit \(disk\) [0-9a-f]{64}, a\.out, saved [0-9.]+ m?s\n$/);
    assert.equal(hit.stdout, 'compiling a.txt\n');
  });

  it('prints only the document on stdout with --json', async (t) => {
    const place = makePlace(t);
    makeCompiler(place);
    const ran = await cli(place, ['compile', '--json', ...REQUEST]);
    assert.equal(ran.stderr, 'compiling a.txt\nwarning: shouting\n');
    const { schema, jobs, totals } = json(ran) as {
      schema: string;
      jobs: Record<string, unknown>[];
      totals: Record<string, number>;
    };
    assert.equal(schema, 'vyre-cache.compile/1');
    assert.equal(jobs.length, 1);
    assert.equal(jobs[0]?.['outcome'], 'compiled');
    assert.deepEqual(jobs[0]['outputs'], [{ path: 'a.out', bytes: 6, executable: false }]);
    assert.equal(totals['compiled'], 1);
  });

  it('keeps stdout as an output with --stdout', async (t) => {
    const place = makePlace(t);
    makeCompiler(place);
    const argv = ['compile', 'a.txt', '--stdout', 'seen.txt', '--', 'cat', '{input}'];
    for (const expected of ['compiled', 'disk']) {
      rmSync(join(place.work, 'seen.txt'), { force: true });
      const ran = await cli(place, [...argv.slice(0, 1), '--json', ...argv.slice(1)]);
      assert.equal((json(ran)['jobs'] as { outcome: string }[])[0]?.outcome, expected);
      assert.equal(ran.stderr, '');
      assert.equal(output(place, 'seen.txt'), 'hello\n');
    }
  });

  it('exits as the compiler does', async (t) => {
    const place = makePlace(t);
    makeCompiler(place, '#!/bin/sh\necho no >&2\nexit 42\n');
    const ran = await cli(place, ['compile', ...REQUEST]);
    assert.deepEqual(ran, { code: 42, stdout: '', stderr: 'no\n' });
    const missing = await cli(place, [
      'compile',
      'a.txt',
      '-o',
      'b',
      '--',
      'no-such-program-here',
      '{input}',
    ]);
    assert.equal(missing.code, 127);
    assert.match(missing.stderr, /no-such-program-here/);
    chmodSync(join(place.work, 'shout.sh'), 0o644);
    assert.equal((await cli(place, ['compile', ...REQUEST])).code, 126);
  });

  it('compiles without the cache where it cannot be used, says so once, and --strict makes it 3', async (t) => {
    const place = makePlace(t);
    makeCompiler(place);
    const environment = { VYRE_CACHE_DIR: join(place.work, 'a.txt') };
    const ran = await cli(place, ['compile', ...REQUEST], { environment });
    assert.equal(ran.code, 0);
    assert.match(ran.stderr, /^vyre-cache: expected a directory at .*\nwarning: shouting\n$/);
    assert.equal(output(place), 'HELLO\n');
    assert.equal(
      (await cli(place, ['compile', '-q', ...REQUEST], { environment })).stderr,
      'warning: shouting\n',
    );
    assert.equal((await cli(place, ['compile', '--strict', ...REQUEST], { environment })).code, 3);
  });

  it('runs the bare command when the cache is switched off, whatever a settings file says', async (t) => {
    const place = makePlace(t);
    makeCompiler(place, '#!/bin/sh\nprintf "%s %s" "$MARK" "$HOME" > "$2"\n');
    place.write('vyre-cache.toml', 'broken');
    const environment = { VYRE_CACHE_DISABLE: '1', MARK: 'mine' };
    const ran = await cli(place, ['compile', ...REQUEST], { environment });
    assert.deepEqual(ran, { code: 0, stdout: '', stderr: '' });
    assert.equal(output(place), `mine ${place.home}`);
    assert.deepEqual(readdirSync(place.home), ['work']);
  });

  it('runs a known compiler’s bare command line untouched and counts it', async (t) => {
    const place = makePlace(t);
    place.write('a.c', 'int f(void) { return 1; }\n');
    const ran = await cli(place, ['compile', '--', 'gcc', '-c', 'a.c'], {
      environment: { VYRE_CACHE_STRCIT: '1' },
    });
    assert.deepEqual(ran, { code: 0, stdout: '', stderr: '' });
    assert.ok(statSync(join(place.work, 'a.o')).size > 0);
    const said = await cli(place, ['compile', '-v', '--', 'gcc', '-c', 'a.c']);
    assert.match(said.stderr, /^vyre-cache: not cached \(launcher-unsupported\), took /);
    const counters = json(await cli(place, ['stats', '--json']))['counters'] as Record<string, unknown>;
    assert.deepEqual(counters['uncacheable'], { 'launcher-unsupported': 2 });
    assert.equal(counters['lookups'], 0);
  });
});

describe('get, ls, rm, verify and stats', () => {
  async function filled(
    t: Parameters<typeof makePlace>[0],
  ): Promise<{ place: Place; hex: string; entry: string }> {
    const place = makePlace(t);
    makeCompiler(place);
    assert.equal((await cli(place, ['compile', ...REQUEST])).code, 0);
    const hex = (await cli(place, ['fingerprint', ...REQUEST])).stdout.trimEnd();
    assert.match(hex, /^[0-9a-f]{64}$/);
    return { place, hex, entry: join(place.home, '.cache/vyre/pipelines', `${hex}.bin`) };
  }

  it('fingerprint names what compile stored, and its fields', async (t) => {
    const { place, hex, entry } = await filled(t);
    assert.ok(statSync(entry).isFile());
    const document = json(await cli(place, ['fingerprint', '--json', ...REQUEST]));
    assert.deepEqual(Object.keys(document), ['schema', 'fingerprint', 'fields']);
    assert.equal(document['fingerprint'], hex);
    for (const field of document['fields'] as object[])
      assert.deepEqual(Object.keys(field), ['name', 'value', 'digest']);
  });

  it('get writes the payload to stdout, a file or a folder', async (t) => {
    const { place, hex } = await filled(t);
    assert.deepEqual(await cli(place, ['get', hex]), { code: 0, stdout: 'HELLO\n', stderr: '' });
    assert.equal((await cli(place, ['get', hex.slice(0, 8)])).stdout, 'HELLO\n');
    assert.deepEqual(await cli(place, ['get', hex, '-o', 'copy']), { code: 0, stdout: '', stderr: '' });
    assert.equal(output(place, 'copy'), 'HELLO\n');
    assert.equal((await cli(place, ['get', hex, '--extract', 'folder'])).code, 0);
    assert.equal(output(place, 'folder/a.out'), 'HELLO\n');
    const document = json(await cli(place, ['get', hex, '--json', '-o', 'copy']));
    assert.deepEqual(document, {
      schema: 'vyre-cache.get/1',
      fingerprint: hex,
      outcome: 'hit',
      tier: 'disk',
      reason: null,
      payloadBytes: 6,
    });
  });

  it('get by request delivers as compile does and never compiles', async (t) => {
    const { place } = await filled(t);
    rmSync(join(place.work, 'a.out'));
    const hit = await cli(place, ['get', ...REQUEST]);
    assert.deepEqual(hit, { code: 0, stdout: 'compiling a.txt\n', stderr: 'warning: shouting\n' });
    assert.equal(output(place), 'HELLO\n');
    place.write('a.txt', 'other\n');
    const miss = await cli(place, ['get', ...REQUEST]);
    assert.equal(miss.code, 1);
    assert.match(miss.stderr, /^vyre-cache: miss \([a-z-]+\)/);
    assert.equal(output(place), 'HELLO\n');
  });

  it('get keeps binary bytes off a terminal unless forced', async (t) => {
    const place = makePlace(t);
    makeCompiler(place, '#!/bin/sh\nprintf "a\\000b" > "$2"\n');
    await cli(place, ['compile', ...REQUEST]);
    const hex = (await cli(place, ['fingerprint', ...REQUEST])).stdout.trimEnd();
    const refused = await cli(place, ['get', hex], { terminal: true });
    assert.equal(refused.code, 2);
    assert.equal(refused.stdout, '');
    assert.match(refused.stderr, /-o FILE, or use --force/);
    assert.equal((await cli(place, ['get', hex, '--force'], { terminal: true })).stdout, 'a\0b');
    assert.equal((await cli(place, ['get', hex])).stdout, 'a\0b');
  });

  it('an ambiguous prefix lists what it could mean', async (t) => {
    const { place, hex, entry } = await filled(t);
    const twin = `${hex.slice(0, 63)}${hex.endsWith('0') ? '1' : '0'}`;
    writeFileSync(entry.replace(hex, twin), readFileSync(entry));
    for (const argv of [
      ['get', hex.slice(0, 8)],
      ['rm', hex.slice(0, 8)],
      ['verify', hex.slice(0, 8)],
    ]) {
      const ran = await cli(place, argv);
      assert.equal(ran.code, 2);
      assert.ok(ran.stderr.includes(hex) && ran.stderr.includes(twin));
    }
  });

  it('verify finds damage, get refuses it, and the next compile repairs it', async (t) => {
    const { place, hex, entry } = await filled(t);
    assert.equal((await cli(place, ['verify', hex])).code, 0);
    truncateSync(entry, 10);
    const found = await cli(place, ['verify']);
    assert.equal(found.code, 1);
    assert.match(found.stdout, new RegExp(`^pipelines/${hex}\\.bin  truncated\\n1 entry, .*: 1 damaged\\n$`));
    const document = json(await cli(place, ['verify', '--json']));
    assert.equal(document['damaged'], 1);
    assert.deepEqual(document['problems'], [
      { path: `pipelines/${hex}.bin`, layout: 'vyre', fingerprint: hex, reason: 'truncated' },
    ]);
    const got = await cli(place, ['get', hex]);
    assert.deepEqual(got, { code: 1, stdout: '', stderr: `vyre-cache: miss (truncated), ${hex}\n` });
    assert.equal((await cli(place, ['compile', ...REQUEST])).code, 0);
    assert.match((await cli(place, ['verify', join(place.home, '.cache/vyre')])).stdout, /: all valid\n$/);
  });

  it('rm removes, and says 1 for what is absent', async (t) => {
    const { place, hex, entry } = await filled(t);
    const wrong = await cli(place, ['rm', hex.slice(0, 10), 'oops']);
    assert.equal(wrong.code, 2);
    assert.ok(statSync(entry).isFile());
    const removed = await cli(place, ['rm', hex.slice(0, 10)]);
    assert.equal(removed.code, 0);
    assert.match(removed.stdout, /^Removed 1 entry, /);
    const again = await cli(place, ['rm', hex]);
    assert.deepEqual(again, { code: 1, stdout: '', stderr: `vyre-cache: no entry "${hex}"\n` });
    assert.equal((await cli(place, ['get', hex])).code, 1);
  });

  it('stats and ls show what was done', async (t) => {
    const { place, hex } = await filled(t);
    await cli(place, ['compile', ...REQUEST]);
    const stats = json(await cli(place, ['stats', '--json']));
    const counters = stats['counters'] as Record<string, unknown>;
    assert.equal(stats['entries'], 1);
    assert.equal(stats['hitRatePpm'], 500_000);
    assert.deepEqual(
      [counters['lookups'], counters['hits'], counters['misses'], counters['puts']],
      [2, 1, 1, 1],
    );
    assert.match((await cli(place, ['stats'])).stdout, /^50% hits, /);
    const list = json(await cli(place, ['ls', '--json']))['entries'] as Record<string, unknown>[];
    assert.equal(list[0]?.['fingerprint'], hex);
    assert.deepEqual(list[0]['outputs'], ['a.out']);
    assert.match((await cli(place, ['ls'])).stdout, new RegExp(`^Fingerprint .*\\n${hex.slice(0, 16)} `));
  });

  it('reading makes nothing', async (t) => {
    const place = makePlace(t);
    mkdirSync(join(place.home, 'empty'));
    const words = [
      ['stats'],
      ['ls'],
      ['verify'],
      ['get', '01234567'],
      ['rm', '01234567'],
      ['verify', join(place.home, 'empty')],
    ];
    for (const argv of words) await cli(place, argv);
    assert.deepEqual(readdirSync(join(place.home, 'empty')), []);
    assert.ok(!readdirSync(place.home).includes('.cache'), readdirSync(place.home).join(' '));
  });
});

describe('a process', () => {
  it('ends by the signal that interrupts it, and leaves neither processes nor worker directories', async (t) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) {
      const place = makePlace(t);
      makeCompiler(place, '#!/bin/sh\necho $$ > "$PID_FILE"\necho started >&2\nexec sleep 60 2>&1\n');
      const pidFile = join(place.work, 'pid');
      let sent = false;
      const ran = await start(place, ['compile', '--env', `PID_FILE=${pidFile}`, ...REQUEST], {
        onPoll: (pid) => {
          if (sent || !isWritten(pidFile)) return;
          sent = true;
          process.kill(pid, signal);
        },
      });
      assert.equal(ran.signal, signal);
      assert.ok(!isAlive(Number(readFileSync(pidFile, 'utf8'))), 'the compiler still runs');
      const left = readdirSync(join(place.home, '.cache/vyre')).filter((name) =>
        name.startsWith('worker-dir'),
      );
      assert.deepEqual(left, []);
    }
  });

  it('ends quietly when nobody reads on', async (t) => {
    const place = makePlace(t);
    const ran = await start(place, ['config'], { shell: (command) => `set -o pipefail; ${command} | true` });
    assert.equal(ran.stderr, '');
    assert.equal(ran.code, 0);
  });

  it('says so when its answer cannot be written', async (t) => {
    const ran = await start(makePlace(t), ['config'], { shell: (command) => `${command} > /dev/full` });
    assert.equal(ran.code, 3);
    assert.equal(ran.stderr, 'vyre-cache: stdout cannot be written (ENOSPC)\n');
  });

  it('passes stdin and descriptors on to a bare command line', async (t) => {
    const ran = await start(makePlace(t), ['compile', '--', 'gcc', '-E', '-P', '-x', 'c', '-'], {
      shell: (command) => `echo 'int x;' | ${command}`,
    });
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(ran.stdout, 'int x;\n');
  });
});

function isWritten(path: string): boolean {
  try {
    return readFileSync(path, 'utf8').endsWith('\n');
  } catch {
    return false;
  }
}

/** A zombie that nobody reaps has ended, too. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
