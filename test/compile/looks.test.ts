import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { describe, it } from 'node:test';
import { answerOf, deviceIn, isAsSeen, type LookKind } from '../../src/compile/looks.js';
import { notedLooks, unitedLooks } from '../../src/compile/noted-looks.js';
import { systemFiles, type Files, type FileStat } from '../../src/host/files.js';
import { failingFiles } from '../support/fake-host.js';
import { at, opened, scanned, LooksBench } from '../support/looks-bench.js';

interface Again {
  readonly name: string;
  readonly look: (bench: LooksBench) => void;
  readonly change?: (bench: LooksBench) => void;
  readonly isSame: boolean;
}

const stat = (files: Files, path: string): unknown => files.stat(path);
const lstat = (files: Files, path: string): unknown => files.lstat(path);
const wayToNothing = (files: Files, path: string): void => {
  assert.throws(() => files.realpath(path), { code: 'ENOENT' });
};
const followed = (files: Files, path: string): void => {
  files.close(files.open(path, 'follow'));
};
const write =
  (name: string, content = 'another'): Again['look'] =>
  (bench) => {
    bench.write(name, content);
  };
const remove =
  (name: string): Again['look'] =>
  (bench) => {
    rmSync(bench.path(name), { recursive: true });
  };

const AGAIN: readonly Again[] = [
  { name: 'stat, nothing changed', look: at(stat, 'file'), isSame: true },
  { name: 'stat, the file changed', look: at(stat, 'file'), change: write('file'), isSame: false },
  { name: 'stat, the file removed', look: at(stat, 'file'), change: remove('file'), isSame: false },
  {
    name: 'stat, another file of the same size and time',
    look: at(stat, 'file'),
    change: (b) => {
      renameSync(b.path('other'), b.path('file'));
    },
    isSame: false,
  },
  { name: 'stat, still absent', look: at(stat, 'none'), isSame: true },
  { name: 'stat, appears', look: at(stat, 'none'), change: write('none'), isSame: false },
  { name: 'stat, still absent below a file', look: at(stat, 'file/none'), isSame: true },
  {
    name: 'stat, appears where a file became a folder',
    look: at(stat, 'file/none'),
    change: (b) => {
      rmSync(b.path('file'));
      mkdirSync(b.path('file'));
      b.write('file/none', 'x');
    },
    isSame: false,
  },
  {
    name: 'stat, the target of a link changed',
    look: at(stat, 'link'),
    change: write('file'),
    isSame: false,
  },
  {
    name: 'stat, the link leads to another file',
    look: at(stat, 'link'),
    change: (b) => {
      b.repoint('link', 'other');
    },
    isSame: false,
  },
  {
    name: 'stat, a name appears in the folder',
    look: at(stat, 'one'),
    change: write('one/new'),
    isSame: true,
  },
  {
    name: 'stat, the folder is open to others',
    look: at(stat, 'one'),
    change: (b) => {
      chmodSync(b.path('one'), 0o777);
    },
    isSame: false,
  },
  { name: 'lstat, nothing changed', look: at(lstat, 'link'), isSame: true },
  { name: 'lstat, the target changed', look: at(lstat, 'link'), change: write('file'), isSame: true },
  {
    name: 'lstat, the link leads elsewhere',
    look: at(lstat, 'link'),
    change: (b) => {
      b.repoint('link', 'other');
    },
    isSame: false,
  },
  { name: 'lstat, appears', look: at(lstat, 'none'), change: write('none'), isSame: false },
  { name: 'read, nothing changed', look: at(opened, 'file'), isSame: true },
  { name: 'read, the file changed', look: at(opened, 'file'), change: write('file'), isSame: false },
  {
    name: 'read, the file became a link to itself elsewhere',
    look: at(opened, 'file'),
    change: (b) => {
      renameSync(b.path('file'), b.path('moved'));
      symlinkSync('moved', b.path('file'));
    },
    isSame: false,
  },
  { name: 'read through a link, nothing changed', look: at(followed, 'link'), isSame: true },
  {
    name: 'read through a link, the target changed',
    look: at(followed, 'link'),
    change: write('file'),
    isSame: false,
  },
  { name: 'list, nothing changed', look: at((f, path) => f.readDirectory(path), 'one'), isSame: true },
  {
    name: 'list, a name appears',
    look: at((f, path) => f.readDirectory(path), 'one'),
    change: write('one/new'),
    isSame: false,
  },
  {
    name: 'list, a name is gone',
    look: at((f, path) => f.readDirectory(path), 'one'),
    change: remove('one/in'),
    isSame: false,
  },
  {
    name: 'list, a file in it changed',
    look: at((f, path) => f.readDirectory(path), 'one'),
    change: write('one/in'),
    isSame: true,
  },
  { name: 'scan, a name appears', look: at(scanned, 'one'), change: write('one/new'), isSame: false },
  {
    name: 'list, through a link that leads elsewhere',
    look: at((f, path) => f.readDirectory(path), 'way'),
    change: (b) => {
      b.repoint('way', 'two');
    },
    isSame: false,
  },
  { name: 'real, nothing changed', look: at((f, path) => f.realpath(path), 'way/in'), isSame: true },
  {
    name: 'real, the link leads elsewhere',
    look: at((f, path) => f.realpath(path), 'way/in'),
    change: (b) => {
      b.repoint('way', 'two');
    },
    isSame: false,
  },
  {
    name: 'real, a link that leads to the same place another way',
    look: at((f, path) => f.realpath(path), 'way/in'),
    change: (b) => {
      b.repoint('way', '../'.repeat(20) + b.path('one').slice(1));
    },
    isSame: true,
  },
  { name: 'real, still nothing', look: at(wayToNothing, 'none'), isSame: true },
  {
    name: 'real, something now',
    look: at(wayToNothing, 'none'),
    change: (b) => {
      b.write('none', '');
    },
    isSame: false,
  },
  {
    name: 'real, gone',
    look: at((f, path) => f.realpath(path), 'link'),
    change: remove('file'),
    isSame: false,
  },
  { name: 'folder, still one', look: at((f, path) => f.isDirectory(path), 'one'), isSame: true },
  { name: 'folder, still none', look: at((f, path) => f.isDirectory(path), 'none'), isSame: true },
  {
    name: 'folder, a file now',
    look: at((f, path) => f.isDirectory(path), 'one'),
    change: (b) => {
      rmSync(b.path('one'), { recursive: true });
      b.write('one', '');
    },
    isSame: false,
  },
  {
    name: 'folder, a file is written that is none',
    look: at((f, path) => f.isDirectory(path), 'none'),
    change: write('none'),
    isSame: true,
  },
  { name: 'a link read, nothing changed', look: at((f, path) => f.readLink(path), 'link'), isSame: true },
  {
    name: 'a link read that leads elsewhere',
    look: at((f, path) => f.readLink(path), 'link'),
    change: (b) => {
      b.repoint('link', 'other');
    },
    isSame: false,
  },
  {
    name: 'stat, a circle of links now',
    look: at(stat, 'file'),
    change: (b) => {
      b.repoint('file', 'file');
    },
    isSame: false,
  },
  {
    name: 'the same twice',
    look: (b) => {
      for (let run = 0; run < 2; run += 1) b.files.stat(b.path('file'));
    },
    isSame: true,
  },
  {
    name: 'several, the last one changed',
    look: (b) => {
      for (const name of ['other', 'none', 'file']) b.files.stat(b.path(name));
    },
    change: write('file'),
    isSame: false,
  },
];

