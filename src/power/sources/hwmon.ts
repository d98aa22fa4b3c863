/**
 * Current and voltage chips of small boards and UPS hats, by the kernel's hwmon interface: ina219 and
 * ina226 measure one rail (`in1` bus mV, `curr1` mA), ina3221 three (`in1…3`, `curr1…3`, no power). The
 * chip does not know what it is wired to: a rail counts as battery, panel or load as the config says, else by its
 * label; without either the first chip is the battery, and on an ina3221 the rails are battery, panel, load in that order.
 * Of any further chip with one rail nobody guesses: a load that is taken for the panel spoils the forecast. `power probe` shows what it
 * tells. A positive current charges the battery; a shunt that is wired the other way round is found by the first full charge (wiring.ts).
 */
import type { DriverReader, DriverTexts } from '../../platform/files/driver-files.ts';
import { textIn } from '../../platform/files/files.ts';
import { hasFields, type Reading, type ReadingDraft } from '../estimate/reading.ts';
import {
  type Answer,
  type DriverMachine,
  driverSource,
  ifReadable,
  optional,
  type PowerSource,
  type SysMachine,
} from './source.ts';

export const RAILS = ['battery', 'panel', 'load'] as const;
export type Rail = (typeof RAILS)[number];

const ONE_RAIL: ReadonlySet<string> = new Set(['ina219', 'ina220', 'ina226', 'ina230', 'ina231']);
const THREE_RAILS = 'ina3221';
/** Bus and address of a chip, as the kernel writes them. */
export const I2C_DEVICE = /^\d+-[0-9a-f]{4}$/;

/** One of several chips. */
export interface ChipChoice {
  /** `1-0041`; the first that is not `named` where it is absent. */
  readonly address?: string | undefined;
  readonly named?: ReadonlySet<string>;
  /** What its channels measure, in their order. */
  readonly rails?: readonly (Rail | 'none')[] | undefined;
  /** Nobody has asked for it by name: without label or `rails` it is not taken for the battery. */
  readonly isFurther?: boolean;
}

/**
 * The chips that there are at this moment, each a source, but for those that the config has `named`; one that waits for its chip
 * where there is none.
 */
export function hwmonSources(machine: DriverMachine, named: ReadonlySet<string>): PowerSource[] {
  const chips = chipsIn(machine);
  const [first, ...further] = chips.filter(({ address }) => !named.has(address));
  if (first === undefined && chips.length > 0) return [];
  const others = further.map(({ address }) => {
    return optional(hwmonSource(`hwmon:${address}`, machine, { address, isFurther: true }));
  });
  return [hwmonSource('hwmon', machine, { named }), ...others];
}

export function hwmonSource(name: string, machine: DriverMachine, choice: ChipChoice): PowerSource {
  return driverSource(name, machine, (...asked) => askHwmon(...asked, choice));
}

interface Chip {
  /** On its bus; the name of its folder where that is not known. */
  readonly address: string;
  readonly folder: string;
  readonly channels: number;
}

/** Chips that are known, by address; no driver is asked, as a chip's name is the kernel's own. */
export function chipsIn({ files, sysRoot }: SysMachine): Chip[] {
  const listed = (folder: string): string[] => ifReadable(() => files.list(folder), []);
  const bus = `${sysRoot}/bus/i2c/devices`;
  const addresses = new Map(
    listed(bus)
      .filter((device) => I2C_DEVICE.test(device))
      .flatMap((device) => listed(`${bus}/${device}/hwmon`).map((entry) => [entry, device])),
  );
  const folder = `${sysRoot}/class/hwmon`;
  const chips = listed(folder).map((entry) => {
    const name = ifReadable(() => textIn(files, `${folder}/${entry}/name`), '');
    const channels = name === THREE_RAILS ? 3 : ONE_RAIL.has(name) ? 1 : 0;
    return { address: addresses.get(entry) ?? entry, folder: `${folder}/${entry}`, channels };
  });
  return chips
    .filter(({ channels }) => channels > 0)
    .toSorted((a, b) => (a.address < b.address ? -1 : 1));
}

/** The chip that is meant, as a reading. */
export function askHwmon(
  machine: SysMachine,
  reader: DriverReader,
  atMs: number,
  onAnswer: (answer: Answer) => void,
  choice: ChipChoice = {},
): void {
  const { address: wanted, named } = choice;
  const chip = chipsIn(machine).find(({ address }) =>
    wanted === undefined ? named?.has(address) !== true : address === wanted,
  );
  const folder = `${machine.sysRoot}/class/hwmon`;
  const at = wanted === undefined ? '' : ` at ${wanted}`;
  if (chip === undefined) return onAnswer(`no ina219, ina226 or ina3221${at} in ${folder}`);
  reader.read(pathsOf(chip), (texts) => {
    const reading = readingOfChip(chip, texts, atMs, choice);
    onAnswer(hasFields(reading) ? reading : whyMute(chip, texts, folder, at));
  });
}

function pathsOf({ folder, channels }: Chip): string[] {
  return Array.from({ length: channels }, (_, index) => index + 1).flatMap((channel) => [
    `${folder}/in${channel}_input`,
    `${folder}/curr${channel}_input`,
    `${folder}/in${channel}_label`,
  ]);
}

function whyMute({ address, folder }: Chip, texts: DriverTexts, below: string, at: string): string {
  const volts = milli(texts.get(`${folder}/in1_input`));
  if (volts === undefined) return `the chip${at} in ${below} tells no voltage: check its wiring`;
  const amps = milli(texts.get(`${folder}/curr1_input`));
  const figures = `${volts.toFixed(2)} V${amps === undefined ? '' : `, ${amps.toFixed(2)} A`}`;
  return `tells ${figures}, and nobody says of what: write hwmon:${address}=panel (or battery, or load) into power.sources`;
}

function readingOfChip(
  { folder, channels }: Chip,
  texts: DriverTexts,
  atMs: number,
  { rails, isFurther = false }: ChipChoice,
): Reading {
  const draft: ReadingDraft = { atMs, quality: 'good' };
  const unlabelled = isFurther && channels === 1 ? [] : RAILS;
  for (let channel = 1; channel <= channels; channel++) {
    const volts = milli(texts.get(`${folder}/in${channel}_input`));
    const amps = milli(texts.get(`${folder}/curr${channel}_input`));
    const labelled = railOf(texts.get(`${folder}/in${channel}_label`)) ?? unlabelled[channel - 1];
    const rail = rails === undefined ? labelled : rails[channel - 1];
    if (volts !== undefined) addRail(draft, rail, volts, amps);
  }
  return draft;
}

function addRail(
  draft: ReadingDraft,
  rail: Rail | 'none' | undefined,
  volts: number,
  amps: number | undefined,
): void {
  const watts = amps === undefined ? undefined : volts * amps;
  if (rail === 'battery') {
    draft.batteryVolts = volts;
    if (amps !== undefined) draft.batteryAmps = amps;
    if (watts !== undefined) draft.batteryWatts = watts;
  } else if (watts !== undefined) {
    if (rail === 'panel') draft.pvWatts = watts;
    if (rail === 'load') draft.loadWatts = watts;
  }
}

function railOf(label: string | undefined): Rail | undefined {
  const text = (label ?? '').toLowerCase();
  if (/bat/.test(text)) return 'battery';
  if (/pv|panel|solar/.test(text)) return 'panel';
  return /load|out|sys/.test(text) ? 'load' : undefined;
}

function milli(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d{1,9}$/.test(text) ? Number(text) / 1_000 : undefined;
}
