import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { PLAIN } from '../../src/cli/color.js';
import { renderNumberedRemovals, renderRemovals } from '../../src/cli/rendering/removals.js';
import type { NumberedRemovals, Removal } from '../../src/maintenance/reports.js';
import { formatBytes, formatDuration } from '../../src/model/units.js';
import { fingerprintFrom } from '../support/artifacts.js';
import { checkProperty } from '../support/properties.js';

const FINGERPRINT = fingerprintFrom('a');

function removal(ageSeconds: number, more: Partial<Removal> = {}): Removal {
  return { path: `pipelines/${FINGERPRINT}.bin`, reason: 'ttl', bytes: 1056, ageSeconds, ...more };
}

/** Those whose path is that of an entry have its fingerprint. */
function numbered(removals: readonly Removal[]): NumberedRemovals {
  const at = (number: number): Removal => removals[number] ?? removal(0);
  return {
    count: removals.length,
    fingerprintStart: (number, digits) =>
      at(number).path === removal(0).path ? FINGERPRINT.slice(0, digits) : null,
    path: (number) => at(number).path,
    reason: (number) => at(number).reason,
    bytes: (number) => at(number).bytes,
    ageSeconds: (number) => at(number).ageSeconds,
    [Symbol.iterator]: () => removals[Symbol.iterator](),
  };
}

function linesOf(removals: readonly Removal[], verbose = false): string {
  return [...renderNumberedRemovals(numbered(removals), { paint: PLAIN, verbose })].join('');
}

function expectedLine(name: string, { bytes, ageSeconds, reason }: Removal): string {
  return `${name}  ${formatBytes(bytes).padStart(8)}  ${formatDuration(ageSeconds).padStart(9)}  ${reason}\n`;
}

it('a removal with a number has the line that any other one has', () => {
  const removals = [
    removal(5),
    removal(90_000, { path: 'pvf/x', reason: 'max-size' }),
    removal(1, { path: 'a\nb' }),
    removal(1, { path: `aot/${FINGERPRINT}.bin` }),
  ];
  for (const verbose of [false, true])
    assert.equal(
      linesOf(removals, verbose),
      [...renderRemovals({ removed: removals }, { paint: PLAIN, verbose })].join(''),
    );
  assert.equal(linesOf([]), '');
});

it('each age has its own text, however near it is to another one', () => {
  const edges = [59, 60, 3569, 3599, 3600, 3630, 5370, 5400, 84_570, 86_370, 86_400, 88_200, 1_209_600];
  const ages = edges.flatMap((edge) =>
    [-30, -0.5, -0.001, 0, 0.001, 0.5, 29.999, 30].map((more) => edge + more),
  );
  const removals = ages.map((age) => removal(age));
  const name = FINGERPRINT.slice(0, 16);
  assert.equal(linesOf(removals), removals.map((each) => expectedLine(name, each)).join(''));
});

it('an age and a size stand in a line as they are formatted alone', () => {
  const anyRemoval = fc.record({ ms: fc.nat(2_000_000_000), bytes: fc.nat(5_000_000) });
  checkProperty(
    fc.property(fc.array(anyRemoval), (drawn) => {
      const removals = drawn.map(({ ms, bytes }) => removal(ms / 1000, { bytes }));
      const name = FINGERPRINT.slice(0, 16);
      assert.equal(linesOf(removals), removals.map((each) => expectedLine(name, each)).join(''));
    }),
  );
});

it('more different sizes than are remembered are all right', () => {
  const removals = Array.from({ length: 5000 }, (_, at) => removal(100 * at, { bytes: at % 2000 }));
  const name = FINGERPRINT.slice(0, 16);
  assert.equal(linesOf(removals), removals.map((each) => expectedLine(name, each)).join(''));
});