describe('a look again', () => {
  for (const { name, look, change, isSame } of AGAIN) {
    it(`${isSame ? 'sees the same' : 'sees the difference'}: ${name}`, (t) => {
      const bench = new LooksBench(t);
      look(bench);
      const list = bench.list();
      const noted = list === null ? null : notedLooks(list);
      assert.ok(noted !== null);
      assert.equal(isAsSeen(systemFiles, noted), true, 'before');
      change?.(bench);
      assert.equal(isAsSeen(systemFiles, noted), isSame);
    });
  }

  it('is none of a kind that is unknown, and no look at all is no answer', () => {
    for (const looks of ['t/', '', 'r/']) {
      assert.equal(isAsSeen(systemFiles, { looks, states: [] }), false, looks);
    }
  });

  it('sees another thing where a state is missing, is one too many, or no number', (t) => {
    const bench = new LooksBench(t);
    for (const name of ['file', 'one', 'none']) bench.files.stat(bench.path(name));
    const noted = notedLooks(bench.list() ?? '');
    assert.ok(noted !== null);
    const { looks, states } = noted;
    assert.ok(isAsSeen(systemFiles, { looks, states }));
    assert.ok(!isAsSeen(systemFiles, { looks, states: states.slice(1) }));
    assert.ok(!isAsSeen(systemFiles, { looks, states: states.slice(0, -1) }));
    assert.ok(!isAsSeen(systemFiles, { looks, states: [...states, 0] }));
    for (const index of states.keys()) {
      const changed = states.with(index, String(states[index]));
      assert.ok(!isAsSeen(systemFiles, { looks, states: changed }), `state ${index}`);
    }
  });

  it('throws what is no error of the system', () => {
    const files = failingFiles({
      facts: () => {
        throw new TypeError('made by a test');
      },
    });
    assert.throws(() => isAsSeen(files, { looks: 'a/', states: [] }), TypeError);
  });
});

