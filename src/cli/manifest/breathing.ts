import type { Clock } from '../../host/clock.js';

/** Few enough that Ctrl-C is heard at once. */
const BREATH_ITEMS = 64;

/** The items of a list, with pauses in which signals are heard. @throws the reason of `signal` when it is aborted. */
export async function* breathing<T>(
  clock: Clock,
  items: readonly T[],
  { signal }: { readonly signal?: AbortSignal },
): AsyncGenerator<T, void, undefined> {
  for (const [index, item] of items.entries()) {
    if (index % BREATH_ITEMS === 0) {
      await clock.breathe();
      signal?.throwIfAborted();
    }
    yield item;
  }
}
