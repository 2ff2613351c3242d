import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { KNOWN_VARIABLES, SETTINGS } from '../../src/cli/settings/definitions.js';
import { renderSettingsTable } from '../../src/cli/settings/documentation.js';
import type { FileStat, Files } from '../../src/host/files.js';
import { systemHost, type Host } from '../../src/host/host.js';
import { cli, makePlace, type Place } from './support.js';

interface ShownSetting {
  readonly value: unknown;
  readonly origin: string;
}

function parseSettings(text: string): ReadonlyMap<string, ShownSetting> {
  const document = JSON.parse(text) as { settings: { key: string; value: unknown; origin: string }[] };
  return new Map(document.settings.map(({ key, value, origin }) => [key, { value, origin }]));
}

async function setting(
  place: Place,
  key: string,
  options: {
    readonly argv?: readonly string[];
    readonly environment?: Record<string, string>;
    readonly cwd?: string;
  } = {},
): Promise<ShownSetting> {
  const ran = await cli(place, ['config', '--json', ...(options.argv ?? [])], options);
  assert.equal(ran.code, 0, ran.stderr);
  return parseSettings(ran.stdout).get(key) ?? { value: undefined, origin: 'missing' };
}

function userFile(place: Place, text: string): string {
  const folder = join(place.home, '.config', 'vyre-cache');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'config.toml');
  writeFileSync(path, text);
  return path;
}

describe('the order of the sources', () => {
  it('is flags, variables, the project, the user, defaults', async (t) => {
    const place = makePlace(t);
    assert.deepEqual(await setting(place, 'timeout'), { value: null, origin: 'default' });
    const user = userFile(place, 'timeout = "1m"');
    assert.deepEqual(await setting(place, 'timeout'), { value: '1m', origin: user });
    const project = place.write('vyre-cache.toml', 'timeout = "2m"');
    assert.deepEqual(await setting(place, 'timeout'), { value: '2m', origin: project });
    const environment = { VYRE_CACHE_TIMEOUT: '3m' };
    assert.deepEqual(await setting(place, 'timeout', { environment }), {
      value: '3m',
      origin: 'VYRE_CACHE_TIMEOUT',
    });
    const argv = ['--timeout', '4m'];
    assert.deepEqual(await setting(place, 'timeout', { environment, argv }), {
      value: '4m',
      origin: '--timeout',
    });
  });

  it('takes a key that the project does not set from the user', async (t) => {
    const place = makePlace(t);
    userFile(place, 'timeout = "1m"\nstrict = true');
    place.write('vyre-cache.toml', 'timeout = "2m"');
    assert.equal((await setting(place, 'strict')).value, true);
  });

  it('counts an empty variable as unset', async (t) => {
    const place = makePlace(t);
    assert.equal((await setting(place, 'timeout', { environment: { VYRE_CACHE_TIMEOUT: '' } })).value, null);
  });

  it('names a file with --config in place of all others', async (t) => {
    const place = makePlace(t);
    userFile(place, 'strict = true');
    place.write('vyre-cache.toml', 'timeout = "2m"');
    const named = place.write('other.toml', 'memory = "1GiB"');
    const argv = ['--config', 'other.toml'];
    assert.deepEqual(await setting(place, 'memory', { argv }), { value: '1GiB', origin: named });
    assert.equal((await setting(place, 'strict', { argv })).value, false);
    assert.equal((await setting(place, 'timeout', { argv })).value, null);
    assert.equal(
      (await setting(place, 'memory', { environment: { VYRE_CACHE_CONFIG: named } })).value,
      '1GiB',
    );
  });

  it('refuses a named file that is missing', async (t) => {
    const ran = await cli(makePlace(t), ['config', '--config', 'none.toml']);
    assert.equal(ran.code, 2);
    assert.match(
      ran.stderr,
      /^vyre-cache: expected a readable settings file, got ".*none\.toml" \(ENOENT\)\nhint: /,
    );
  });
});

