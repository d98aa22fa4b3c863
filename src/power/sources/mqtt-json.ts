/**
 * A topic on the hub's own broker with a JSON path (`mqtt:meters/battery#data.soc`): home-made meters and
 * gateways of any kind. The path leads to a number or to an object of numbers; what a number is follows from
 * its name (`soc`, `batteryV`, `pv_power` …), or from a name given after `=` where its own says nothing.
 */
import { textOf } from '../../base/bytes.ts';
import type { Cancel } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import { hasFields, type Reading, type ReadingDraft, STALE_AFTER_MS } from '../estimate/reading.ts';
import { POLL_PERIOD_MS, type PowerMachine, type PowerSource } from './source.ts';

/** Hears messages of the hub's own broker. */
export type Subscribe = (
  filter: string,
  onMessage: (topic: string, payload: Uint8Array) => void,
) => Cancel;

type Quantity =
  'batteryVolts' | 'batteryAmps' | 'batteryWatts' | 'socRatio' | 'pvWatts' | 'loadWatts' | 'tempC';

/** Names in lower case without separators. Charge comes in percent, all else in plain units. */
const QUANTITIES: Readonly<Record<Quantity, readonly string[]>> = {
  socRatio: ['soc', 'socpct', 'batterysoc', 'batterypercent', 'stateofcharge', 'percent'],
  batteryVolts: ['v', 'volts', 'voltage', 'batteryv', 'batteryvolts', 'batteryvoltage', 'vbat'],
  batteryAmps: ['a', 'i', 'amps', 'current', 'batterya', 'batteryamps', 'batterycurrent', 'ibat'],
  batteryWatts: ['batteryw', 'batterywatts', 'batterypower', 'pbat'],
  pvWatts: [
    'pv',
    'pvw',
    'pvwatts',
    'pvpower',
    'solar',
    'solarpower',
    'ppv',
    'panelw',
    'panelpower',
  ],
  loadWatts: ['load', 'loadw', 'loadwatts', 'loadpower', 'pload'],
  tempC: ['temp', 'tempc', 'temperature', 'batterytemp', 'batterytempc'],
};

const QUANTITY_BY_NAME: ReadonlyMap<string, Quantity> = new Map(
  Object.entries(QUANTITIES).flatMap(([quantity, names]) =>
    names.map((name) => [name, quantity as Quantity] as const),
  ),
);

const PAYLOAD_BYTES_MAX = 64 * 1024;

export interface JsonTopic {
  readonly topic: string;
  /** Keys and array indexes, joined by dots; as in JSONPath, `$.` may stand before and an index in brackets. */
  readonly path: string;
  /** What the number is, where its own name does not say. */
  readonly field?: string;
}

export class MqttJsonSource implements PowerSource {
  readonly name: string;
  readonly #topic: JsonTopic;
  readonly #machine: Pick<PowerMachine, 'clock' | 'timers'>;
  readonly #subscribe: Subscribe;
  #cancels: Cancel[] = [];

  /** Throws `power.source-invalid` where `field` names nothing that is known. */
  constructor(
    name: string,
    topic: JsonTopic,
    machine: Pick<PowerMachine, 'clock' | 'timers'>,
    subscribe: Subscribe,
  ) {
    if (topic.field !== undefined && quantityOf(topic.field) === undefined) {
      const known = Object.values(QUANTITIES).map((names) => names[1]);
      const message = `power.sources: "${name}": "${topic.field}" is none of ${known.join(', ')} …`;
      throw new HubError('power.source-invalid', message);
    }
    this.name = name;
    this.#topic = topic;
    this.#machine = machine;
    this.#subscribe = subscribe;
  }

  start(onReading: (reading: Reading) => void, onLost: (reason: string) => void): void {
    const { clock, timers } = this.#machine;
    const { topic } = this.#topic;
    let heardMs = clock.monotonicMs();
    let isLost = false;
    let unusable: string | undefined;
    const watch = timers.every(POLL_PERIOD_MS, () => {
      if (isLost || clock.monotonicMs() - heardMs <= STALE_AFTER_MS) return;
      isLost = true;
      onLost(unusable ?? `nothing came on ${topic} for a minute`);
    });
    const hear = this.#subscribe(topic, (_topic, payload) => {
      const reading = readingOfJson(payload, this.#topic, clock.monotonicMs());
      unusable = reading === undefined ? whyUnusable(payload, this.#topic) : undefined;
      if (reading === undefined) return;
      heardMs = reading.atMs;
      isLost = false;
      onReading(reading);
    });
    this.#cancels = [watch, hear];
  }

  stop(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels = [];
  }
}

/** For the person who made the meter. */
function whyUnusable(payload: Uint8Array, { topic, path, field }: JsonTopic): string {
  const came = `what came last on ${topic}`;
  if (payload.length > PAYLOAD_BYTES_MAX)
    return `${came} is longer than ${PAYLOAD_BYTES_MAX} bytes`;
  try {
    JSON.parse(textOf(payload) ?? '');
  } catch {
    return `${came} is not JSON`;
  }
  const names = [...keysOf(path).slice(-1), ...(field === undefined ? [] : [field])];
  const isNamed = names.some((name) => quantityOf(name) !== undefined);
  const hint = isNamed ? '' : ' whose name is known: "=soc" behind the path names it';
  return `${came} has no number at ${path === '' ? 'its top' : path}${hint}`;
}

/** The reading in a payload, or undefined where nothing in it can be used. */
export function readingOfJson(
  payload: Uint8Array,
  { path, field }: JsonTopic,
  atMs: number,
): Reading | undefined {
  if (payload.length > PAYLOAD_BYTES_MAX) return undefined;
  const found = valueAt(payload, path);
  const draft: ReadingDraft = { atMs, quality: 'good' };
  const named = typeof found === 'object' && found !== null ? Object.entries(found) : [];
  const single = field ?? keysOf(path).at(-1) ?? '';
  for (const [name, value] of named.length > 0 ? named : [[single, found] as const]) {
    const quantity = quantityOf(name);
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    if (quantity === undefined || typeof number !== 'number' || !Number.isFinite(number)) continue;
    draft[quantity] = quantity === 'socRatio' ? number / 100 : number;
  }
  return hasFields(draft) ? draft : undefined;
}

function valueAt(payload: Uint8Array, path: string): unknown {
  try {
    let value: unknown = JSON.parse(textOf(payload) ?? '');
    for (const key of keysOf(path)) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) {
        return undefined;
      }
      value = (value as Record<string, unknown>)[key];
    }
    return value;
  } catch {
    return undefined;
  }
}

/** `$.data[0].soc` and `data.0.soc` are the same. */
function keysOf(path: string): string[] {
  return path
    .replace(/^\$\.?/, '')
    .replaceAll(/\[(\d+)\]/g, '.$1')
    .split('.')
    .filter((key) => key !== '');
}

function quantityOf(name: string): Quantity | undefined {
  return QUANTITY_BY_NAME.get(name.toLowerCase().replaceAll(/[^a-z]/g, ''));
}
