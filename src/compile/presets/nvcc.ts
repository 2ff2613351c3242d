import type { Preset } from './preset.js';

export const nvcc: Preset = {
  name: 'nvcc',
  matches: (baseName) => baseName === 'nvcc',
  facts: () => ({ relocatable: false, furtherOutputs: [], uncacheable: null, machineModel: false }),
  delegates: async () => [],
  versionArgs: ['--version'],
  environment: [],
  listing: () => null,
};
