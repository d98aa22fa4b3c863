/**
 * A site of real processes: two hubs that are killed and devices with the SDK, over sockets that are cut at any byte.
 * Devices are closed in the midst of their work and opened again at the other hub, so what they handed in comes twice and
 * bears two stamps. In the end nothing is lost, nothing counts twice, and all hold the same.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import { onTestFinished } from 'vitest';

import { must } from '../../../src/base/assert.ts';
import { below } from '../../../src/base/random.ts';
import { connect, type Device } from '../../../src/client/node.ts';
import { CountingProxy } from '../../../src/platform/network/counting-proxy.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { eventually } from './api.ts';
import { digestOfDevice, digestOfHub, whenSettled } from './devices.ts';
import { type RunningHub, startHub } from './hub.ts';
import { freePort } from '../machine/spawn.ts';
import { tempDir } from '../machine/temp-dir.ts';

export interface LiveSiteSize {
  readonly devices: number;
  readonly ops: number;
  readonly seed: number;
  /** Parts of the site: a device holds its own, the first two hold all. */
  readonly areas: number;
  readonly kills: number;
}

const BURST_OPS = 25;
const ORDERS = 40;
const SETTLE_MS = 600_000;
/** A connection that is cut at once would never bring a page over. */
const BYTES_MIN = 20_000;
const BYTES_MORE = 400_000;

interface Seat {
  readonly name: string;
  readonly dir: string;
  readonly area: number;
  hub: number;
  device: Device;
}

export async function liveThroughProcesses(size: LiveSiteSize): Promise<void> {
  const site = await LiveSite.open(size);
  await site.work();
  await site.check();
}

class LiveSite {
  readonly #size: LiveSiteSize;
  readonly #random: SeededRandom;
  readonly #data = tempDir();
  readonly #ports: number[] = [];
  readonly #hubs: RunningHub[] = [];
  readonly #proxies: CountingProxy[] = [];
  readonly #seats: Seat[] = [];
  readonly #sums = new Map<string, number>();
  #made = 0;
  #isCalm = false;

  private constructor(size: LiveSiteSize) {
    this.#size = size;
    this.#random = new SeededRandom(size.seed);
  }

