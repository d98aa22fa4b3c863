/**
 * A hub and devices with the SDK in simulated time: the real door, store and pulls, the real outbox, session and merge;
 * in between a network that delays, cuts, repeats, and loses what is under way.
 */
import type { Clock } from '../../../src/base/clock.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { below } from '../../../src/base/random.ts';
import { Device } from '../../../src/client/device.ts';
import type { LinkHandlers, OpenLink } from '../../../src/client/link/link.ts';
import { Horizons } from '../../../src/hub/storage/horizons.ts';
import type { Door } from '../../../src/ingest/door/door.ts';
import { HlcClock } from '../../../src/model/hlc.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import type { Store } from '../../../src/store/store.ts';
import { OpsDoor } from '../../../src/sync/ops-door.ts';
import { PullDoor, type PullFrom } from '../../../src/sync/pull-door.ts';
import { DoorJournal } from '../memory/door-journal.ts';
import { openDoor } from '../memory/doors.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
import { HUB } from '../made/ops.ts';
import { openStore } from '../memory/stores.ts';

const START_MS = 1_800_000_000_000;
const DELAY_MS_MAX = 40;
const SYNC_MS = 5;
const OPS_KEPT = 6;
/** So far behind the journal, the store is not waited for: it catches up by itself. */
const BEHIND_MAX = 400;

interface SimLink {
  readonly name: string;
  readonly filters: readonly string[];
  readonly handlers: LinkHandlers;
  isUp: boolean;
}

export interface Member {
  readonly name: string;
  device: Device;
  storage: MemoryStorage;
  /** How far its wall clock is ahead; negative: behind. */
  skewMs: number;
}

export class DeviceWorld {
  readonly clock = new SimClock(START_MS);
  readonly random: SeededRandom;
  readonly journal = new DoorJournal();
  readonly store: Store;
  readonly members: Member[] = [];
  /** So short that records outgrow it all the time. */
  readonly horizons: Horizons;
  /** Whether a cut may come at any message. */
  isRough = true;
  cuts = 0;
  /** What arrives of what was sent, by the device at one end. */
  tamper: (name: string, payload: Uint8Array, way: 'up' | 'down') => Uint8Array = (_, payload) =>
    payload;
  /** Who a device is for the hub, and what it may read. */
  rightsOf: (name: string) => PullFrom = () => ({
    role: 'device',
    mayRead: () => true,
    rights: () => [],
  });
  readonly #links = new Set<SimLink>();
  readonly door: Door;
  readonly #ops: OpsDoor;
  readonly #away = new Set<string>();
  readonly #bytesTo = new Map<string, number>();
  #pulls: PullDoor;