const SEEN: FileStat = {
  type: 'file',
  device: 1,
  inode: 2,
  bytes: 3,
  mtimeMs: 4.5,
  atimeMs: 5,
  ctimeMs: 6.5,
  mode: 0o644,
  uid: 7,
  links: 1,
};

/** Which facts make another answer, by what is there and how it is looked at. */
const ANSWERS: readonly (readonly [FileStat['type'], LookKind, readonly (keyof FileStat)[]])[] = [
  ['file', 'stat', ['device', 'inode', 'bytes', 'mtimeMs', 'ctimeMs']],
  ['file', 'lstat', ['device', 'inode', 'bytes', 'mtimeMs', 'ctimeMs']],
  ['link', 'lstat', ['device', 'inode', 'bytes', 'mtimeMs', 'ctimeMs']],
  ['directory', 'list', ['device', 'inode', 'bytes', 'mtimeMs', 'ctimeMs']],
  ['directory', 'stat', ['device', 'inode', 'mode', 'uid']],
  ['other', 'stat', ['device', 'inode', 'mode', 'uid']],
];

describe('a list of looks that is none', () => {
  for (const list of [
    '',
    'stat',
    'stat\t/',
    'stat\t/\tfile 1 2',
    'stat\t/\tfile 1 2 x 4 5',
    'stat\t/\tdoor 1 2 3 4',
  ])
    it(`is not noted: ${JSON.stringify(list)}`, () => {
      assert.equal(notedLooks(list), null);
    });
});

describe('an answer', () => {
  for (const [type, kind, facts] of ANSWERS) {
    it(`to ${kind} at a ${type} tells ${facts.join(', ')}`, () => {
      const seen = { ...SEEN, type };
      const keys = [
        'device',
        'inode',
        'bytes',
        'mtimeMs',
        'ctimeMs',
        'mode',
        'uid',
        'links',
        'atimeMs',
      ] as const;
      const telling = keys.filter(
        (key) => answerOf(kind, { ...seen, [key]: seen[key] + 0.25 }) !== answerOf(kind, seen),
      );
      assert.deepEqual(telling, facts);
      assert.equal(deviceIn(answerOf(kind, seen)), '1');
    });
  }

  it('tells what is there from nothing and from each other', () => {
    const types = ['file', 'directory', 'link', 'other'] as const;
    const answers = new Set(types.map((type) => answerOf('lstat', { ...SEEN, type })));
    assert.equal(answers.add(answerOf('lstat', null)).size, 5);
  });

  it('tells of no device where nothing was there, or another question was asked', () => {
    for (const answer of ['absent', 'true', '/file 1 x', '']) assert.equal(deviceIn(answer), null);
  });
});

describe('lists of looks together', () => {
  const one = { looks: 's/file\na/none\nd/folder', states: [1, 2, 3, 4, 5, 6] };

  it('have each look once, with its states', () => {
    const other = { looks: 'q/place\ns/file\nr/a\t/b', states: [7, 8, 9, 0, 1, 2, 3, 4, 5, 6] };
    assert.deepEqual(unitedLooks(one, other), {
      looks: 's/file\na/none\nd/folder\nq/place\nr/a\t/b',
      states: [1, 2, 3, 4, 5, 6, 7, 8, 9, 0],
    });
  });

  it('keep two that have seen different things', () => {
    const other = { looks: 's/file', states: [1, 2, 3, 4, 5, 7] };
    assert.deepEqual(unitedLooks(one, other), {
      looks: `${one.looks}\ns/file`,
      states: [...one.states, ...other.states],
    });
  });

  it('are one of them where the other one is empty', () => {
    const none = { looks: '', states: [] };
    assert.deepEqual(unitedLooks(one, none), one);
    assert.deepEqual(unitedLooks(none, one), one);
  });
});
