import assert from 'node:assert/strict';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { BatchLooks, OwnFiles } from '../../src/compile/recorded-looks.js';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import { LATER_MS, LooksBench, opened } from '../support/looks-bench.js';

/** What job 1 alone names; job 2 names nothing of its own. */
function lists(
  bench: LooksBench,
  read: readonly string[],
  outputs: readonly string[] = [],
): BatchLooks | null {
  const own = (names: readonly string[]): ReadonlySet<string> =>
    new Set(names.map((name) => bench.path(name)));
  const files: readonly (readonly [number, OwnFiles])[] = [
    [1, { read: own(read), outputs: own(outputs) }],
    [2, { read: own([]), outputs: own([]) }],
  ];
  bench.looks.stop();
  return bench.looks.listsBeside(new HomePaths(bench.path('home')), new Map(files));
}

/** Kind and path of each look. */
function seenIn(bench: LooksBench, list: string | undefined): readonly string[] | null {
  if (list === undefined) return null;
  const looks = list.split('\n').filter((look) => look !== '');
  return looks.map((look) => look.split('\t').slice(0, 2).join(' ').replace(`${bench.folder}/`, ''));
}

interface Divided {
  readonly shared: readonly string[] | null;
  readonly own: readonly string[] | null;
}

function divided(bench: LooksBench, read: readonly string[], outputs: readonly string[] = []): Divided {
  const found = lists(bench, read, outputs);
  return { shared: seenIn(bench, found?.shared), own: seenIn(bench, found?.own.get(1)) };
}

const SHARED: Divided = { shared: ['stat file'], own: [] };

interface Case {
  readonly name: string;
  readonly look: (bench: LooksBench, look: () => unknown) => void;
  readonly read?: readonly string[];
}

/** Looks at `file` that do not belong to job 1 alone. */
const NOT_OWN: readonly Case[] = [
  { name: 'outside of all turns', look: (_, look) => look() },
  { name: 'in the turn of another job', look: ({ looks }, look) => looks.inTurnOf(2, look) },
  {
    name: 'in the turns of two jobs',
    look: ({ looks }, look) => {
      looks.inTurnOf(1, look);
      looks.inTurnOf(2, look);
    },
  },
  {
    name: 'in its turn, and later outside',
    look: ({ looks }, look) => {
      looks.inTurnOf(1, look);
      look();
    },
  },
  {
    name: 'outside, and later in its turn',
    look: ({ looks }, look) => {
      look();
      looks.inTurnOf(1, look);
    },
  },
  {
    name: 'in its turn, for all jobs',
    look: ({ looks }, look) => looks.inTurnOf(1, () => looks.forAllJobs(look)),
  },
  {
    name: 'in its turn, where others name the file, too',
    look: ({ looks }, look) => looks.inTurnOf(1, look),
    read: [],
  },
];

describe('a look at a file that a job reads is for all jobs when it was made', () => {
  for (const { name, look, read = ['file'] } of NOT_OWN) {
    it(name, (t) => {
      const bench = new LooksBench(t);
      look(bench, () => bench.files.stat(bench.path('file')));
      assert.deepEqual(divided(bench, read), SHARED);
    });
  }
});

