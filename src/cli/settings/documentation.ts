import { SETTINGS, showSettingValue } from './definitions.js';

/** The table of settings for the documents, in Markdown. */
export function renderSettingsTable(): string {
  const rows = SETTINGS.map((setting) => [
    `\`${setting.key}\``,
    setting.flag === null ? '' : `\`${setting.flag}\``,
    `\`${setting.variable}\``,
    setting.fallback === null ? '' : `\`${showSettingValue(setting, setting.fallback)}\``,
    setting.needsTrust ? 'after `config trust`' : 'yes',
    setting.doc,
  ]);
  const header = ['Key', 'Flag', 'Variable', 'Default', 'In a project’s file', 'What it does'];
  const lines = [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return `${lines.join('\n')}\n`;
}