describe('where files are looked for', () => {
  it('finds the project’s file up the tree, up to $HOME', async (t) => {
    const place = makePlace(t);
    const deep = join(place.work, 'a', 'b');
    mkdirSync(deep, { recursive: true });
    writeFileSync(join(place.home, 'vyre-cache.toml'), 'timeout = "1m"');
    assert.equal((await setting(place, 'timeout', { cwd: deep })).value, '1m');
    place.write('vyre-cache.toml', 'timeout = "2m"');
    assert.equal((await setting(place, 'timeout', { cwd: deep })).value, '2m');
  });

  it('does not look above $HOME', async (t) => {
    const place = makePlace(t);
    const inner = join(place.work, 'home', 'project');
    mkdirSync(inner, { recursive: true });
    place.write('vyre-cache.toml', 'timeout = "2m"');
    const environment = { HOME: join(place.work, 'home') };
    assert.equal((await setting(place, 'timeout', { cwd: inner, environment })).value, null);
  });

  it('counts a relative XDG_CONFIG_HOME as unset', async (t) => {
    const place = makePlace(t);
    userFile(place, 'timeout = "1m"');
    assert.equal((await setting(place, 'timeout', { environment: { XDG_CONFIG_HOME: 'x' } })).value, '1m');
    assert.equal(
      (await setting(place, 'timeout', { environment: { XDG_CONFIG_HOME: join(place.home, 'x') } })).value,
      null,
    );
  });

  it('follows a link to a settings file', async (t) => {
    const place = makePlace(t);
    const target = place.write('dotfiles/cache.toml', 'timeout = "9m"');
    mkdirSync(join(place.home, '.config', 'vyre-cache'), { recursive: true });
    symlinkSync(target, join(place.home, '.config', 'vyre-cache', 'config.toml'));
    assert.equal((await setting(place, 'timeout')).value, '9m');
  });

  it('shows all places with `config path`, even when a file is broken', async (t) => {
    const place = makePlace(t);
    const project = place.write('vyre-cache.toml', 'broken');
    const ran = await cli(place, ['config', 'path']);
    assert.equal(ran.code, 0);
    assert.equal(
      ran.stdout,
      `project  found   ${project}\nuser     absent  ${join(place.home, '.config/vyre-cache/config.toml')}\n`,
    );
  });
});

describe('mistakes', () => {
  const files: readonly (readonly [string, RegExp])[] = [
    [
      'timeot = "5m"',
      /expected a known setting, got "timeot" in ".*vyre-cache\.toml"\nhint: Did you mean timeout\?/,
    ],
    ['[care]\nttl = "7d"', /expected a known setting, got "care" in /],
    [
      '[prune]\nttll = "7d"',
      /expected a known setting, got "prune\.ttll" in .*\nhint: Did you mean prune\.ttl\?/,
    ],
    ['prune = "7d"', /expected a table \[prune\] in ".*vyre-cache\.toml", got "7d"/],
    ['[[prune]]\nttl = "7d"', /expected a table \[prune\] in ".*vyre-cache\.toml", got "a list"/],
    ['[prune]\nttl = 7', /expected quoted text \("30m"\), got "7" for "prune\.ttl" in /],
    [
      '[prune]\nmax_entries = 0',
      /expected a number above zero, or --all .*, got "0" for "prune\.max_entries"/,
    ],
    ['[prune]\nmax_entries = 1.5', /expected a whole number such as 8, got "1\.5" for "prune\.max_entries"/],
    [
      '[prune]\nmax_entries = [1]',
      /expected a whole number such as 8, got "a list" for "prune\.max_entries"/,
    ],
    [
      '[prune]\nlow_water = "101%"',
      /expected whole percent from 0% to 100%, got "101%" for "prune\.low_water"/,
    ],
    ['[prune]\nmin_free = "10"', /expected a size such as 5GiB, or whole percent up to 100%, got "10"/],
    ['jobs = -1', /expected a whole number such as 8, got "-1" for "jobs" in /],
    ['timeout = 5', /expected quoted text \("30m"\), got "5" for "timeout" in ".*vyre-cache\.toml"/],
    ['timeout = "5"', /expected a duration such as 30m, got "5" for "timeout" in /],
    ['max_payload = "1gb"', /expected a size such as 500MB or 5GiB, got "1gb" for "max_payload" in /],
    ['strict = "yes"', /expected true or false, got "yes" for "strict" in /],
    ['strict = [true]', /expected true or false, got "a list" for "strict" in /],
    ['color = "blue"', /expected one of auto, always, never, got "blue" for "color" in /],
    ['timeout = "0s"', /expected a time limit above zero, or none at all for no limit, got "0s"/],
    ['timeout = ', /expected TOML in ".*vyre-cache\.toml", got line 1: /],
  ];
  for (const [text, expected] of files) {
    it(`are named with file and key: ${JSON.stringify(text)}`, async (t) => {
      const place = makePlace(t);
      place.write('vyre-cache.toml', text);
      const ran = await cli(place, ['config']);
      assert.equal(ran.code, 2);
      assert.match(ran.stderr, expected);
      assert.equal(ran.stdout, '');
    });
  }

  it('in a flag or a variable are named with it', async (t) => {
    const place = makePlace(t);
    const flag = await cli(place, ['config', '--timeout', '7']);
    assert.equal(flag.code, 2);
    assert.equal(flag.stderr, 'vyre-cache: expected a duration such as 30m, got "7" for --timeout\n');
    const variable = await cli(place, ['config'], { environment: { VYRE_CACHE_STRICT: 'maybe' } });
    assert.equal(variable.code, 2);
    assert.equal(variable.stderr, 'vyre-cache: expected 1 or 0, got "maybe" for VYRE_CACHE_STRICT\n');
  });

  it('in the name of a variable are a warning with the nearest name, and -q hides it', async (t) => {
    const place = makePlace(t);
    const environment = { VYRE_CACHE_STRCIT: '1', VYRE_CACHE_ACTIVE: 'x' };
    const ran = await cli(place, ['config'], { environment });
    assert.equal(ran.code, 0);
    assert.equal(
      ran.stderr,
      'vyre-cache: the variable "VYRE_CACHE_STRCIT" is unknown and ignored\nhint: Did you mean VYRE_CACHE_STRICT?\n',
    );
    assert.equal((await cli(place, ['config', '-q'], { environment })).stderr, '');
  });
});

