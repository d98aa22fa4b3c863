/**
 * Current and voltage chips of small boards and UPS hats, by the kernel's hwmon interface: ina219 and
 * ina226 measure one rail (`in1` bus mV, `curr1` mA), ina3221 three (`in1…3`, `curr1…3`, no power). The
 * chip does not know what it is wired to: a rail counts as battery, panel or load by its label, and on an
 * unlabelled ina3221 in that order. A positive current charges the battery; where the shunt is wired the
 * other way round, `power probe` shows it at once.
 */
import type { DriverReader, DriverTexts } from '../../platform/files/driver-files.ts';
import { textIn } from '../../platform/files/files.ts';
import { hasFields, type Reading, type ReadingDraft } from '../estimate/reading.ts';
import {
  type Answer,
  type DriverMachine,
  driverSource,
  ifReadable,
  type PowerSource,
  type SysMachine,
} from './source.ts';

type Rail = 'battery' | 'panel' | 'load';

const ONE_RAIL: ReadonlySet<string> = new Set(['ina219', 'ina220', 'ina226', 'ina230', 'ina231']);
const THREE_RAILS = 'ina3221';
const RAIL_ORDER: readonly Rail[] = ['battery', 'panel', 'load'];

export function hwmonSource(machine: DriverMachine): PowerSource {
  return driverSource('hwmon', machine, askHwmon);
}

interface Chip {
  readonly folder: string;
  readonly channels: number;
}

/** Chips that are known; no driver is asked, as a chip's name is the kernel's own. */
export function chipsIn({ files, sysRoot }: SysMachine): Chip[] {
  const folder = `${sysRoot}/class/hwmon`;
  const chips = ifReadable(() => files.list(folder), []).map((entry) => {
    const name = ifReadable(() => textIn(files, `${folder}/${entry}/name`), '');
    const channels = name === THREE_RAILS ? 3 : ONE_RAIL.has(name) ? 1 : 0;
    return { folder: `${folder}/${entry}`, channels };
  });
  return chips.filter(({ channels }) => channels > 0);
}

/** The first chip that tells anything, as a reading. */
export function askHwmon(
  machine: SysMachine,
  reader: DriverReader,
  atMs: number,
  onAnswer: (answer: Answer) => void,
): void {
  const chips = chipsIn(machine);
  const folder = `${machine.sysRoot}/class/hwmon`;
  if (chips.length === 0) return onAnswer(`no ina219, ina226 or ina3221 in ${folder}`);
  reader.read(chips.flatMap(pathsOf), (texts) => {
    const readings = chips.map((chip) => readingOfChip(chip, texts, atMs));
    const mute = `the chip in ${folder} tells no voltage: check its wiring`;
    onAnswer(readings.find(hasFields) ?? mute);
  });
}

function pathsOf({ folder, channels }: Chip): string[] {
  return Array.from({ length: channels }, (_, index) => index + 1).flatMap((channel) => [
    `${folder}/in${channel}_input`,
    `${folder}/curr${channel}_input`,
    `${folder}/in${channel}_label`,
  ]);
}

function readingOfChip({ folder, channels }: Chip, texts: DriverTexts, atMs: number): Reading {
  const draft: ReadingDraft = { atMs, quality: 'good' };
  for (let channel = 1; channel <= channels; channel++) {
    const volts = milli(texts.get(`${folder}/in${channel}_input`));
    const amps = milli(texts.get(`${folder}/curr${channel}_input`));
    if (volts === undefined) continue;
    const label = texts.get(`${folder}/in${channel}_label`);
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

function milli(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d{1,9}$/.test(text) ? Number(text) / 1_000 : undefined;
}
