/**
 * A Venus OS device (GX) by its own MQTT broker. Values come only while somebody asks: an empty keepalive
 * starts the first dump of everything, later ones every 30 s ask for changes only, as a dump costs the small
 * device seconds. The portal id is in every topic, so the first message of any kind tells it; it can also be
 * named in the address (`mqtt://host/<portal id>`).
 *
 * What does not change is not sent again: the last value holds while the device answers at all (its heartbeat
 * or any value), and no longer; one that was silent is asked for everything when it is back. `null` and an empty payload mean that the device behind the value is gone.
 */
import { Backoff } from '../../base/backoff.ts';
import { textOf, utf8 } from '../../base/bytes.ts';
import type { Cancel } from '../../base/clock.ts';
import { type FaultCode, HubError, messageOf } from '../../base/errors.ts';
import type { MqttClient, MqttSession } from '../../platform/network/mqtt-client.ts';
import { hasFields, type Reading, type ReadingDraft, STALE_AFTER_MS } from '../estimate/reading.ts';
import { POLL_PERIOD_MS, type PowerMachine, type PowerSource } from './source.ts';

/** What the broker of the GX asks for, once somebody has set a password there. */
export interface VenusLogin {
  readonly username?: string;
  readonly password?: string;
  readonly ca?: Uint8Array;
}

type VenusMachine = Pick<PowerMachine, 'clock' | 'timers' | 'random'> & {
  readonly mqtt: MqttClient;
};

const FILTERS = [
  'N/+/heartbeat',
  'N/+/full_publish_completed',
  'N/+/system/0/Serial',
  'N/+/system/0/Dc/Battery/+',
  'N/+/system/0/Dc/Pv/Power',
  'N/+/system/0/Dc/System/Power',
  'N/+/solarcharger/+/State',
  'N/+/solarcharger/+/MppOperationMode',
];

const KEEPALIVE_MS = 30_000;
const SUPPRESS = utf8('{"keepalive-options":["suppress-republish"]}');
const CONNECT_TIMEOUT_MS = 10_000;
/** A GX takes any name, but MQTT knows no password without one [MQTT-3.1.2-22]. */
const ANY_NAME = 'heliograph';
const RETRY_FIRST_MS = 2_000;
/** It is on the same network, and an attempt costs nothing: whoever switched it on again waits for it. */
const RETRY_MOST_MS = 10_000;
/** From the first figure of a session to the first reading: the others come with it. */
const GATHER_MS = 1_000;
/** Chargers of one site; a broker that invents more is not believed. */
const VALUES_MAX = 128;

export class VenusMqttSource implements PowerSource {
  readonly name: string;
  readonly #url: string;
  readonly #machine: VenusMachine;
  readonly #login: () => VenusLogin;
  readonly #backoff: Backoff;
  readonly #values = new Map<string, number>();
  #portal: string | undefined;
  #session: MqttSession | undefined;
  #cancels: Cancel[] = [];
  #cancelRetry: Cancel | undefined;
  /** Set with the first figure of a session. */
  #cancelGathering: Cancel | undefined;
  #tell: () => void = () => undefined;
  #heardMs = -Infinity;
  /** Its values are forgotten; what does not change it would never tell again by itself. */
  #isSilent = false;
  #lost = false;
  #stopped = true;

  /** `login` is asked before each attempt, so that a new password needs no restart; it may throw `HubError`. */
  constructor(
    name: string,
    url: string,
    machine: VenusMachine,
    login: () => VenusLogin = () => ({}),
  ) {
    const [, base, portal] = /^([a-z]+:\/\/[^/]+)\/?([0-9a-zA-Z]*)/.exec(url) ?? [];
    this.name = name;
    this.#url = base ?? url;
    this.#portal = portal === '' ? undefined : portal;
    this.#machine = machine;
    this.#login = login;
    this.#backoff = new Backoff(RETRY_FIRST_MS, RETRY_MOST_MS, machine.random);
  }

