/** Time enters the program here and nowhere else. */
export interface Clock {
  /** Milliseconds since 1970, whole. May jump in either direction. */
  nowMs(): number;
  /** Milliseconds since the process was started; never runs backwards. */
  monotonicMs(): number;
  sleep(ms: number): Promise<void>;
  /** Lets signals, children and timers have their turn between two steps of long work. */
  breathe(): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  // Not `performance.now()`: its module takes longer to load than a hit may.
  monotonicMs: () => process.uptime() * 1000,
  sleep: async (ms) =>
    new Promise((resolve) => {
      setTimeout(resolve, ms);
    }),
  breathe: async () =>
    new Promise((resolve) => {
      setImmediate(resolve);
    }),
};
