/** Time enters the program here and nowhere else. */
export interface Clock {
  /** Milliseconds since 1970, whole. May jump in either direction. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start; never runs backwards. */
  monotonicMs(): number;
  sleep(ms: number): Promise<void>;
  /** Lets signals, children and timers have their turn between two steps of long work. */
  breathe(): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms) =>
    new Promise((resolve) => {
      setTimeout(resolve, ms);
    }),
  breathe: async () =>
    new Promise((resolve) => {
      setImmediate(resolve);
    }),
};
