export type Priority = 'critical' | 'normal';

/** A job that was handed out. It leaves the queue for good unless it is brought back. */
export interface Taken<T> {
  readonly job: T;
  /** Jobs with one key make the same thing. */
  readonly key: string;
  /** As it is now: a job may have been raised while it waited. */
  readonly priority: Priority;
  /** True for a job that was set aside: there is nothing better to do than to wait for who is doing it. */
  readonly mustWait: boolean;
  /** How many lanes died with it. */
  readonly deaths: number;
}

export interface Wanted {
  readonly onlyCritical?: boolean;
  /** Nothing that was set aside. */
  readonly onlyFresh?: boolean;
}

/**
 * Jobs that wait: `critical` before `normal`, first in first out within each. Normal jobs may wait for ever while
 * critical ones keep coming (PVF accepts this). Jobs that were set aside come after all others. Every operation
 * takes constant time, a raise per raised job. Of one consumer.
 */
export class JobQueue<T> {
  readonly #lines: Readonly<Record<Priority, { readonly fresh: Line<T>; readonly aside: Line<T> }>> = {
    critical: { fresh: new Line('critical', false), aside: new Line('critical', true) },
    normal: { fresh: new Line('normal', false), aside: new Line('normal', true) },
  };
  /** The normal jobs that wait, so that they can be raised; a set only where several share a key. */
  readonly #normal = new Map<string, Place<T> | Set<Place<T>>>();
  #size = 0;
  #turns = 0;
  #isClosed = false;
  #listener: (() => void) | null = null;

  /** Jobs that wait, those set aside included. */
  get size(): number {
    return this.#size;
  }

  get hasCritical(): boolean {
    const { fresh, aside } = this.#lines.critical;
    return fresh.first !== null || aside.first !== null;
  }

  /** True when no new job will come; those that were handed out may still come back. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** A critical job raises the normal ones of its key that wait: they go before it, in the order in which they wait. */
  push(job: T, { priority, key }: { readonly priority: Priority; readonly key: string }): void {
    if (this.#isClosed) throw new Error('expected no job after the queue was closed');
    if (priority === 'critical') this.#raise(key);
    this.#add(this.#lines[priority].fresh, { job, key, deaths: 0 });
    this.#listener?.();
  }

  /** Brings back a job whose lane died: it is the next of its class. */
  pushFront({ job, key, priority, deaths }: Taken<T>): void {
    this.#add(this.#lines[priority].fresh, { job, key, deaths: deaths + 1 }, { inFront: true });
  }

  /** Brings back a job that somebody else is doing. */
  setAside({ job, key, priority, deaths }: Taken<T>): void {
    this.#add(this.#lines[priority].aside, { job, key, deaths });
  }

  /**
   * The next job; null when there is none. What was set aside comes when no other job is left, or, with
   * `onlyCritical`, no other critical one: who may do nothing else can wait.
   */
  next(wanted: Wanted = {}): Taken<T> | null {
    const { critical, normal } = this.#lines;
    const fresh = critical.fresh.first ?? (wanted.onlyCritical ? null : normal.fresh.first);
    const aside = critical.aside.first ?? (wanted.onlyCritical ? null : normal.aside.first);
    const place = fresh ?? (wanted.onlyFresh ? null : aside);
    if (place === null) return null;
    const { line, job, key, deaths } = place;
    this.#remove(place);
    return { job, key, deaths, priority: line.priority, mustWait: line.isAside };
  }

  close(): void {
    this.#isClosed = true;
    this.#listener?.();
  }

  /** Calls the consumer after each new job and when the queue was closed, until the returned function is called. */
  consume(listener: () => void): () => void {
    if (this.#listener !== null) throw new Error('expected one consumer of the queue, got a second one');
    this.#listener = listener;
    return () => {
      this.#listener = null;
    };
  }

  #raise(key: string): void {
    const found = this.#normal.get(key);
    if (found === undefined) return;
    const places = found instanceof Set ? [...found].toSorted((a, b) => a.turn - b.turn) : [found];
    for (const place of places) {
      this.#remove(place);
      const { fresh, aside } = this.#lines.critical;
      this.#add(place.line.isAside ? aside : fresh, place);
    }
  }

  #add(
    line: Line<T>,
    { job, key, deaths }: { readonly job: T; readonly key: string; readonly deaths: number },
    { inFront } = { inFront: false },
  ): void {
    const turn = inFront ? -this.#turns : this.#turns;
    this.#turns += 1;
    const place: Place<T> = { job, key, deaths, turn, line, before: null, after: null };
    line.insert(place, { inFront });
    this.#size += 1;
    if (line.priority === 'critical') return;
    const found = this.#normal.get(key);
    if (found instanceof Set) found.add(place);
    else this.#normal.set(key, found === undefined ? place : new Set([found, place]));
  }

  #remove(place: Place<T>): void {
    place.line.remove(place);
    this.#size -= 1;
    if (place.line.priority === 'critical') return;
    const found = this.#normal.get(place.key);
    if (found instanceof Set) found.delete(place);
    if (found === place || (found instanceof Set && found.size === 0)) this.#normal.delete(place.key);
  }
}

/** Where a job waits. */
interface Place<T> {
  readonly job: T;
  readonly key: string;
  readonly deaths: number;
  /** Lower than that of all behind it in its line. */
  readonly turn: number;
  readonly line: Line<T>;
  before: Place<T> | null;
  after: Place<T> | null;
}

/** Linked, because a million jobs are taken from its front, and raised ones from its middle. */
class Line<T> {
  readonly priority: Priority;
  readonly isAside: boolean;
  #first: Place<T> | null = null;
  #last: Place<T> | null = null;

  constructor(priority: Priority, isAside: boolean) {
    this.priority = priority;
    this.isAside = isAside;
  }

  get first(): Place<T> | null {
    return this.#first;
  }

  insert(place: Place<T>, { inFront }: { readonly inFront: boolean }): void {
    place.before = inFront ? null : this.#last;
    place.after = inFront ? this.#first : null;
    this.#join(place.before, place);
    this.#join(place, place.after);
  }

  remove(place: Place<T>): void {
    this.#join(place.before, place.after);
  }

  /** Null stands for what is before the first and after the last. */
  #join(before: Place<T> | null, after: Place<T> | null): void {
    if (before === null) this.#first = after;
    else before.after = after;
    if (after === null) this.#last = before;
    else after.before = before;
  }
}