const STRANGER = 4321;

/** The real outside, with other owners and modes for some paths. */
function withStats(changed: (path: string) => Partial<FileStat>): Host {
  const real = systemHost();
  const paths = new Map<number, string>();
  const change = (stat: FileStat | null, path: string): FileStat | null =>
    stat === null ? null : { ...stat, ...changed(path) };
  const files: Files = {
    ...real.files,
    stat: (path) => change(real.files.stat(path), path),
    lstat: (path) => change(real.files.lstat(path), path),
    open: (path, flags, mode) => {
      const fd = real.files.open(path, flags, mode);
      paths.set(fd, path);
      return fd;
    },
    fstat: (fd) => ({ ...real.files.fstat(fd), ...changed(paths.get(fd) ?? '') }),
  };
  return { ...real, files };
}

describe('who wrote a settings file', () => {
  it('may be root', async (t) => {
    const place = makePlace(t);
    place.write('vyre-cache.toml', 'timeout = "1m"');
    const real = systemHost();
    const files = { ...real.files, fstat: (fd: number) => ({ ...real.files.fstat(fd), uid: 0 }) };
    const ran = await cli(place, ['config'], { host: { ...real, files, user: { uid: 4321 } } });
    assert.equal(ran.code, 0);
  });

  it('is refused when the owner is a third user', async (t) => {
    const place = makePlace(t);
    const path = place.write('vyre-cache.toml', 'timeout = "1m"');
    const real = systemHost();
    const files = { ...real.files, fstat: (fd: number) => ({ ...real.files.fstat(fd), uid: 4321 }) };
    const ran = await cli(place, ['config'], { host: { ...real, files } });
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, new RegExp(`got "${path}" of user 4321\\nhint: Read it, then make it yours`));
  });

  for (const [name, folder, put] of [
    ['in a folder that others may write to', { mode: 0o1777 }, 'file'],
    ['in a folder of somebody else', { uid: STRANGER }, 'file'],
    ['that is a link of theirs to a file of the user, where others may write', { mode: 0o1777 }, 'link'],
    ['that is no file at all, where others may write', { mode: 0o1777 }, 'folder'],
  ] as const) {
    it(`does not matter up the tree ${name}: it is ignored with one line that names it`, async (t) => {
      const place = makePlace(t);
      const planted = place.write('vyre-cache.toml', 'broken');
      if (put !== 'file') rmSync(planted);
      if (put === 'link') symlinkSync(place.write('notes.txt', 'no TOML'), planted);
      if (put === 'folder') mkdirSync(planted);
      const inner = join(place.work, 'mine', 'deep');
      mkdirSync(inner, { recursive: true });
      writeFileSync(join(place.home, 'vyre-cache.toml'), 'timeout = "9m"');
      const host = withStats((path) => {
        if (path === place.work) return folder;
        return path === planted ? { uid: STRANGER } : {};
      });
      const ran = await cli(place, ['config', '--json'], { cwd: inner, host });
      assert.equal(ran.code, 0, ran.stderr);
      assert.equal(ran.stderr.split(`"${planted}" is ignored`).length, 2, ran.stderr);
      assert.equal(parseSettings(ran.stdout).get('timeout')?.value, '9m');
    });
  }

  it('is refused up the tree when a stranger’s file lies in a folder of the user', async (t) => {
    const place = makePlace(t);
    const planted = place.write('vyre-cache.toml', 'timeout = "1m"');
    const inner = join(place.work, 'deep');
    mkdirSync(inner);
    const host = withStats((path) => (path === planted ? { uid: STRANGER } : {}));
    const ran = await cli(place, ['config'], { cwd: inner, host });
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, new RegExp(`got "${planted}" of user ${STRANGER}\\nhint: Read it`));
  });

  it('counts where others may write when the file is the user’s own', async (t) => {
    const place = makePlace(t);
    place.write('vyre-cache.toml', 'timeout = "1m"');
    const host = withStats((path) => (path === place.work ? { mode: 0o1777 } : {}));
    const ran = await cli(place, ['config', '--json'], { host });
    assert.equal(parseSettings(ran.stdout).get('timeout')?.value, '1m');
  });

  it('is refused when others may write it; a project’s file may be writable by the group', async (t) => {
    const place = makePlace(t);
    const project = place.write('vyre-cache.toml', 'timeout = "1m"');
    chmodSync(project, 0o664);
    assert.equal((await setting(place, 'timeout')).value, '1m');
    chmodSync(project, 0o666);
    const ran = await cli(place, ['config']);
    assert.equal(ran.code, 2);
    assert.match(
      ran.stderr,
      /expected settings that only their owner may write.*mode 666\nhint: .*chmod go-w/,
    );
    chmodSync(project, 0o600);
    chmodSync(userFile(place, ''), 0o664);
    assert.equal((await cli(place, ['config'])).code, 2);
  });
});

