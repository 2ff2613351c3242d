import { gcc, gPlusPlus } from './gcc.js';
import { esbuild } from './esbuild.js';
import { glslang } from './glslang.js';
import { nvcc } from './nvcc.js';
import type { Preset } from './preset.js';
import { wat2wasm } from './wat2wasm.js';

const PRESETS: readonly Preset[] = [gcc, gPlusPlus, nvcc, esbuild, wat2wasm, glslang];

/** The preset for the base name of a program as it was typed, or null. */
export function presetFor(baseName: string): Preset | null {
  return PRESETS.find((preset) => preset.matches(baseName)) ?? null;
}