  constructor(dir: string, seed: number) {
    this.random = new SeededRandom(seed);
    this.store = openStore(dir);
    const hlc = new HlcClock(this.clock);
    const { door } = openDoor({ journal: this.journal, clock: this.clock, hlc });
    this.door = door;
    this.#ops = new OpsDoor({
      acceptOps: (message, from) => door.acceptOps(message, from),
      whenDurable: () => this.#whenSynced(),
      conflictsOf: () => Promise.resolve([]),
      tellClash: () => undefined,
      publish: (topic, payload) => this.#publish(topic, payload),
      log: SILENT_LOG,
    });
    this.#pulls = this.#openPulls();
    this.horizons = new Horizons({
      store: { state: this.store, fault: undefined },
      door,
      limits: { opsMax: OPS_KEPT, editsMax: 1_000_000 },
      clock: this.clock,
      timers: this.clock,
      log: SILENT_LOG,
      periodMs: 1_000,
    });
  }

  async add(name: string, { storage = new MemoryStorage(), skewMs = 0 } = {}): Promise<Device> {
    const member: Omit<Member, 'device'> = { name, storage, skewMs };
    // The very object, so that its clock may be set later.
    const whole = Object.assign(member, { device: await this.#openDevice(member) });
    this.members.push(whole);
    return whole.device;
  }

  /** The device's process is gone; what its storage had is there. */
  async crash(member: Member): Promise<void> {
    for (const link of this.#links) if (link.name === member.name) this.#drop(link);
    const { kept, state, damage } = member.storage;
    // What the dead one still writes goes nowhere.
    member.storage.failure = new Error('gone');
    await member.device.close();
    member.storage = new MemoryStorage();
    member.storage.kept = kept;
    member.storage.state = state;
    member.storage.damage = damage;
    member.device = await this.#openDevice(member);
  }

  /** The hub starts anew: nobody is connected, nobody pulls. */
  restartHub(): void {
    for (const link of this.#links) this.#drop(link);
    this.#pulls.close();
    this.#pulls = this.#openPulls();
  }

  /** The device goes where no hub is, or comes back. */
  goes(name: string, where: 'away' | 'back'): void {
    if (where === 'back') this.#away.delete(name);
    else this.#away.add(name);
    this.cut(name);
  }

  /** The device is where no hub is, for a while. */
  stayAway(name: string, ms: number): void {
    this.goes(name, 'away');
    this.clock.after(ms, () => this.goes(name, 'back'));
  }

  /** Cuts every link of a device. */
  cut(name: string): void {
    for (const link of this.#links) if (link.name === name) this.#drop(link);
  }

  /** What the hub has sent to a device. */
  bytesTo(name: string): number {
    return this.#bytesTo.get(name) ?? 0;
  }

  /** Lets everybody finish. */
  async settle(): Promise<void> {
    this.isRough = false;
    for (let round = 0; round < 400; round++) {
      for (const { device } of this.members) device.wake();
      await this.clock.advance(1_000);
      if (this.members.every(({ device }) => isSettled(device))) break;
    }
    await this.clock.advance(2_000);
  }

  async close(): Promise<void> {
    for (const { device } of this.members) await device.close();
    this.horizons.close();
    this.#pulls.close();
    this.store.close();
  }

  #openPulls(): PullDoor {
    return new PullDoor({
      hub: HUB,
      journal: this.journal,
      source: () => this.store.reader,
      appliedLsn: () => this.store.appliedLsn,
      whenApplied: () => Promise.resolve(this.#fold()),
      now: () => ({ ms: this.clock.wallMs(), counter: 0 }),
      publish: (topic, payload) => this.#publish(topic, payload),
      clock: this.clock,
      timers: this.clock,
      log: SILENT_LOG,
    });
  }

  #openDevice(member: Omit<Member, 'device'>): Promise<Device> {
    const { name, storage } = member;
    const { clock: timers, random } = this;
    const clock: Clock = {
      wallMs: () => timers.wallMs() + member.skewMs,
      monotonicMs: () => timers.monotonicMs(),
      quality: () => timers.quality(),
    };
    const platform = { storage, openLink: this.#openLink, clock, timers, random };
    return Device.open({ url: 'sim://hub', name }, platform);
  }

  readonly #openLink: OpenLink = (target, handlers) => {
    const { clientId: name, filters } = target;
    const link: SimLink = { name, filters, handlers, isUp: true };
    this.#links.add(link);
    if (this.#away.has(name)) this.clock.after(0, () => this.#drop(link));
    this.#later(link, () => {
      handlers.onUp({
        publish: (topic, payload) => this.#receive(link, topic, payload),
        close: () => this.#drop(link),
      });
    });
    return () => this.#drop(link);
  };

  #receive(link: SimLink, topic: string, sent: Uint8Array): void {
    const arrive = (): void => {
      const from = this.rightsOf(link.name);
      const payload = this.tamper(link.name, sent, 'up');
      if (topic.endsWith('/ops')) this.#ops.handle({ topic, payload, from });
      else this.#pulls.handle({ topic, payload, from });
    };
    this.#later(link, arrive);
    // A message that is repeated, as after a lost acknowledgement.
    if (this.isRough && topic.endsWith('/ops') && below(this.random, 8) === 0) {
      this.#later(link, arrive);
    }
  }

  #publish(topic: string, payload: Uint8Array): void {
    const bytes = payload.slice();
    for (const link of this.#links) {
      if (link.filters.includes(topic)) {
        this.#bytesTo.set(link.name, this.bytesTo(link.name) + bytes.length);
        this.#later(link, () =>
          link.handlers.onMessage(topic, this.tamper(link.name, bytes, 'down')),
        );
      }
    }
  }

  /** In order, as TCP is; a cut loses what is under way. */
  #later(link: SimLink, arrive: () => void): void {
    if (this.isRough && below(this.random, 25) === 0) {
      this.cuts += 1;
      this.clock.after(below(this.random, DELAY_MS_MAX), () => this.#drop(link));
    }
    this.clock.after(DELAY_MS_MAX, () => {
      if (link.isUp) arrive();
    });
  }

  #drop(link: SimLink): void {
    if (!link.isUp) return;
    link.isUp = false;
    this.#links.delete(link);
    link.handlers.onDown('cut');
  }

  #whenSynced(): Promise<void> {
    return new Promise((resolve) => {
      this.clock.after(SYNC_MS, () => {
        this.journal.sync();
        if (this.journal.durableLsn - this.store.appliedLsn > BEHIND_MAX) this.#fold();
        resolve();
      });
    });
  }

  #fold(): void {
    const cursor = this.journal.cursor(this.store.appliedLsn + 1);
    for (let next = cursor.next(); next !== undefined; next = cursor.next()) {
      this.store.stageEntry(next.lsn, next.entry);
    }
  }

  fold(): void {
    this.#fold();
  }
}

function isSettled({ status }: Device): boolean {
  return status.contact === 'live' && status.pending === 0;
}
