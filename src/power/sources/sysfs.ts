/**
 * Linux `power_supply`: names are arbitrary and any attribute may be missing, so every folder is read whole
 * and sorted out by its type. Units of the kernel: µV, µA, µW, µAh, µWh, %, 0.1 °C. Batteries of peripherals
 * (scope `Device`: a mouse, a headset) are not the site's, and a bay without a battery (`present` 0) tells zeros of nothing. A
 * driver may refuse a single attribute; that one is absent.
 */
import type { DriverReader } from '../../platform/files/driver-files.ts';
import { hasFields, type Reading, type ReadingDraft } from '../estimate/reading.ts';
import {
  type Answer,
  type DriverMachine,
  driverSource,
  ifReadable,
  type PowerSource,
  type SysMachine,
} from './source.ts';

type Attributes = ReadonlyMap<string, string>;

const ATTRIBUTES = [
  'type',
  'scope',
  'present',
  'status',
  'online',
  'capacity',
  'voltage_now',
  'current_now',
  'power_now',
  'energy_now',
  'energy_full',
  'charge_now',
  'charge_full',
  'temp',
] as const;

export function sysfsSource(machine: DriverMachine): PowerSource {
  return driverSource('sysfs', machine, askPowerSupplies);
}

/** Their folders; no driver is asked. */
export function suppliesIn({ files, sysRoot }: SysMachine): string[] {
  const folder = `${sysRoot}/class/power_supply`;
  return ifReadable(() => files.list(folder), []).map((name) => `${folder}/${name}`);
}

/** All supplies of the site as one reading, where there is a battery or mains. */
export function askPowerSupplies(
  machine: SysMachine,
  reader: DriverReader,
  atMs: number,
  onAnswer: (answer: Answer) => void,
): void {
  const folders = suppliesIn(machine);
  const place = `${machine.sysRoot}/class/power_supply`;
  const absent = `no battery in ${place}`;
  if (folders.length === 0) return onAnswer(absent);
  reader.read(folders.map(ueventOf), (uevents) => {
    const supplies = folders.map((folder) => attributesIn(uevents.get(ueventOf(folder)) ?? ''));
    const untold = supplies.flatMap((supply, index) =>
      ATTRIBUTES.filter((name) => !supply.has(name)).map((name) => {
        return { supply, name, path: `${folders[index] as string}/${name}` };
      }),
    );
    const paths = untold.map(({ path }) => path);
    reader.read(paths, (texts) => {
      for (const { supply, name, path } of untold) {
        const text = texts.get(path);
        if (text !== undefined) supply.set(name, text);
      }
      const reading = readingOfSupplies(supplies, atMs);
      const mute = `the battery in ${place} tells no figure: check its wiring`;
      onAnswer(reading === undefined ? absent : hasFields(reading) ? reading : mute);
    });
  });
}

function ueventOf(folder: string): string {
  return `${folder}/uevent`;
}

function attributesIn(uevent: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of uevent.split('\n')) {
    const match = /^POWER_SUPPLY_([A-Z_0-9]+)=(.*)$/.exec(line);
    if (match !== null) found.set((match[1] as string).toLowerCase(), (match[2] as string).trim());
  }
  return found;
}

function readingOfSupplies(all: readonly Attributes[], atMs: number): Reading | undefined {
  const supplies = all.filter((it) => it.get('scope') !== 'Device' && it.get('present') !== '0');
  const batteries = supplies.filter((supply) =>
    ['Battery', 'UPS'].includes(supply.get('type') ?? ''),
  );
  if (batteries.length > 0) return readingOfBatteries(batteries, atMs);
  const onMains = supplies.some((it) => it.get('type') === 'Mains' && it.get('online') === '1');
  return onMains ? { atMs, mains: true, quality: 'good' } : undefined;
}

function readingOfBatteries(batteries: readonly Attributes[], atMs: number): Reading {
  const draft: ReadingDraft = { atMs, quality: 'good' };
  const volts = batteries.map((it) => micro(it, 'voltage_now')).filter(isKnown);
  const amps = batteries.map((it) => signed(it, micro(it, 'current_now'))).filter(isKnown);
  const watts = batteries.map(wattsOf).filter(isKnown);
  const tenthsC = batteries.map((it) => numberOf(it.get('temp'))).filter(isKnown);
  const soc = socOf(batteries);
  if (volts.length > 0) draft.batteryVolts = mean(volts);
  if (amps.length > 0) draft.batteryAmps = sum(amps);
  if (watts.length > 0) draft.batteryWatts = sum(watts);
  if (tenthsC.length > 0) draft.tempC = mean(tenthsC) / 10;
  if (soc !== undefined) draft.socRatio = soc;
  return draft;
}

function wattsOf(battery: Attributes): number | undefined {
  const watts = signed(battery, micro(battery, 'power_now'));
  if (watts !== undefined) return watts;
  const volts = micro(battery, 'voltage_now');
  const amps = signed(battery, micro(battery, 'current_now'));
  return volts === undefined || amps === undefined ? undefined : volts * amps;
}

/** Drivers disagree on the sign of the current; the status does not lie. */
function signed(battery: Attributes, value: number | undefined): number | undefined {
  if (value === undefined) return undefined;
  const status = battery.get('status');
  if (status === 'Charging') return Math.abs(value);
  if (status === 'Discharging') return -Math.abs(value);
  return value;
}

/** Charge of all batteries together, weighed by their size where every one tells it. */
function socOf(batteries: readonly Attributes[]): number | undefined {
  const parts = batteries.map((battery) => {
    const now = micro(battery, 'energy_now') ?? micro(battery, 'charge_now');
    const full = micro(battery, 'energy_full') ?? micro(battery, 'charge_full');
    const percent = numberOf(battery.get('capacity'));
    const known = now !== undefined && full !== undefined && full > 0;
    const ratio = percent === undefined ? (known ? now / full : undefined) : percent / 100;
    return { ratio, weight: full };
  });
  const told = parts.filter((part) => part.ratio !== undefined);
  if (told.length === 0) return undefined;
  const weighed = told.every((part) => part.weight !== undefined && part.weight > 0);
  const weightOf = (part: { weight: number | undefined }): number =>
    weighed ? (part.weight as number) : 1;
  const total = sum(told.map(weightOf));
  return sum(told.map((part) => (part.ratio as number) * weightOf(part))) / total;
}

function micro(battery: Attributes, name: string): number | undefined {
  const value = numberOf(battery.get(name));
  return value === undefined ? undefined : value / 1_000_000;
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function isKnown(value: number | undefined): value is number {
  return value !== undefined;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
