/**
 * What the power brain says governs the whole hub: a meter tells it the charge over the hub's own broker, and what devices,
 * people and the card see of the hub changes with it. In this process, on real files and sockets, in fast site time.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { onTestFinished, test } from 'vitest';

import { Closers } from '../../src/closers.ts';
import { type Hub, openHub } from '../../src/hub/hub.ts';
import type { PowerState } from '../../src/power/govern/decision.ts';
import { eventually, getJson } from '../support/hubs/api.ts';
import { configFor, machine } from '../support/hubs/data-dir.ts';
import { tempDir } from '../support/machine/temp-dir.ts';
import { jpegOf } from '../support/made/pictures.ts';

/** A program of its own: as it was built. */
const BUILT_MAKER = new URL('../../dist/assets/previews/make-preview.js', import.meta.url);
const SPEED = 60;
/** Nine seconds of the site. */
const METER_MS = 150;
/** Less than what a battery may move by between two readings. */
const STEP_PCT = 5;
const SCARCE_MS = 3_000;
const SETS = [
  'broker.port=0',
  'http.port=0',
  'power.sources=["mqtt:site/battery#soc"]',
  'power.chemistry="lifepo4"',
  `power.time_speed=${SPEED}`,
  `journal.linger_ms.scarce=${SCARCE_MS}`,
  'capture=[{filter="alarms/#",class="alarm",keep="all"},{filter="meters/#",class="telemetry",keep="all"}]',
];

interface PowerWord {
  readonly state: PowerState;
  readonly minIntervalS: Readonly<Record<string, number>>;
  readonly allowed: readonly string[];
  readonly readyToPowerOff: boolean;
  readonly backAt: string | null;
}

/** A hub, and a meter beside it that says how full the battery is. */
class Place {
  readonly dir = join(tempDir(), 'data');
  readonly #closers = new Closers();
  #hub: Hub | undefined;
  #client: MqttClient | undefined;
  #socPct: number;
  #word: PowerWord | undefined;

  private constructor(socPct: number) {
    this.#socPct = socPct;
  }

  static async open(socPct: number): Promise<Place> {
    const place = new Place(socPct);
    const hub = await openHub(configFor(place.dir, ...SETS), {
      ...machine,
      previewMaker: BUILT_MAKER,
    });
    place.#closers.add(hub);
    const client = await connectAsync(hub.addresses.mqtt ?? '', { reconnectPeriod: 0 });
    place.#closers.add({ close: () => client.endAsync(true) });
    client.on('message', (_topic, payload) => {
      place.#word = JSON.parse(payload.toString()) as PowerWord;
    });
    await client.subscribeAsync('hub/power');
    let said = socPct;
    const say = (): void => {
      said += Math.max(-STEP_PCT, Math.min(STEP_PCT, place.#socPct - said));
      client.publish('site/battery', JSON.stringify({ soc: said }), { qos: 0 });
    };
    place.#closers.add({ close: machine.timers.every(METER_MS, say) });
    place.#hub = hub;
    place.#client = client;
    return place;
  }

  get url(): string {
    return this.#hub?.addresses.http ?? '';
  }

  /** Has the battery go there, and waits for the state, as `hub/power` tells it. */
  async chargeIs(socPct: number, state: PowerState): Promise<PowerWord> {
    this.#socPct = socPct;
    const word = await eventually(
      () => Promise.resolve(this.#word),
      (it) => it?.state === state,
    );
    return word as PowerWord;
  }

  word(holds: (word: PowerWord) => boolean): Promise<unknown> {
    return eventually(
      () => Promise.resolve(this.#word),
      (it) => it !== undefined && holds(it),
    );
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

const TIMEOUT_MS = 120_000;

test(
  'a scarce battery: devices report less often, readings wait for company, previews for the sun, and people may decide otherwise',
  async () => {
    const place = await Place.open(35);
    onTestFinished(() => place.close());
    const scarce = await place.chargeIs(35, 'saver');
    assert.equal(scarce.minIntervalS['telemetry'], 300);
    const alarmMs = await place.publishMs('alarms/1');
    const readingMs = await place.publishMs('meters/1');
    assert.ok(readingMs > 0.9 * SCARCE_MS, `${readingMs} ms`);
    assert.ok(alarmMs < 0.9 * SCARCE_MS, `${alarmMs} ms`);

    const picture = jpegOf(400, 300, 90);
    const sha256 = createHash('sha256').update(picture).digest('hex');
    const photo = `${place.url}api/v1/assets/${sha256}`;
    const headers = { 'content-type': 'image/jpeg' };
    const put = await fetch(`${photo}?key=photo`, { method: 'PUT', headers, body: picture });
    assert.equal(put.status, 201, await put.text());
    const held = await fetch(`${photo}?width=320`);
    assert.deepEqual([held.status, /battery does not allow/.test(await held.text())], [503, true]);
    assert.equal(await place.hasPreview(), false);

    await place.override(5);
    await place.word(({ allowed }) => allowed.includes('bulk'));
    await place.word(({ allowed }) => !allowed.includes('bulk'));
    assert.match(await place.log(), /somebody on site/);

    const plenty = await place.chargeIs(70, 'normal');
    assert.equal(plenty.minIntervalS['telemetry'], 0);
    assert.ok((await place.publishMs('meters/1')) < 0.9 * SCARCE_MS);
    // Nobody asks for it: it is made because it may be.
    await eventually(
      () => place.hasPreview(),
      (has) => has,
    );
  },
  TIMEOUT_MS,
);

test(
  'a battery that ends: all is brought to the card, the hub says when it is back, and serves as long as it lasts',
  async () => {
    const place = await Place.open(20);
    onTestFinished(() => place.close());
    const scarce = await place.chargeIs(20, 'critical');
    assert.equal(scarce.minIntervalS['telemetry'], 900);
    await place.publishMs('alarms/1');
    const snapshot = join(place.dir, 'state.snapshot');
    assert.ok(!existsSync(snapshot));
    const { allowed, readyToPowerOff } = await place.chargeIs(13, 'shutdown');
    assert.deepEqual([allowed, readyToPowerOff], [[], false]);
    await eventually(
      () => place.log(),
      (log) => log.includes('everything is on the card; back '),
    );
    assert.ok(existsSync(snapshot));
    await place.chargeIs(8, 'shutdown');
    await place.word((word) => word.readyToPowerOff);
    await eventually(
      () => place.log(),
      (log) => log.includes('the site may be switched off'),
    );
    await place.publishMs('alarms/1');
  },
  TIMEOUT_MS,
);