describe('of the looks in the turn of a job', () => {
  it('those at the files that it alone names are its own, those at other files and at folders are not', (t) => {
    const bench = new LooksBench(t);
    bench.looks.inTurnOf(1, () => {
      for (const name of ['file', 'other', 'one']) bench.files.stat(bench.path(name));
      opened(bench.files, bench.path('file'));
      bench.files.realpath(bench.path('file'));
    });
    assert.deepEqual(divided(bench, ['file', 'one']), {
      shared: ['stat other', 'stat one'],
      own: ['stat file', 'lstat file', 'real file'],
    });
  });

  it('a file that is not there is for all', (t) => {
    const bench = new LooksBench(t);
    bench.looks.inTurnOf(1, () => bench.files.stat(bench.path('none')));
    assert.deepEqual(divided(bench, ['none']), { shared: ['stat none'], own: [] });
  });

  it('what the home has noted of its compilations is its own', (t) => {
    const bench = new LooksBench(t);
    const { dependencySets } = new HomePaths(bench.path('home'));
    bench.looks.inTurnOf(1, () => bench.files.lstat(join(dependencySets, 'x')));
    bench.looks.inTurnOf(2, () => bench.files.lstat(join(dependencySets, 'y')));
    const found = lists(bench, []);
    assert.deepEqual(
      [1, 2].map((job) => found?.own.get(job)),
      ['x', 'y'].map((name) => `lstat\t${join(dependencySets, name)}\tabsent`),
    );
    assert.equal(found?.shared, '');
  });

  it('what lies in the place of an output that it alone names is left to who delivers', (t) => {
    const bench = new LooksBench(t);
    bench.looks.inTurnOf(1, () => bench.files.stat(bench.path('file')));
    assert.deepEqual(divided(bench, [], ['file']), { shared: [], own: [] });
  });

  it('an output that others have looked at counts', (t) => {
    const bench = new LooksBench(t);
    for (const job of [1, 2]) bench.looks.inTurnOf(job, () => bench.files.stat(bench.path('file')));
    assert.deepEqual(divided(bench, [], ['file']), SHARED);
  });

  it('those after a pause do not count, and the next turn has none', (t) => {
    const bench = new LooksBench(t);
    bench.looks.inTurnOf(1, () => {
      bench.looks.pause();
      bench.files.stat(bench.path('other'));
    });
    bench.looks.inTurnOf(2, () => bench.files.stat(bench.path('file')));
    assert.deepEqual(divided(bench, []), SHARED);
  });
});

describe('what proves nothing', () => {
  it('of its own files leaves a job without a list, and the others with theirs', (t) => {
    const bench = new LooksBench(t);
    bench.clock.advance(-LATER_MS);
    bench.looks.inTurnOf(1, () => bench.files.stat(bench.path('file')));
    const found = lists(bench, ['file']);
    assert.deepEqual([found?.own.has(1), found?.own.has(2)], [false, true]);
  });

  it('of the files of all leaves no lists', (t) => {
    const bench = new LooksBench(t);
    bench.clock.advance(-LATER_MS);
    bench.looks.inTurnOf(1, () => bench.files.stat(bench.path('file')));
    assert.equal(lists(bench, []), null);
  });

  it('is anything after somebody has given up', (t) => {
    const bench = new LooksBench(t);
    bench.files.stat(bench.path('file'));
    bench.looks.giveUp();
    bench.files.stat(bench.path('other'));
    assert.equal(lists(bench, []), null);
  });

  it('is a file system without exact times, whosever the file is', (t) => {
    const bench = new LooksBench(t, { isLocal: () => false });
    bench.looks.inTurnOf(1, () => bench.files.stat(bench.path('file')));
    assert.equal(lists(bench, ['file']), null);
  });
});

describe('absent names', () => {
  const absentIn = (bench: LooksBench, folder: string): void => {
    for (const name of ['a', 'b', 'c']) bench.files.stat(bench.path(`${folder}/${name}`));
  };

  it('of one folder become its list', (t) => {
    const bench = new LooksBench(t);
    absentIn(bench, 'one');
    assert.deepEqual(divided(bench, ['two/in']).shared, ['list one']);
  });

  for (const [name, read, outputs] of [
    ['read', ['one/in'], []],
    ['written', [], ['one/in']],
    ['written further down', [], ['one/deep/out']],
  ] as const) {
    it(`of a folder in which files are ${name} stay`, (t) => {
      const bench = new LooksBench(t);
      absentIn(bench, 'one');
      assert.deepEqual(divided(bench, read, outputs).shared, ['stat one/a', 'stat one/b', 'stat one/c']);
    });
  }
});

it('what is left out is not noted', (t) => {
  const bench = new LooksBench(t);
  const home = new HomePaths(bench.path('home'));
  mkdirSync(home.store, { recursive: true });
  const entry = join(home.store, 'x.bin');
  writeFileSync(entry, '');
  utimesSync(entry, 0, 0);
  bench.looks.leaveOut(home);
  opened(bench.files, entry);
  assert.notEqual(bench.files.stat(entry), null);
  assert.deepEqual(divided(bench, []), { shared: [], own: [] });
});
