import assert from 'node:assert/strict';

/** A sample of the text format. */
export interface Metric {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^([a-z_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\[\\n"])*",?)+)\} ([0-9][0-9.e+]*)$/;
const ESCAPED: Readonly<Record<string, string>> = { '\\\\': '\\', '\\n': '\n', '\\"': '"' };

/** The grammar of the text format, as far as we write it; strict, unlike a scraper. */
export function parsePrometheus(text: string): readonly Metric[] {
  assert.ok(text.endsWith('\n'));
  const metrics: Metric[] = [];
  let type = '';
  let help = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
    if (comment !== null) {
      if (comment[1] === 'HELP') help = comment[2] ?? '';
      else {
        type = comment[2] ?? '';
        assert.equal(type, help);
        assert.equal(comment[3], type.endsWith('_total') ? 'counter' : 'gauge');
        assert.ok(
          metrics.every(({ name }) => name !== type),
          line,
        );
      }
      continue;
    }
    const sample = SAMPLE.exec(line);
    assert.ok(sample !== null, line);
    assert.equal(sample[1], type);
    const labels = [...(sample[2] ?? '').matchAll(/([a-z]+)="((?:[^"\\]|\\.)*)"/g)].map((match) => [
      match[1],
      (match[2] ?? '').replaceAll(/\\./g, (escape) => ESCAPED[escape] ?? assert.fail(escape)),
    ]);
    metrics.push({ name: sample[1] ?? '', labels: Object.fromEntries(labels), value: Number(sample[3]) });
  }
  return metrics;
}

/** The value of the one sample with this name and these labels; null without one. */
export function valueOf(
  metrics: readonly Metric[],
  name: string,
  label: Readonly<Record<string, string>> = {},
): number | null {
  const found = metrics.filter(
    (metric) =>
      metric.name === name && Object.entries(label).every(([key, value]) => metric.labels[key] === value),
  );
  assert.ok(found.length <= 1, name);
  return found[0]?.value ?? null;
}
