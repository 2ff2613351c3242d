/** A range of items: `start` belongs to it, `end` does not. */
export interface Unit {
  readonly start: number;
  readonly end: number;
}

/** vyre: so many units for each lane that one which is done early finds others to take. */
const UNITS_PER_LANE = 4;

/**
 * vyre's partition: `total` items in units of max(1, floor(total / (4 × lanes))), the last as long as what is left. No
 * unit is empty and no item is lost, up to the largest safe integer. Without items or lanes there are no units. Holds
 * no list: a unit is computed when it is asked for.
 */
export class Units {
  readonly count: number;
  readonly #total: number;
  readonly #size: number;

  constructor(total: number, lanes: number) {
    checkCount('items', total);
    checkCount('lanes', lanes);
    this.#total = lanes === 0 ? 0 : total;
    // All exact: times four only moves the binary point, and the quotient of safe integers never rounds past a whole.
    this.#size = lanes === 0 ? 1 : Math.max(1, Math.floor(total / (UNITS_PER_LANE * lanes)));
    this.count = Math.ceil(this.#total / this.#size);
  }

  at(index: number): Unit {
    if (!Number.isInteger(index) || index < 0 || index >= this.count) {
      throw new Error(`expected a unit below ${this.count}, got ${index}`);
    }
    const start = index * this.#size;
    return { start, end: Math.min(start + this.#size, this.#total) };
  }
}

function checkCount(what: string, count: number): void {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new Error(`expected a whole number of ${what}, got ${count}`);
  }
}

/** The units as a list, for a number of lanes that a machine can have. */
export function partition(total: number, lanes: number): readonly Unit[] {
  const units = new Units(total, lanes);
  return Array.from({ length: units.count }, (_, index) => units.at(index));
}

/**
 * The one place where units are claimed, across worker threads, too. Every unit is claimed exactly once. Lanes of one
 * speed get them in turns, as vyre deals them; a lane that is idle claims the next, whoever's turn it would be.
 */
export class UnitCursor {
  /** What another thread makes its own cursor of. */
  readonly memory: SharedArrayBuffer;
  readonly #count: bigint;
  readonly #next: BigInt64Array;

  constructor(count: number, memory: SharedArrayBuffer = new SharedArrayBuffer(8)) {
    checkCount('units', count);
    this.memory = memory;
    this.#count = BigInt(count);
    this.#next = new BigInt64Array(memory);
  }

  /** The index of a unit that nobody else has; null when none is left. */
  claim(): number | null {
    const index = Atomics.add(this.#next, 0, 1n);
    return index < this.#count ? Number(index) : null;
  }

  /** How many were claimed; who claims one later sees all that was written before. */
  get claimed(): number {
    const next = Atomics.add(this.#next, 0, 0n);
    return Number(next < this.#count ? next : this.#count);
  }

  /** Nobody claims another one. */
  end(): void {
    Atomics.store(this.#next, 0, this.#count);
  }

  /** All units are there again. Only for when no lane is at work: a unit that is being done is claimed once more. */
  reset(): void {
    Atomics.store(this.#next, 0, 0n);
  }
}

/**
 * Does every unit once, in as many lanes at a time. After the first error no further unit is claimed; it is thrown when
 * the units that were begun have ended.
 */
export async function forEachUnit(
  total: number,
  lanes: number,
  work: (unit: Unit, lane: number) => Promise<void>,
): Promise<void> {
  const units = new Units(total, lanes);
  const cursor = new UnitCursor(units.count);
  const failures: unknown[] = [];
  const run = async (lane: number): Promise<void> => {
    while (failures.length === 0) {
      const index = cursor.claim();
      if (index === null) return;
      try {
        await work(units.at(index), lane);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  const length = Math.min(lanes, units.count);
  await Promise.all(Array.from({ length }, async (_, lane) => run(lane)));
  if (failures.length > 0) throw failures[0];
}
