/**
 * Current and voltage chips of small boards and UPS hats, by the kernel's hwmon interface: ina219 and
 * ina226 measure one rail (`in1` bus mV, `curr1` mA), ina3221 three (`in1…3`, `curr1…3`, no power). The
 * chip does not know what it is wired to: a rail counts as battery, panel or load by its label, and on an
 * unlabelled ina3221 in that order. A positive current charges the battery; where the shunt is wired the
 * other way round, `power probe` shows it at once.
 */
import { textOf } from '../../base/bytes.ts';
import { hasFields, type Reading, type ReadingDraft } from '../estimate/reading.ts';
import { PolledSource, type PowerMachine, type PowerSource } from './source.ts';

type SysMachine = Pick<PowerMachine, 'files' | 'sysRoot'>;
type Rail = 'battery' | 'panel' | 'load';

const ONE_RAIL: ReadonlySet<string> = new Set(['ina219', 'ina220', 'ina226', 'ina230', 'ina231']);
const THREE_RAILS = 'ina3221';
const RAIL_ORDER: readonly Rail[] = ['battery', 'panel', 'load'];

export function hwmonSource(
  machine: SysMachine & Pick<PowerMachine, 'clock' | 'timers'>,
): PowerSource {
  const absent = `no ina219, ina226 or ina3221 in ${machine.sysRoot}/class/hwmon`;
  return new PolledSource('hwmon', machine, (nowMs) => readHwmon(machine, nowMs), absent);
}

/** The first chip that is known, as a reading; undefined where there is none. */
export function readHwmon(machine: SysMachine, atMs: number): Reading | undefined {
  const folder = `${machine.sysRoot}/class/hwmon`;
  for (const entry of machine.files.list(folder)) {
    const chip = `${folder}/${entry}`;
    const name = readText(machine, `${chip}/name`) ?? '';
    const channels = name === THREE_RAILS ? 3 : ONE_RAIL.has(name) ? 1 : 0;
    if (channels === 0) continue;
    const reading = readChip(machine, chip, channels, atMs);
    if (hasFields(reading)) return reading;
  }
  return undefined;
}

function readChip(machine: SysMachine, chip: string, channels: number, atMs: number): Reading {
  const draft: ReadingDraft = { atMs, quality: 'good' };
  for (let channel = 1; channel <= channels; channel++) {
    const volts = milli(machine, `${chip}/in${channel}_input`);
    const amps = milli(machine, `${chip}/curr${channel}_input`);
    if (volts === undefined) continue;
    const label = readText(machine, `${chip}/in${channel}_label`);
    addRail(draft, railOf(label, channel), volts, amps);
  }
  return draft;
}

function addRail(draft: ReadingDraft, rail: Rail, volts: number, amps: number | undefined): void {
  const watts = amps === undefined ? undefined : volts * amps;
  if (rail === 'battery') {
    draft.batteryVolts = volts;
    if (amps !== undefined) draft.batteryAmps = amps;
    if (watts !== undefined) draft.batteryWatts = watts;
  } else if (watts !== undefined) {
    draft[rail === 'panel' ? 'pvWatts' : 'loadWatts'] = watts;
  }
}

function railOf(label: string | undefined, channel: number): Rail {
  const text = (label ?? '').toLowerCase();
  if (/bat/.test(text)) return 'battery';
  if (/pv|panel|solar/.test(text)) return 'panel';
  if (/load|out|sys/.test(text)) return 'load';
  return RAIL_ORDER[channel - 1] as Rail;
}

function milli(machine: SysMachine, path: string): number | undefined {
  const text = readText(machine, path);
  return text !== undefined && /^-?\d{1,9}$/.test(text) ? Number(text) / 1_000 : undefined;
}

function readText(machine: SysMachine, path: string): string | undefined {
  try {
    const bytes = machine.files.read(path);
    return bytes === undefined ? undefined : textOf(bytes)?.trim();
  } catch {
    return undefined; // A chip that does not answer on its bus: ENXIO, EIO, ETIMEDOUT.
  }
}
