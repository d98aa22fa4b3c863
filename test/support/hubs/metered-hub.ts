/** A hub in this process, on real files and sockets, in fast site time, whose battery a test sets. */
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { connectAsync, type MqttClient } from 'mqtt';

import { Closers } from '../../../src/closers.ts';
import { type Hub, openHub } from '../../../src/hub/hub.ts';
import type { PowerState } from '../../../src/power/govern/decision.ts';
import { tempDir } from '../machine/temp-dir.ts';
import { eventually, getJson } from './api.ts';
import { configFor, machine } from './data-dir.ts';

/** A program of its own: as it was built. */
const BUILT_MAKER = new URL('../../../dist/assets/previews/make-preview.js', import.meta.url);
/** Of the site's time. */
export const SPEED = 60;
/** Seconds of the site between two words of the meter. */
const METER_S = 9;
/** Less than what a battery may move by between two readings. */
const STEP_PCT = 5;
const SETS = [
  'broker.port=0',
  'http.port=0',
  'power.sources=["mqtt:site/battery#soc"]',
  'power.chemistry="lifepo4"',
];

interface PowerWord {
  readonly state: PowerState;
  readonly minIntervalS: Readonly<Record<string, number>>;
  readonly allowed: readonly string[];
  readonly readyToPowerOff: boolean;
  readonly backAt: string | null;
}

export interface MeteredHubOptions {
  readonly sets?: readonly string[];
  readonly speed?: number;
}

/** A hub, and a meter beside it that says how full the battery is. */
export class MeteredHub {
  readonly dir = join(tempDir(), 'data');
  readonly #closers = new Closers();
  #hub: Hub | undefined;
  #client: MqttClient | undefined;
  #socPct: number;
  readonly #words: PowerWord[] = [];
  /** Of them, those that a test has passed. */
  #passed = 0;

  private constructor(socPct: number) {
    this.#socPct = socPct;
  }

  static async open(
    socPct: number,
    { sets = [], speed = SPEED }: MeteredHubOptions = {},
  ): Promise<MeteredHub> {
    const place = new MeteredHub(socPct);
    const hub = await openHub(configFor(place.dir, ...SETS, `power.time_speed=${speed}`, ...sets), {
      ...machine,
      previewMaker: BUILT_MAKER,
    });
    place.#closers.add(hub);
    const client = await connectAsync(hub.addresses.mqtt ?? '', { reconnectPeriod: 0 });
    place.#closers.add({ close: () => client.endAsync(true) });
    client.on('message', (_topic, payload) => {
      place.#words.push(JSON.parse(payload.toString()) as PowerWord);
    });
    await client.subscribeAsync('hub/power');
    let said = socPct;
    const say = (): void => {
      said += Math.max(-STEP_PCT, Math.min(STEP_PCT, place.#socPct - said));
      client.publish('site/battery', JSON.stringify({ soc: said }), { qos: 0 });
    };
    place.#closers.add({ close: machine.timers.every((1_000 * METER_S) / speed, say) });
    place.#hub = hub;
    place.#client = client;
    return place;
  }

  get url(): string {
    return this.#hub?.addresses.http ?? '';
  }

  /** As `hub/power` said last. */
  get state(): PowerState | undefined {
    return this.#words.at(-1)?.state;
  }

  /** Has the battery go there, and waits for the state, as `hub/power` tells it. */
  async chargeIs(socPct: number, state: PowerState): Promise<PowerWord> {
    this.#socPct = socPct;
    const word = await eventually(
      () => Promise.resolve(this.#words.at(-1)),
      (it) => it?.state === state,
    );
    this.#passed = this.#words.length - 1;
    return word as PowerWord;
  }

  /** Waits for such a word, past the one that was waited for last. What held for a moment only is not missed. */
  async word(holds: (word: PowerWord) => boolean): Promise<void> {
    const ahead = await eventually(
      () => Promise.resolve(this.#words.slice(this.#passed).findIndex(holds)),
      (index) => index >= 0,
    );
    this.#passed += ahead;
  }

  /** Until it is acknowledged. */
  async publishMs(topic: string): Promise<number> {
    const startMs = performance.now();
    await this.#client?.publishAsync(topic, '1', { qos: 1 });
    return performance.now() - startMs;
  }

  /** Whether the asset that was put in has one. */
  async hasPreview(): Promise<boolean> {
    const path = `${this.url}api/v1/assets`;
    const { assets } = await getJson<{ assets: { preview: boolean }[] }>(path);
    return assets[0]?.preview === true;
  }

  /** Somebody on site has everything sent for so many minutes of the site. */
  async override(minutes: number): Promise<void> {
    const response = await fetch(`${this.url}api/v1/override`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ minutes }),
    });
    assert.equal(response.status, 200, await response.text());
  }

  async log(): Promise<string> {
    return (await fetch(`${this.url}api/v1/log`)).text();
  }

  close(): Promise<void> {
    return this.#closers.close();
  }
}
