/** At most so many of the items, spread evenly, at random places. */
export function spread<T>(items: readonly T[], most: number, random: () => number): readonly T[] {
  if (items.length <= most) return items;
  const step = items.length / most;
  return Array.from({ length: most }, (_, index) => items[Math.floor((index + random()) * step)]).filter(
    (item) => item !== undefined,
  );
}
