import assert from 'node:assert/strict';

/** Generous: a test must not fail because a machine is slow. */
const DEADLINE_MS = 120_000;
const POLL_MS = 10;

/** Waits until `probe` gives a value other than null, undefined and false, and returns it. */
export async function eventually<T>(what: string, probe: () => T | Promise<T>): Promise<NonNullable<T>> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const found = await probe();
    if (found !== null && found !== undefined && found !== false) return found;
    assert.ok(performance.now() < deadline, `expected in time: ${what}`);
    await pause(POLL_MS);
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
