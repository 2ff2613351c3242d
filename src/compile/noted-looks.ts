import { TYPE } from '../host/files.js';
import { AGAIN, LOOK_END, NOTHING, PART_END, PLACE_STATES, TIMED_STATES, type Looks } from './looks.js';

const TYPE_OF: Readonly<Record<string, number>> = {
  file: TYPE.file,
  directory: TYPE.directory,
  link: TYPE.link,
  other: 0,
};

/** A list of looks, a line each with kind, path and answer, for {@link isAsSeen}; null where a line is none. */
export function notedLooks(list: string): Looks | null {
  const states: number[] = [];
  const lines: string[] = [];
  for (const line of list.split(LOOK_END)) {
    const [kind, path, answer] = line.split(PART_END);
    if (kind === undefined || path === undefined || answer === undefined) return null;
    const noted = noteOf(kind, path, answer);
    if (noted === null) return null;
    lines.push(noted.look);
    states.push(...noted.states);
  }
  return { looks: lines.join(LOOK_END), states };
}

interface NotedLook {
  readonly look: string;
  readonly states: readonly number[];
}

function noteOf(kind: string, path: string, answer: string): NotedLook | null {
  if (kind === 'real') return { look: `${AGAIN.real}${path}${PART_END}${answer}`, states: [] };
  if (kind === 'folder') {
    return { look: `${answer === 'true' ? AGAIN.folder : AGAIN.noFolder}${path}`, states: [] };
  }
  const isLink = kind === 'lstat';
  if (answer === NOTHING) {
    return { look: `${isLink ? AGAIN.nothingLink : AGAIN.nothing}${path}`, states: [] };
  }
  const [word = '', ...rest] = answer.split(' ');
  const type = TYPE_OF[word];
  const numbers = rest.map(Number);
  if (type === undefined || numbers.some(Number.isNaN)) return null;
  const [device = 0, inode = 0, third = 0, ...others] = numbers;
  if (numbers.length === TIMED_STATES - 1) {
    const letter = isLink ? AGAIN.timedLink : AGAIN.timed;
    return { look: `${letter}${path}`, states: [type, device, inode, third, ...others] };
  }
  if (numbers.length !== PLACE_STATES) return null;
  const letter = isLink ? AGAIN.placeLink : AGAIN.place;
  return { look: `${letter}${path}`, states: [type | third, device, inode, ...others] };
}

/** All looks of both, each of them once. */
export function unitedLooks(one: Looks, other: Looks): Looks {
  const found = new Map<string, { readonly line: string; readonly states: readonly unknown[] }>();
  for (const { looks, states } of [one, other]) {
    let at = 0;
    for (const line of looks === '' ? [] : looks.split(LOOK_END)) {
      const end = at + countOfStates(line);
      const own = states.slice(at, end);
      found.set(JSON.stringify([line, own]), { line, states: own });
      at = end;
    }
  }
  const all = [...found.values()];
  return {
    looks: all.map(({ line }) => line).join(LOOK_END),
    states: all.flatMap(({ states }) => states),
  };
}

function countOfStates(line: string): number {
  switch (line.slice(0, 1)) {
    case AGAIN.timed:
    case AGAIN.timedLink:
      return TIMED_STATES;
    case AGAIN.place:
    case AGAIN.placeLink:
      return PLACE_STATES;
    default:
      return 0;
  }
}
