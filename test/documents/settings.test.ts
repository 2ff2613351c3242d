import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { renderSettingsTable } from '../../src/cli/settings/documentation.js';

const COMMANDS = join(import.meta.dirname, '../../docs/commands.md');

test('the table of settings in docs/commands.md is the one that the code generates', () => {
  const text = readFileSync(COMMANDS, 'utf8');
  const shown = /<!-- settings: begin -->\n\n([\s\S]*?)\n<!-- settings: end -->/.exec(text)?.[1];
  assert.equal(shown, renderSettingsTable());
});