describe('the cache directory in a project’s file', () => {
  it('counts after `config trust`, until the file changes', async (t) => {
    const place = makePlace(t);
    const file = place.write('vyre-cache.toml', 'cache_dir = "cache"');
    const before = await cli(place, ['config', '-q', '--json']);
    assert.equal(before.code, 0);
    assert.match(
      before.stderr,
      /expected trust in ".*vyre-cache\.toml" before its cache_dir counts.*\nhint: .*config trust/,
    );
    assert.equal(parseSettings(before.stdout).get('cache_dir')?.origin, 'default');

    assert.equal((await cli(place, ['config', 'trust'])).code, 0);
    const state = join(place.home, '.local', 'state', 'vyre-cache');
    assert.equal(statSync(state).mode & 0o777, 0o700);
    assert.equal(statSync(join(state, 'trusted.json')).mode & 0o777, 0o600);
    assert.deepEqual(await setting(place, 'cache_dir'), { value: join(place.work, 'cache'), origin: file });

    writeFileSync(file, 'cache_dir = "other"');
    assert.equal((await setting(place, 'cache_dir')).origin, 'default');
  });

  it('is not trusted by a list that others may write', async (t) => {
    const place = makePlace(t);
    place.write('vyre-cache.toml', 'cache_dir = "cache"');
    await cli(place, ['config', 'trust']);
    chmodSync(join(place.home, '.local/state/vyre-cache/trusted.json'), 0o666);
    assert.equal((await setting(place, 'cache_dir')).origin, 'default');
  });

  it('needs no trust in the user’s file, where ~/ is the home directory', async (t) => {
    const place = makePlace(t);
    const file = userFile(place, 'cache_dir = "~/mine"');
    assert.deepEqual(await setting(place, 'cache_dir'), { value: join(place.home, 'mine'), origin: file });
  });
});