  start(onReading: (reading: Reading) => void, onLost: (reason: string) => void): void {
    const { clock, timers } = this.#machine;
    this.#stopped = false;
    const lose = (reason: string): void => {
      if (!this.#lost && !this.#stopped) onLost(reason);
      this.#lost = true;
    };
    const tell = (): void => {
      if (this.#session === undefined) return;
      if (clock.monotonicMs() - this.#heardMs > STALE_AFTER_MS) {
        this.#values.clear();
        this.#isSilent = true;
        lose('sends nothing: is MQTT enabled on the GX?');
        return;
      }
      const reading = readingOfValues(this.#values, this.#heardMs);
      if (!hasFields(reading)) return;
      this.#lost = false;
      onReading(reading);
    };
    this.#tell = tell;
    this.#cancels = [
      timers.every(POLL_PERIOD_MS, tell),
      timers.every(KEEPALIVE_MS, () => this.#keepAlive(SUPPRESS)),
    ];
    this.#connect(lose);
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#cancels) cancel();
    this.#cancelGathering?.();
    this.#cancelRetry?.();
    this.#session?.close().catch(() => undefined);
    this.#session = undefined;
  }

  #connect(lose: (reason: string) => void): void {
    if (this.#stopped) return;
    const { clock, timers, mqtt, random } = this.#machine;
    const retry = (reason: string): void => {
      this.#session = undefined;
      if (this.#stopped) return;
      lose(reason);
      this.#cancelRetry = timers.after(this.#backoff.nextMs(), () => this.#connect(lose));
    };
    const options = {
      url: this.#url,
      clientId: `heliograph-power-${Math.floor(random.fraction() * 0xffffffff).toString(16)}`,
      keepaliveS: 30,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
    };
    const begin = async (): Promise<void> => {
      const login = this.#login();
      const named = login.password === undefined ? {} : { username: ANY_NAME };
      const session = await mqtt.connect(
        { ...options, ...named, ...login },
        {
          onMessage: (topic, payload) => this.#take(topic, payload),
          onClose: retry,
        },
      );
      if (this.#stopped) return session.close();
      this.#session = session;
      this.#cancelGathering = undefined;
      this.#values.clear(); // Nobody knows how old they are; the dump that is asked for has them all.
      this.#heardMs = Math.max(this.#heardMs, clock.monotonicMs() - STALE_AFTER_MS / 2);
      await session.subscribe(FILTERS);
      this.#keepAlive(new Uint8Array());
      return undefined;
    };
    begin().catch((error: unknown) => retry(whyNot(error, this.#url)));
  }

  /** Asks the device to go on; before it is known by name, there is nobody to ask. */
  #keepAlive(payload: Uint8Array): void {
    if (this.#portal === undefined) return;
    const asked = this.#session?.publish(`R/${this.#portal}/keepalive`, payload, { qos: 0 });
    asked?.catch(() => undefined); // A session that breaks says so by `onClose`.
  }

  #take(topic: string, payload: Uint8Array): void {
    const [, portal, ...path] = topic.split('/');
    if (portal === undefined || path.length === 0) return;
    this.#backoff.reset();
    if (this.#portal === undefined) {
      this.#portal = portal;
      this.#keepAlive(new Uint8Array());
    }
    if (portal !== this.#portal) return;
    this.#heardMs = this.#machine.clock.monotonicMs();
    if (this.#isSilent) {
      this.#isSilent = false;
      this.#keepAlive(new Uint8Array());
    }
    const key = path.join('/');
    const value = valueOf(payload);
    if (value === undefined) this.#values.delete(key);
    else if (this.#values.size < VALUES_MAX || this.#values.has(key)) this.#values.set(key, value);
    if (value === undefined || !key.startsWith('system/0/Dc/')) return;
    this.#cancelGathering ??= this.#machine.timers.after(GATHER_MS, this.#tell);
  }
}

/** For the person who has the GX before them: what is missing, and where it goes. */
function whyNot(error: unknown, url: string): string {
  const code = error instanceof HubError ? error.code : undefined;
  const keys = code === undefined ? undefined : KEYS_BY_CODE.get(code);
  const message = messageOf(error).replace(`${url}: `, ''); // The source's name tells it.
  return keys === undefined ? message : `${message}; ${keys}`;
}

const KEYS_BY_CODE: ReadonlyMap<FaultCode, string> = new Map([
  ['uplink.refused', "the GX's password goes into power.venus.password_file"],
  ['uplink.untrusted', "the GX's certificate goes into power.venus.ca_file"],
]);

/** `{"value": x}`; undefined where x is null, no number, or the payload is empty. */
function valueOf(payload: Uint8Array): number | undefined {
  try {
    const parsed: unknown = JSON.parse(textOf(payload) ?? '');
    if (typeof parsed !== 'object' || parsed === null || !('value' in parsed)) return undefined;
    const { value } = parsed;
    return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const LIMITED = 1;
const ABSORPTION = 4;
const FLOAT = 5;

/** Values by the rest of their topic as a reading. A charge of 0 without a voltage is a device that starts. */
export function readingOfValues(values: ReadonlyMap<string, number>, atMs: number): Reading {
  const battery = (name: string): number | undefined => values.get(`system/0/Dc/Battery/${name}`);
  const draft: ReadingDraft = { atMs, quality: 'good' };
  const volts = battery('Voltage');
  const amps = battery('Current');
  const watts = battery('Power');
  const soc = battery('Soc');
  const pvWatts = values.get('system/0/Dc/Pv/Power');
  const loadWatts = values.get('system/0/Dc/System/Power');
  if (volts !== undefined && volts !== 0) draft.batteryVolts = volts;
  if (amps !== undefined) draft.batteryAmps = amps;
  if (watts !== undefined) draft.batteryWatts = watts;
  if (soc !== undefined && (soc !== 0 || draft.batteryVolts !== undefined))
    draft.socRatio = soc / 100;
  if (pvWatts !== undefined) draft.pvWatts = pvWatts;
  if (loadWatts !== undefined && loadWatts >= 0) draft.loadWatts = loadWatts;
  const curtailed = curtailment(values);
  if (curtailed !== undefined) draft.curtailed = curtailed;
  return draft;
}

/** True where any charger is held back while it holds a voltage; undefined where no charger tells its mode. */
function curtailment(values: ReadonlyMap<string, number>): boolean | undefined {
  let told: boolean | undefined;
  for (const [key, mode] of values) {
    const instance = /^solarcharger\/([^/]+)\/MppOperationMode$/.exec(key)?.[1];
    if (instance === undefined) continue;
    const state = values.get(`solarcharger/${instance}/State`);
    const held = mode === LIMITED && (state === ABSORPTION || state === FLOAT);
    told = told === true || held;
  }
  return told;
}
