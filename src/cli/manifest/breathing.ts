import type { Clock } from '../../host/clock.js';

/** Few enough that Ctrl-C is heard at once. */
const BREATH_ITEMS = 64;

/**
 * The items of a list in pieces, with pauses between them in which signals are heard: a pause for each item would cost
 * more than the item. @throws the reason of `signal` when it is aborted.
 */
export async function* breathing<T>(
  clock: Clock,
  items: readonly T[],
  { signal }: { readonly signal?: AbortSignal },
): AsyncGenerator<readonly T[], void, undefined> {
  for (let start = 0; start < items.length; start += BREATH_ITEMS) {
    await clock.breathe();
    signal?.throwIfAborted();
    yield items.slice(start, start + BREATH_ITEMS);
  }
}
