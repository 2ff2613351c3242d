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
