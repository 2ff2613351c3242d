import { errnoOf } from '../model/error.js';

const TRIES = 5;

/**
 * Makes something by way of `new/`, anew where it has gone from there: whoever sweeps by a clock that is ahead takes what
 * others are making for what lay there for a day. Nobody sweeps more than once.
 * @throws what `make` throws otherwise, and in the end.
 */
export function untilStaged<T>(make: () => T): T {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return make();
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || attempt === TRIES) throw error;
    }
  }
}
