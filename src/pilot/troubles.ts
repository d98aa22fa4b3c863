/** Faults of clock, card and link that last for a while, and their ends. */
import type { SimClock } from '../platform/sim/clock.ts';
import type { SimFiles } from '../platform/sim/files.ts';
import type { SimMqttLink } from '../platform/sim/mqtt-client.ts';
import type { SeededRandom } from '../platform/sim/random.ts';
import type { FaultEvent } from './world/faults.ts';
import type { HubClock } from './world/hub-clock.ts';
import { LINK_DELAY_MS, type PilotLink } from './world/pilot-link.ts';
import { HOUR_MS, MINUTE_MS } from './scenario.ts';

export interface TroubledParts {
  readonly clock: SimClock;
  readonly hubClock: HubClock;
  readonly hubDisk: SimFiles;
  readonly link: PilotLink;
  readonly radio: SimMqttLink;
  readonly random: SeededRandom;
}

/** Room on the hub's card, and what is left of it while it is full. */
export const CARD_BYTES = 512 << 20;
const FULL_CARD_BYTES = 1 << 20;
const CARD_FULL_MS = 30 * MINUTE_MS;
/** Until a time source is heard that sets a clock right. */
const WRONG_TIME_MS = 6 * HOUR_MS;
const LOSS_RATIO = 0.05;
const SLOW_MS = 2_500;

export class Troubles {
  readonly #parts: TroubledParts;
  #ends: { readonly atMs: number; readonly end: () => void }[] = [];

  constructor(parts: TroubledParts) {
    this.#parts = parts;
  }

  jumpClock(byMs: number): void {
    const { hubClock } = this.#parts;
    hubClock.jump(byMs);
    this.#endAfter(WRONG_TIME_MS, () => hubClock.repair());
  }

  /** `sync`: one of the next few syncs fails and loses its pages. */
  card(trouble: 'sync' | 'full'): void {
    const { hubDisk, random } = this.#parts;
    if (trouble === 'sync') {
      hubDisk.faults.failSyncs = new Set([hubDisk.syncs + 1 + Math.floor(4 * random.fraction())]);
      return;
    }
    hubDisk.setCapacity(FULL_CARD_BYTES);
    this.#endAfter(CARD_FULL_MS, () => hubDisk.setCapacity(CARD_BYTES));
  }

  /** Whether a sync failed behind the first `syncs` ones: then a hub may end before it serves, and is started again. */
  failedSyncAfter(syncs: number): boolean {
    const { hubDisk } = this.#parts;
    return [...(hubDisk.faults.failSyncs ?? [])].some(
      (number) => number > syncs && number <= hubDisk.syncs,
    );
  }

  metered(untilMs: number): void {
    const { link, clock } = this.#parts;
    link.setMetered(true);
    this.#endAfter(untilMs - clock.monotonicMs(), () => link.setMetered(false));
  }

  link(trouble: Extract<FaultEvent, { kind: 'link' }>['trouble'], untilMs: number): void {
    const { radio, link, clock, random } = this.#parts;
    if (trouble === 'cut') {
      radio.cutAfterMessages = 1 + Math.floor(12 * random.fraction());
      return;
    }
    if (trouble === 'down') radio.isDown = true;
    if (trouble === 'portal') link.isPortal = true;
    if (trouble === 'loss') radio.lossRatio = LOSS_RATIO;
    if (trouble === 'slow') radio.delayMs = SLOW_MS;
    this.#endAfter(untilMs - clock.monotonicMs(), () => this.#mendLink());
  }

  /** Ends what is over by now. */
  endOver(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const over = this.#ends.filter(({ atMs }) => atMs <= nowMs);
    this.#ends = this.#ends.filter(({ atMs }) => atMs > nowMs);
    for (const { end } of over) end();
  }

  endAll(): void {
    for (const { end } of this.#ends.splice(0)) end();
    this.#parts.hubDisk.faults.failSyncs = new Set();
    this.#parts.radio.cutAfterMessages = undefined;
    this.#mendLink();
  }

  #mendLink(): void {
    const { radio, link } = this.#parts;
    radio.isDown = false;
    radio.lossRatio = 0;
    radio.delayMs = LINK_DELAY_MS[link.kind];
    link.isPortal = false;
  }

  #endAfter(delayMs: number, end: () => void): void {
    this.#ends.push({ atMs: this.#parts.clock.monotonicMs() + delayMs, end });
  }
}
