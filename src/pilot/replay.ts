/** The command that lives through the same month again. */
import { FAULT_KINDS, type Scenario } from './scenario.ts';
import { PRESETS } from './world/light-model.ts';

export function replayOf(scenario: Scenario): string {
  const { preset, seed, days, devices, faults, quotaMib, weather, place, fromDay = 0 } = scenario;
  const name = Object.keys(PRESETS).find((it) => PRESETS[it] === preset) ?? preset.name;
  const kinds = faults.size === FAULT_KINDS.length ? 'all' : [...faults].join(',') || 'none';
  const options = {
    preset: name,
    seed,
    days,
    devices,
    faults: kinds,
    ...(quotaMib === undefined ? {} : { quota: quotaMib }),
    ...(weather.startsWith('seed ') ? {} : { trace: weather, 'from-day': fromDay, ...place }),
  };
  const words = Object.entries(options).map(
    ([option, value]) => `--${option} ${shellWord(String(value))}`,
  );
  return `heliograph pilot ${words.join(' ')}`;
}

function shellWord(text: string): string {
  return /^[\w./:,+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
