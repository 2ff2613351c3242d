import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Site } from '../site.js';

/** The name of a source and of the object made from it, without their suffixes. */
export function unitName(index: number): string {
  return `unit${String(index).padStart(5, '0')}`;
}

/** Writes `<folder>/unit00000.c` and so on, and the header that all of them include. Folders are made. */
export async function makeSources(
  site: Site,
  folder: string,
  { count, text }: { readonly count: number; readonly text: (index: number) => string },
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'project.h'), HEADER);
  await site.forEach(count, (index) => {
    writeFileSync(join(folder, `${unitName(index)}.c`), text(index));
  });
}

const HEADER = `#ifndef PROJECT_H
#define PROJECT_H
#include <stddef.h>
#define PROJECT_LIMIT 4096
struct item { struct item *next; const char *name; unsigned long hash; double weight; int kind; };
struct table { struct item *slots[64]; size_t used; };
int project_report(const char *where, int code);
#endif
`;

/** A unit as small as they come: two headers and one function. */
export function tinyUnit(index: number): string {
  return `#include <string.h>
#include "project.h"
size_t tiny_${index}(const char *text) { return strlen(text) * ${index + 3}u + PROJECT_LIMIT; }
`;
}

/** A unit of some 200 lines: what an ordinary file of a C project asks of a compiler. */
export function ordinaryUnit(index: number): string {
  const next = numbers(index);
  const functions = Array.from({ length: 7 }, (_, at) => {
    const template = TEMPLATES[(at + index) % TEMPLATES.length] ?? hashing;
    return template(`u${index}_f${at}`, next);
  });
  return [INCLUDES, ...functions, entryPoint(index, functions.length)].join('\n');
}

type Numbers = (below: number) => number;
type Template = (name: string, next: Numbers) => string;

/** The same numbers for the same unit, always. */
function numbers(seed: number): Numbers {
  let state = (seed + 1) * 2_654_435_761;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
}

const INCLUDES = `#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "project.h"
`;

function entryPoint(index: number, count: number): string {
  const calls = Array.from({ length: count }, (_, at) => `  total += u${index}_f${at}(text, length);`);
  return `long unit_${index}(const char *text, size_t length)
{
  long total = 0;
${calls.join('\n')}
  return total;
}
`;
}

const hashing: Template = (name, next) => `
static struct table ${name}_table;

static unsigned long ${name}_hash(const char *text, size_t length)
{
  unsigned long hash = ${next(100_000) + 5381}u;
  for (size_t at = 0; at < length; at++)
    hash = (hash << ${next(6) + 3}) ^ (hash >> ${next(9) + 11}) ^ (unsigned char)text[at];
  return hash;
}

static long ${name}(const char *text, size_t length)
{
  unsigned long hash = ${name}_hash(text, length);
  struct item **slot = &${name}_table.slots[hash % 64];
  for (struct item *item = *slot; item != NULL; item = item->next)
    if (item->hash == hash && strncmp(item->name, text, length) == 0)
      return item->kind;
  struct item *item = calloc(1, sizeof *item);
  if (item == NULL)
    return project_report("${name}", errno);
  item->name = text;
  item->hash = hash;
  item->kind = ${next(50)};
  item->next = *slot;
  *slot = item;
  ${name}_table.used++;
  return item->kind;
}
`;

const parsing: Template = (name, next) => `
static long ${name}(const char *text, size_t length)
{
  enum { START, WORD, NUMBER, QUOTED } state = START;
  long words = 0, digits = 0, value = 0;
  for (size_t at = 0; at < length; at++) {
    unsigned char byte = (unsigned char)text[at];
    switch (state) {
    case START:
      if (isalpha(byte)) { state = WORD; words++; }
      else if (isdigit(byte)) { state = NUMBER; value = byte - '0'; }
      else if (byte == '"') state = QUOTED;
      break;
    case WORD:
      if (!isalnum(byte) && byte != '_') state = START;
      break;
    case NUMBER:
      if (isdigit(byte)) value = value * 10 + (byte - '0');
      else { digits += value % ${next(90) + 7}; state = START; }
      break;
    case QUOTED:
      if (byte == '\\\\' && at + 1 < length) at++;
      else if (byte == '"') state = START;
      break;
    }
  }
  return words * ${next(30) + 1} + digits;
}
`;

