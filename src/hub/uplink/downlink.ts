/**
 * What the region sends, as this hub takes it: ops through the one door into the journal, and what they ask of the hub
 * itself. That is not said by messages, which a crash could lose or repeat, but by records: `control/<hub>` and
 * `control/all` hold the wish of the moment, and the hub looks at them at its start and whenever they change.
 *
 *   override_until   milliseconds since 1970: until then everything is sent; in the past: no more
 *   override_minutes for how long, at most, whatever the clock here says
 *   override_by      who asked
 *
 * Settings are wishes of the same kind, in `config/<hub>` and `config/all` (remote-config.ts).
 */
import type { Clock } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { overrideLeftMs, overrideWishIn } from './override-wish.ts';
import type { RemoteSettings } from './remote-config.ts';
import { type Telling, tellOf } from '../sync/telling.ts';
import type { Healing } from '../sync/healing.ts';
import type { HubPower } from '../power/power.ts';
import type { HubStore } from '../storage/store.ts';
import type { Door } from '../../ingest/door/door.ts';
import type { Journal } from '../../journal/journal.ts';
import { EVENT, type Op, type StampedOp } from '../../model/op.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { Origin } from '../../model/origin.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { DownlinkPort, HealingPort, TakenDown } from '../../uplink/session/downlink.ts';

export interface HubDownlinkOptions {
  readonly door: Pick<Door, 'acceptCopies' | 'vector' | 'progress'>;
  readonly journal: Pick<Journal, 'whenDurable' | 'durableLsn'>;
  readonly store: Pick<HubStore, 'state' | 'whenApplied'>;
  readonly power: Pick<HubPower, 'override'>;
  readonly healing: Pick<Healing, 'lacks' | 'isDue' | 'told' | 'came' | 'pinnedLsn'>;
  readonly ledger: Pick<Ledger, 'has'>;
  readonly notices: Telling;
  readonly hub: Origin;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: Pick<RemoteSettings, 'keys' | 'look'>;
  /** Mode `enrolled`. */
  readonly takeRoster?: ((bytes: Uint8Array) => Promise<void>) | undefined;
}

/** Key of the events that carry the roster of the site. */
export const ROSTER_KEY = 'roster/site';

const UNPROVEN_MAX = 16;

export class HubDownlink implements DownlinkPort {
  readonly #options: HubDownlinkOptions;
  /** The wish that was carried out last. */
  #overrideUntilMs = 0;
  /** For whom. */
  #begunBy: string | undefined;

  constructor(options: HubDownlinkOptions) {
    this.#options = options;
    void this.#obeyAtStart();
  }

  vector(): VersionVector {
    return this.#options.door.vector();
  }

  get healing(): HealingPort {
    return this.#options.healing;
  }

  async take(ops: readonly StampedOp[]): Promise<TakenDown> {
    const { door, journal, store, takeRoster, notices } = this.#options;
    for (const { op } of ops) {
      if (op.kind === EVENT && op.key === ROSTER_KEY) await takeRoster?.(op.body);
    }
    const { lsn, taken, ...others } = door.acceptCopies(ops);
    for (const op of taken) tellOf(op, lsn, notices);
    this.#tellUnproven(ops, taken);
    await journal.whenDurable(lsn);
    if (taken.length === 0) return others;
    this.#options.healing.came();
    const controls = new Set([...this.#controls(), ...this.#options.settings.keys]);
    if (taken.some(({ key }) => controls.has(key))) {
      await store.whenApplied(lsn);
      this.#obey(this.#options.clock.wallMs());
      // Not waited for: the receipt must be on its way when the hub starts anew.
      void this.#options.settings.look();
    }
    return others;
  }

  /**
   * What the region gives back of damage was accepted here, and so is a leaf of our own ledger: but for what was damaged before it
   * was hashed. So it is taken all the same, and told.
   */
  #tellUnproven(ops: readonly StampedOp[], taken: readonly Op[]): void {
    const { ledger, hub, healing, log } = this.#options;
    const healed = ops.filter(({ op, stamp }) => stamp.hub === hub && taken.includes(op));
    if (healed.length === 0) return;
    const lsn = Math.min(Number.MAX_SAFE_INTEGER, healing.pinnedLsn);
    let unproven = 0;
    for (const { op, bytes } of healed) {
      if (ledger.has(op.class, bytes, lsn)) continue;
      unproven += 1;
      // A leaf that is not there is looked for among all.
      if (unproven >= UNPROVEN_MAX) break;
    }
    const fields = { ops: healed.length, unproven };
    if (unproven > 0) log.warn('downlink.healed-unproven', fields);
    else log.info('downlink.healed', fields);
  }

  async #obeyAtStart(): Promise<void> {
    const { store, journal, door, clock, log } = this.#options;
    try {
      await store.whenApplied(journal.durableLsn);
      // A clock that is back in 1970 would resume what was over long ago, at every start.
      this.#obey(Math.max(clock.wallMs(), door.progress().lastHlc.ms));
      await this.#options.settings.look();
    } catch (error) {
      // The store says itself what ails it; the next change is heeded.
      if (!(error instanceof HubError)) throw error;
      log.warn('downlink.control-unread', { code: error.code });
    }
  }

  #controls(): string[] {
    return ['control/all', `control/${this.#options.hub}`];
  }

  /** Carries out what the records ask for and was not carried out yet. */
  #obey(nowMs: number): void {
    const { power, clock, log, store } = this.#options;
    const wishes = this.#controls().map((key) =>
      overrideWishIn(store.state.records.get(key).fields),
    );
    const wish = wishes.toSorted((a, b) => b.atMs - a.atMs)[0];
    if (wish === undefined || wish.untilMs === this.#overrideUntilMs) return;
    const leftMs = overrideLeftMs(wish, nowMs);
    const current = power.override.current();
    const goesOn = current !== undefined && current.who === this.#begunBy;
    this.#overrideUntilMs = wish.untilMs;
    const othersLeftMs = current === undefined ? 0 : current.untilMs - clock.wallMs();
    // Who is on site is not cut short from afar.
    if (!goesOn && leftMs <= othersLeftMs) return;
    this.#begunBy = wish.by;
    log.info('downlink.override', { untilMs: wish.untilMs, by: wish.by });
    power.override.begin(Math.max(0, leftMs), wish.by);
  }
}
