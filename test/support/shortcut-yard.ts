import assert from 'node:assert/strict';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { succeeded } from './repeated-call.js';
import { settled, shortcutObstacle } from './shortcuts.js';
import { findTool, has, type ToolName } from './tools.js';
import { Workbench, type Ended } from './workbench.js';

/** Compilers that run at once while the benches are made. */
const LANES = 3;

/** A test with a bench of its own. */
export interface YardRow {
  readonly name: string;
  readonly skip?: string | false;
  readonly needs?: ToolName;
}

/** A call, and how it ended for the first time. */
interface Begun<C> {
  readonly call: C;
  readonly first: Ended;
}

interface Plot<R, C> {
  readonly row: R;
  begun: Begun<C> | null;
}

/**
 * The benches of all tests in a file, made before the first one, each with one call that has compiled: all at once, so
 * that by then everything there is old. Younger files would leave no shortcut.
 */
export class ShortcutYard<R extends YardRow, C> {
  readonly #begin: (bench: Workbench, row: R) => Promise<Begun<C>>;
  readonly #plots: Plot<R, C>[] = [];
  #yard: Workbench | null = null;
  #making: Promise<void> | null = null;

  /** @param begin prepares a bench, and compiles. */
  constructor(begin: (bench: Workbench, row: R) => Promise<Begun<C>>) {
    this.#begin = begin;
    after(async () => {
      if (this.#yard === null) return;
      await this.#yard.endProcesses();
      rmSync(dirname(this.#yard.folder), { recursive: true, force: true, maxRetries: 5 });
    });
  }

  /** Announces a bench. @returns what gives its call once the tests run; null where what it needs is missing. */
  plot(row: R): () => Promise<C | null> {
    const plot: Plot<R, C> = { row, begun: null };
    this.#plots.push(plot);
    return async () => {
      await this.#ready();
      if (plot.begun === null) return null;
      succeeded(plot.begun.first);
      return plot.begun.call;
    };
  }

  /** Tests of one kind. */
  rows<One extends R>(
    title: string,
    all: readonly One[],
    test: (call: C, row: One, t: TestContext) => Promise<void>,
  ): void {
    const plots = all.map((row) => ({ row, callOf: this.plot(row) }));
    describe(title, () => {
      before(async () => this.#ready());
      for (const { row, callOf } of plots) {
        it(row.name, { skip: shortcutObstacle() ?? row.skip ?? false }, async (t) => {
          if (row.needs !== undefined && !has(t, row.needs)) return;
          const call = await callOf();
          assert.ok(call !== null);
          await test(call, row, t);
        });
      }
    });
  }

  async #ready(): Promise<void> {
    this.#making ??= this.#make();
    return this.#making;
  }

  async #make(): Promise<void> {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'vyre-cache-test-')));
    this.#yard = Workbench.at(join(folder, 'yard'));
    const possible = this.#plots.filter(
      ({ row: { skip, needs } }) =>
        typeof skip !== 'string' && (needs === undefined || findTool(needs) !== null),
    );
    const left = [...possible.entries()];
    const lane = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const [index, plot] = next;
        plot.begun = await this.#begin(Workbench.at(join(folder, 'yard', String(index))), plot.row);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    await settled(folder);
  }
}