const sorting: Template = (name, next) => `
static int ${name}_order(const void *left, const void *right)
{
  const struct item *a = left, *b = right;
  if (a->weight < b->weight) return -1;
  if (a->weight > b->weight) return 1;
  return strcmp(a->name, b->name);
}

static long ${name}(const char *text, size_t length)
{
  struct item items[${next(40) + 24}];
  const size_t count = sizeof items / sizeof *items;
  for (size_t at = 0; at < count; at++) {
    items[at].name = text;
    items[at].weight = fmod((double)(at * ${next(900) + 101}), ${next(50) + 13}.0) + sqrt((double)length);
    items[at].kind = (int)(at % ${next(5) + 2});
  }
  qsort(items, count, sizeof *items, ${name}_order);
  double sum = 0;
  for (size_t at = 0; at < count; at++)
    sum += items[at].weight * (double)items[at].kind;
  return lround(sum);
}
`;

const matrices: Template = (name, next) => `
static long ${name}(const char *text, size_t length)
{
  enum { N = ${next(12) + 12} };
  double a[N][N], b[N][N], c[N][N];
  for (int row = 0; row < N; row++)
    for (int column = 0; column < N; column++) {
      a[row][column] = (double)((row * ${next(20) + 3} + column) % 17);
      b[row][column] = (double)(unsigned char)text[(size_t)(row + column) % (length + 1)];
      c[row][column] = 0;
    }
  for (int row = 0; row < N; row++)
    for (int column = 0; column < N; column++)
      for (int at = 0; at < N; at++)
        c[row][column] += a[row][at] * b[at][column];
  double trace = 0;
  for (int row = 0; row < N; row++)
    trace += c[row][row];
  return (long)trace;
}
`;

const formatting: Template = (name, next) => `
static long ${name}(const char *text, size_t length)
{
  char line[${next(200) + 128}];
  struct tm when = { .tm_year = ${next(60) + 70}, .tm_mon = ${next(12)}, .tm_mday = ${next(28) + 1} };
  char date[32];
  if (strftime(date, sizeof date, "%Y-%m-%d", &when) == 0)
    return project_report("${name}", ERANGE);
  int written = snprintf(line, sizeof line, "%s %.*s %lu %08x", date, (int)(length % 40), text,
                         (unsigned long)length, ${next(65_536)}u);
  if (written < 0 || (size_t)written >= sizeof line)
    return project_report("${name}", EOVERFLOW);
  long sum = 0;
  for (const char *at = line; *at != '\\0'; at++)
    sum = sum * ${next(40) + 31} + toupper((unsigned char)*at);
  return sum;
}
`;

const coding: Template = (name, next) => `
static size_t ${name}_encode(uint8_t *to, size_t room, uint64_t value)
{
  size_t at = 0;
  do {
    if (at == room) return 0;
    to[at] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value >>= 7;
    at++;
  } while (value != 0);
  return at;
}

static long ${name}(const char *text, size_t length)
{
  uint8_t buffer[${next(64) + 80}];
  size_t used = 0;
  uint64_t state = ${next(1_000_000) + 1}u;
  for (size_t at = 0; at < length && used + 10 <= sizeof buffer; at++) {
    state ^= (uint64_t)(unsigned char)text[at] << (at % ${next(40) + 8});
    state *= UINT64_C(0x9e3779b97f4a7c15);
    used += ${name}_encode(buffer + used, sizeof buffer - used, state >> ${next(30) + 20});
  }
  long sum = 0;
  for (size_t at = 0; at < used; at++)
    sum += buffer[at];
  return sum;
}
`;

const TEMPLATES: readonly Template[] = [hashing, parsing, sorting, matrices, formatting, coding];