describe('the root', () => {
  const dir = (place: Place): string => join(place.home, '.cache', 'vyre');

  it('is $XDG_CACHE_HOME/vyre, else $HOME/.cache/vyre; relative and empty ones count as unset', async (t) => {
    const place = makePlace(t);
    const root = async (environment: Record<string, string>): Promise<unknown> => {
      const ran = await cli(place, ['stats', '--json'], { environment });
      assert.equal(ran.code, 0, ran.stderr);
      return (JSON.parse(ran.stdout) as { root: unknown }).root;
    };
    assert.equal(await root({}), dir(place));
    assert.equal(await root({ XDG_CACHE_HOME: '' }), dir(place));
    assert.equal(await root({ XDG_CACHE_HOME: 'relative' }), dir(place));
    assert.equal(await root({ XDG_CACHE_HOME: join(place.home, 'x') }), join(place.home, 'x', 'vyre'));
    assert.equal(await root({ VYRE_CACHE_DIR: join(place.home, 'y') }), join(place.home, 'y'));
    assert.equal(await root({ VYRE_CACHE_DIR: '' }), dir(place));
  });

  it('is never guessed', async (t) => {
    for (const HOME of ['', 'relative']) {
      const ran = await cli(makePlace(t), ['stats'], { environment: { HOME } });
      assert.equal(ran.code, 2);
      assert.match(ran.stderr, /expected a cache directory, got none/);
    }
  });

  it('is named once', async (t) => {
    const ran = await cli(makePlace(t), ['stats', 'a', '--cache-dir', 'b']);
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, /expected one cache directory, got "a" and --cache-dir "b"/);
  });

  it('may be absent or empty where it holds anyway, typed out or not', async (t) => {
    const place = makePlace(t);
    for (const argv of [
      ['stats'],
      ['stats', dir(place)],
      ['verify', dir(place)],
      ['ls', '--cache-dir', dir(place)],
    ]) {
      const ran = await cli(place, argv);
      assert.equal(ran.code, 0, ran.stderr);
    }
    mkdirSync(join(place.home, 'empty'));
    assert.equal((await cli(place, ['verify', join(place.home, 'empty')])).code, 0);
  });

  it('must exist and be a cache when it is typed', async (t) => {
    const place = makePlace(t);
    place.write('notes.txt', 'x');
    const cases: readonly (readonly [string, RegExp])[] = [
      [join(place.home, 'none'), /found nothing at/],
      [place.work, /which has no known layout/],
      [join(place.work, 'notes.txt'), /found a file at/],
    ];
    for (const [path, expected] of cases) {
      for (const argv of [
        ['verify', path],
        ['stats', path],
        ['ls', path],
        ['rm', '--cache-dir', path, '01234567'],
      ]) {
        const ran = await cli(place, argv);
        assert.equal(ran.code, 3, argv.join(' '));
        assert.match(ran.stderr, expected);
        assert.equal(ran.stdout, '');
      }
    }
  });
});

describe('the rules of prune', () => {
  it('stand in a table of a file, counts without quotes, and are shown as they stand there', async (t) => {
    const place = makePlace(t);
    const lines = ['ttl = "8d"', 'max_entries = 100', 'min_free = "10%"', 'low_water = "70%"'];
    const file = userFile(place, ['jobs = 8', '[prune]', ...lines].join('\n'));
    for (const [key, value] of [
      ['jobs', 8],
      ['prune.ttl', '8d'],
      ['prune.max_entries', 100],
      ['prune.min_free', '10%'],
      ['prune.low_water', '70%'],
    ] as const) {
      assert.deepEqual(await setting(place, key), { value, origin: file });
    }
    assert.deepEqual(await setting(place, 'prune.max_size'), { value: null, origin: 'default' });
  });

  it('may come from vyre’s variables, weaker than any file', async (t) => {
    const place = makePlace(t);
    const environment = { VYRE_DISK_CACHE_MAX_BYTES: '4294967296', VYRE_DISK_CACHE_TTL_DAYS: '30' };
    assert.deepEqual(await setting(place, 'prune.max_size', { environment }), {
      value: '4GiB',
      origin: 'VYRE_DISK_CACHE_MAX_BYTES',
    });
    const file = userFile(place, '[prune]\nttl = "8d"');
    assert.deepEqual(await setting(place, 'prune.ttl', { environment }), { value: '8d', origin: file });
  });
});

describe('the table of settings', () => {
  it('names every variable and flag once and is what the documents show', () => {
    assert.equal(new Set(KNOWN_VARIABLES).size, KNOWN_VARIABLES.length);
    const table = renderSettingsTable();
    for (const { key, variable } of SETTINGS) {
      assert.equal(table.split(`| \`${key}\` |`).length, 2);
      assert.ok(table.includes(`| \`${variable}\` |`));
    }
    assert.ok(table.includes('| `max_payload` |  | `VYRE_CACHE_MAX_PAYLOAD` | `64MiB` | yes | '));
  });
});
