import fc, { type IAsyncProperty, type IProperty } from 'fast-check';

/** Checks a property with a new seed each time; a failure shows the seed and the path to repeat it. */
export function checkProperty<Ts>(property: IProperty<Ts>, runs = 200): void {
  fc.assert(property, { numRuns: runs });
}

export async function checkAsyncProperty<Ts>(property: IAsyncProperty<Ts>, runs = 50): Promise<void> {
  await fc.assert(property, { numRuns: runs });
}
