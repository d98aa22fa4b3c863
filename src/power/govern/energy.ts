/**
 * What sync is thought to cost. Link-on time and the number of sessions cost more than bytes: a session
 * costs E_fix + e·MB. An account adds it up by class and day, bounded, for the log and the page.
 */
import { qualityBy } from '../../base/clock.ts';
import { CLASSES, COMMAND, type OpClass, perClass } from '../../model/class.ts';

export type LinkKind = 'ethernet' | 'wifi' | 'cellular' | 'satellite' | 'carried';

export interface LinkCost {
  readonly kind: LinkKind;
  /** Bringing the link up and letting it go, in Wh: boot, attach, handshake, tail. */
  readonly sessionWh: number;
  readonly whPerMb: number;
  /** Power of the link while it is up and idle. */
  readonly idleWatts: number;
}

const JOULES_PER_WH = 3_600;

export const LINK_COSTS: Readonly<Record<LinkKind, LinkCost>> = {
  ethernet: { kind: 'ethernet', sessionWh: 0.001, whPerMb: 0.1 / JOULES_PER_WH, idleWatts: 0.3 },
  wifi: { kind: 'wifi', sessionWh: 0.005, whPerMb: 2.5 / JOULES_PER_WH, idleWatts: 0.5 },
  cellular: { kind: 'cellular', sessionWh: 0.03, whPerMb: 9 / JOULES_PER_WH, idleWatts: 0.8 },
  satellite: { kind: 'satellite', sessionWh: 1, whPerMb: 20 / JOULES_PER_WH, idleWatts: 20 },
  carried: { kind: 'carried', sessionWh: 0, whPerMb: 0, idleWatts: 0 },
};

export function isLinkKind(name: string): name is LinkKind {
  return Object.hasOwn(LINK_COSTS, name);
}

/** Wh of one session that moves `bytes`. */
export function sessionEnergyWh(link: LinkCost, bytes: number): number {
  return link.sessionWh + transferEnergyWh(link, bytes);
}

/** Wh that `bytes` add to a session that is open anyway. */
export function transferEnergyWh(link: LinkCost, bytes: number): number {
  return (link.whPerMb * bytes) / 1_000_000;
}

/** What a session is thought to have cost, and what the link carried. */
interface BookedSession {
  readonly energyWh: number;
  readonly byClass: Readonly<Record<OpClass, number>>;
  readonly drawnWh: number | undefined;
  /** Both directions, with all overhead. */
  readonly linkBytes: number;
}

/** A session of an earlier life of the hub, as its log tells of it. */
export interface PastSession extends BookedSession {
  /** Wall clock, at its end. */
  readonly atMs: number;
}

export interface EnergyTotals {
  readonly sessions: number;
  /** Both directions, with all overhead. */
  readonly linkBytes: number;
  readonly energyWh: number;
  /** Sessions during which the load was measured: what they were thought to cost, and what they drew. */
  readonly measured: {
    readonly sessions: number;
    readonly energyWh: number;
    readonly drawnWh: number;
  };
  readonly byClass: Readonly<Record<OpClass, number>>;
}

const NO_ENERGY: EnergyTotals = {
  sessions: 0,
  linkBytes: 0,
  energyWh: 0,
  measured: { sessions: 0, energyWh: 0, drawnWh: 0 },
  byClass: perClass(() => 0),
};

const DAY_MS = 86_400_000;

/** Days that the clock has been in, a few: there may be one of 1970 between two of today. */
const DAYS_KEPT = 4;

/**
 * Adds up the sessions of a UTC day, by a clock that may leave the day and come back to it. What was booked before
 * anybody knew the date belongs to the day that it turns out to be.
 */
export class EnergyAccount {
  readonly #totalsByDay = new Map<number, EnergyTotals>();
  #day = Number.NaN;

  /** `past`: sessions before the start, in their order; those without a date may be of any day. */
  constructor(past: readonly PastSession[] = []) {
    for (const session of past) if (isDated(dayOf(session.atMs))) this.#add(session, session.atMs);
  }

  /**
   * Books a finished session. The first class that travelled pays for opening it, as nothing below would have
   * gone alone, and command where nothing did: it asked for orders. Each class pays for its own bytes.
   */
  book(
    link: LinkCost,
    bytesByClass: Partial<Record<OpClass, number>>,
    wallMs: number,
    use: { readonly linkBytes?: number | undefined; readonly drawnWh?: number | undefined } = {},
  ): BookedSession {
    const opener = CLASSES.find((opClass) => (bytesByClass[opClass] ?? 0) > 0) ?? COMMAND;
    const byClass = perClass((opClass) => {
      const transfer = transferEnergyWh(link, bytesByClass[opClass] ?? 0);
      return transfer + (opClass === opener ? link.sessionWh : 0);
    });
    const bytes = CLASSES.reduce<number>((sum, opClass) => sum + (bytesByClass[opClass] ?? 0), 0);
    const energyWh = sessionEnergyWh(link, bytes);
    const { linkBytes = bytes, drawnWh } = use;
    const session = { energyWh, byClass, linkBytes, drawnWh };
    this.#add(session, wallMs);
    return session;
  }

  today(wallMs: number): EnergyTotals {
    const day = dayOf(wallMs);
    if (day !== this.#day) this.#turn(day);
    return this.#totalsByDay.get(day) ?? NO_ENERGY;
  }

  #add({ energyWh, byClass, linkBytes, drawnWh }: BookedSession, wallMs: number): void {
    const measured =
      drawnWh === undefined ? NO_ENERGY.measured : { sessions: 1, energyWh, drawnWh };
    const session = { sessions: 1, linkBytes, energyWh, measured, byClass };
    const sum = added(this.today(wallMs), session);
    // The latest day is the last one to go.
    this.#totalsByDay.delete(this.#day);
    this.#totalsByDay.set(this.#day, sum);
    const [oldest] = this.#totalsByDay.keys();
    if (this.#totalsByDay.size > DAYS_KEPT) this.#totalsByDay.delete(oldest as number);
  }

  #turn(day: number): void {
    const before = this.#totalsByDay.get(this.#day);
    if (before !== undefined && isDated(day) && !isDated(this.#day)) {
      this.#totalsByDay.delete(this.#day);
      this.#totalsByDay.set(day, added(this.#totalsByDay.get(day) ?? NO_ENERGY, before));
    }
    this.#day = day;
  }
}

function dayOf(wallMs: number): number {
  return Math.floor(wallMs / DAY_MS);
}

/** False for the days of a clock that nobody has set. */
function isDated(day: number): boolean {
  return qualityBy(day * DAY_MS) !== 'unknown';
}

function added(a: EnergyTotals, b: EnergyTotals): EnergyTotals {
  return {
    sessions: a.sessions + b.sessions,
    linkBytes: a.linkBytes + b.linkBytes,
    energyWh: a.energyWh + b.energyWh,
    measured: {
      sessions: a.measured.sessions + b.measured.sessions,
      energyWh: a.measured.energyWh + b.measured.energyWh,
      drawnWh: a.measured.drawnWh + b.measured.drawnWh,
    },
    byClass: perClass((opClass) => a.byClass[opClass] + b.byClass[opClass]),
  };
}
