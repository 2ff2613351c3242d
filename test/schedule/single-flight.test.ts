import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SingleFlight } from '../../src/schedule/single-flight.js';

/** Work that ends when the test says so. */
class Gate<T> {
  starts = 0;
  #open: (value: T) => void = () => undefined;
  #fail: (error: Error) => void = () => undefined;
  readonly #promise = new Promise<T>((resolve, reject) => {
    this.#open = resolve;
    this.#fail = reject;
  });

  readonly work = async (): Promise<T> => {
    this.starts += 1;
    return this.#promise;
  };

  open(value: T): void {
    this.#open(value);
  }

  fail(error: Error): void {
    this.#fail(error);
  }
}

describe('a single flight', () => {
  it('does the work of 16 callers of one key exactly once', async () => {
    const flights = new SingleFlight<string>();
    const gate = new Gate<string>();
    const calls = Array.from({ length: 16 }, async () => flights.run('key', gate.work));
    gate.open('done');
    const results = await Promise.all(calls);
    assert.equal(gate.starts, 1);
    assert.ok(results.every(({ value }) => value === 'done'));
    assert.deepEqual(
      results.map(({ joined }) => joined),
      [false, ...Array.from({ length: 15 }, () => true)],
    );
  });

  it('keeps keys apart', async () => {
    const flights = new SingleFlight<string>();
    const gates = [new Gate<string>(), new Gate<string>()] as const;
    const calls = [flights.run('a', gates[0].work), flights.run('b', gates[1].work)];
    gates[1].open('second');
    gates[0].open('first');
    assert.deepEqual(await Promise.all(calls), [
      { value: 'first', joined: false },
      { value: 'second', joined: false },
    ]);
  });

  it('gives its error to everybody who joined', async () => {
    const flights = new SingleFlight<string>();
    const gate = new Gate<string>();
    const calls = Array.from({ length: 3 }, async () => flights.run('key', gate.work));
    gate.fail(new Error('broken'));
    const results = await Promise.allSettled(calls);
    assert.ok(
      results.every((result) => result.status === 'rejected' && String(result.reason).includes('broken')),
    );
    assert.equal(gate.starts, 1);
  });

  it('remembers neither a result nor an error', async () => {
    const flights = new SingleFlight<number>();
    let runs = 0;
    const count = async (): Promise<number> => {
      runs += 1;
      if (runs === 2) throw new Error('broken');
      return runs;
    };
    assert.deepEqual(await flights.run('key', count), { value: 1, joined: false });
    await assert.rejects(flights.run('key', count), /broken/);
    assert.deepEqual(await flights.run('key', count), { value: 3, joined: false });
  });

  it('forgets work that fails before it begins', async () => {
    const flights = new SingleFlight<number>();
    const broken = (): Promise<number> => {
      throw new Error('broken');
    };
    await assert.rejects(flights.run('key', broken), /broken/);
    assert.deepEqual(await flights.run('key', async () => 1), { value: 1, joined: false });
  });

  it('starts anew for who comes when the work has ended', async () => {
    const flights = new SingleFlight<number>();
    let runs = 0;
    const work = async (): Promise<number> => {
      runs += 1;
      return runs;
    };
    const first = flights.run('key', work);
    const after = first.then(async () => flights.run('key', work));
    assert.deepEqual(await first, { value: 1, joined: false });
    assert.deepEqual(await after, { value: 2, joined: false });
  });
});
