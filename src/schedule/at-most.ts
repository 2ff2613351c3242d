/**
 * Works on all items, at most `limit` at a time, in their order.
 * @throws what `work` throws first, at once: what runs beside it goes on unwatched, and its lanes take further items.
 */
export async function atMost<T>(
  limit: number,
  items: Iterable<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: limit }, lane));
}