  static async open(size: LiveSiteSize): Promise<LiveSite> {
    const site = new LiveSite(size);
    for (let at = 0; at < 2; at++) {
      site.#ports.push(await freePort());
      await site.#start(at);
      await site.#cutLinesTo(at);
    }
    for (let i = 0; i < size.devices; i++) await site.#seat(i);
    onTestFinished(async () => {
      for (const { device } of site.#seats) await device.close();
    });
    return site;
  }

  /** Bursts of all devices, with a kill or a device that moves between them. */
  async work(): Promise<void> {
    const { ops, devices, kills } = this.#size;
    const rounds = Math.ceil(ops / (devices * BURST_OPS));
    const killEvery = Math.ceil(rounds / (kills + 1));
    for (let round = 1; round <= rounds; round++) {
      for (const seat of this.#seats) this.#burst(seat);
      await Promise.all(this.#seats.map(({ device }) => device.whenKept()));
      if (round % killEvery === 0) await this.#killOne();
      const mover = must(this.#seats[below(this.#random, devices)], 'a device');
      if (below(this.#random, 3) === 0) await this.#move(mover);
    }
  }

  async check(): Promise<void> {
    this.#isCalm = true;
    for (const { device } of this.#seats) device.wake();
    await Promise.all(this.#seats.map(({ device }) => whenSettled(device)));
    const hubs = await eventually(
      () => Promise.all(this.#hubs.map((hub) => digestOfHub(hub))),
      (all) => all.every((hub) => hub.ops === this.#made && hub.digest === all[0]?.digest),
      SETTLE_MS,
    );
    const [whole, second] = this.#seats;
    await this.#sameDigests([whole, second], hubs[0]?.digest);
    for (let area = 0; area < this.#size.areas; area++) {
      const members = this.#seats.slice(2).filter((seat) => seat.area === area);
      await this.#sameDigests(members, undefined);
      const [member] = members;
      const query = { prefix: prefixOf(area) };
      if (member === undefined) continue;
      // What came over the other hub may still be on its way to a device.
      await eventually(
        () => Promise.resolve(member.device.query(query)),
        (rows) => isDeepStrictEqual(rows, whole?.device.query(query)),
        SETTLE_MS,
      );
    }
    for (const [key, sum] of this.#sums) {
      assert.equal(whole?.device.record(key).value?.counters['n'], sum, `${key}: each once`);
    }
    const cuts = this.#proxies.reduce((all, proxy) => all + proxy.cuts, 0);
    assert.ok(cuts > 0, 'lines were cut');
  }

  async #sameDigests(
    seats: readonly (Seat | undefined)[],
    wanted: string | undefined,
  ): Promise<void> {
    await eventually(
      () => Promise.resolve(seats.flatMap((seat) => (seat ? [digestOfDevice(seat.device)] : []))),
      (digests) => digests.every((each) => each === (wanted ?? digests[0])),
      SETTLE_MS,
    );
  }

  #burst({ device, area }: Seat): void {
    for (let i = 0; i < BURST_OPS; i++) {
      const key = `${prefixOf(area)}order/${below(this.#random, ORDERS)}`;
      this.#made += 1;
      const dice = below(this.#random, 20);
      if (dice < 4) {
        this.#sums.set(key, (this.#sums.get(key) ?? 0) + i);
        void device.counter(key, 'n').add(i);
      } else if (dice < 8) {
        void device.event(`${prefixOf(area)}meter/${below(this.#random, 20)}`, `${i}`);
      } else if (dice < 10) this.#undo(device, key);
      else void device.record(key).set({ [`f${below(this.#random, 4)}`]: i });
    }
  }

  /** Takes a step of its own back, where there is one that may be; else writes. */
  #undo(device: Device, key: string): void {
    const step = device
      .history(key)
      .find(({ isOwn, isUndone, kind }) => isOwn && !isUndone && kind === 'patch');
    if (step === undefined) void device.record(key).set({ f0: 0 });
    else void device.undo(key, step.id, true);
  }

  async #killOne(): Promise<void> {
    const at = below(this.#random, 2);
    const hub = must(this.#hubs[at], 'a hub');
    hub.process.kill('SIGKILL');
    await hub.process.exited;
    for (const seat of this.#seats) this.#burst(seat);
    await this.#start(at);
  }

  /** Closed, and opened again at the other hub with what it had kept. */
  async #move(seat: Seat): Promise<void> {
    await seat.device.close();
    seat.hub = 1 - seat.hub;
    seat.device = await this.#connect(seat, seat.hub);
  }

  async #start(at: number): Promise<void> {
    const other = this.#ports[1 - at];
    const addresses = at === 1 ? [`mqtt://127.0.0.1:${other}`] : [];
    this.#hubs[at] = await startHub({
      data: join(this.#data, `hub-${at}`),
      mqttPort: must(this.#ports[at], 'a port'),
      sets: ['peer.enabled=true', `peer.addresses=${JSON.stringify(addresses)}`],
    });
  }

  async #cutLinesTo(at: number): Promise<void> {
    const target = { host: '127.0.0.1', port: must(this.#ports[at], 'a port') };
    // Until a line was cut, every one of them is soon: a small site brings little over each.
    const bytesUntilCut = (): number | undefined => {
      const more = below(this.#random, BYTES_MORE);
      return this.#isCalm ? undefined : BYTES_MIN + (proxy.cuts === 0 ? 0 : more);
    };
    const proxy = await CountingProxy.open({ target, bytesUntilCut });
    onTestFinished(() => proxy.close());
    this.#proxies.push(proxy);
  }

  async #seat(index: number): Promise<void> {
    const name = `d${index}`;
    const place = {
      name,
      dir: join(this.#data, name),
      area: index % this.#size.areas,
      hub: index % 2,
    };
    this.#seats.push({ ...place, device: await this.#connect(place, place.hub, index < 2) });
  }

  #connect(
    { name, dir, area }: Pick<Seat, 'name' | 'dir' | 'area'>,
    hub: number,
    isWhole = this.#seats.slice(0, 2).some((seat) => seat.name === name),
  ): Promise<Device> {
    const url = `mqtt://127.0.0.1:${must(this.#proxies[hub], 'a proxy').port}`;
    const scope = isWhole ? {} : { scope: { prefixes: [prefixOf(area)], keys: [] } };
    return connect({ url, dir, name, ...scope });
  }
}

function prefixOf(area: number): string {
  return `area/${area}/`;
}
