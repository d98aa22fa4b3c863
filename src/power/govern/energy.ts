/**
 * What sync is thought to cost. Link-on time and the number of sessions cost more than bytes: a session
 * costs E_fix + e·MB. An account adds it up by class and day, bounded, for the log and the page.
 */
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

export interface SessionEnergy {
  readonly link: LinkKind;
  readonly bytes: number;
  readonly energyWh: number;
  readonly byClass: Readonly<Record<OpClass, number>>;
}

/** A session of an earlier life of the hub, as its log tells of it. */
export interface PastSession {
  readonly energyWh: number;
  readonly byClass: Readonly<Record<OpClass, number>>;
  readonly drawnWh: number | undefined;
  /** Both directions, with all overhead. */
  readonly linkBytes: number;
}

export interface EnergyTotals {
  readonly sessions: number;
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
  energyWh: 0,
  measured: { sessions: 0, energyWh: 0, drawnWh: 0 },
  byClass: perClass(() => 0),
};

const DAY_MS = 86_400_000;

/** Adds up sessions: since the start, and for the day that runs (UTC by the wall clock given), with those before the start. */
export class EnergyAccount {
  #day = Number.NaN;
  #today = NO_ENERGY;
  #total = NO_ENERGY;

  /** `past`: sessions of the same day, before the start. */
  constructor(past: readonly PastSession[] = [], wallMs = Number.NaN) {
    this.#roll(wallMs);
    for (const session of past) this.#today = added(this.#today, session, session.drawnWh);
  }

  /**
   * Books a finished session. The first class that travelled pays for opening it, as nothing below would have
   * gone alone, and command where nothing did: it asked for orders. Each class pays for its own bytes.
   */
  book(
    link: LinkCost,
    bytesByClass: Partial<Record<OpClass, number>>,
    wallMs: number,
    drawnWh?: number,
  ): SessionEnergy {
    const opener = CLASSES.find((opClass) => (bytesByClass[opClass] ?? 0) > 0) ?? COMMAND;
    const byClass = perClass((opClass) => {
      const transfer = transferEnergyWh(link, bytesByClass[opClass] ?? 0);
      return transfer + (opClass === opener ? link.sessionWh : 0);
    });
    const bytes = CLASSES.reduce<number>((sum, opClass) => sum + (bytesByClass[opClass] ?? 0), 0);
    const energyWh = sessionEnergyWh(link, bytes);
    const session = { link: link.kind, bytes, energyWh, byClass };
    this.#roll(wallMs);
    this.#today = added(this.#today, session, drawnWh);
    this.#total = added(this.#total, session, drawnWh);
    return session;
  }

  today(wallMs: number): EnergyTotals {
    this.#roll(wallMs);
    return this.#today;
  }

  get total(): EnergyTotals {
    return this.#total;
  }

  #roll(wallMs: number): void {
    const day = Math.floor(wallMs / DAY_MS);
    if (day === this.#day) return;
    this.#day = day;
    this.#today = NO_ENERGY;
  }
}

function added(
  totals: EnergyTotals,
  session: Pick<SessionEnergy, 'energyWh' | 'byClass'>,
  drawnWh: number | undefined,
): EnergyTotals {
  const { measured } = totals;
  return {
    sessions: totals.sessions + 1,
    energyWh: totals.energyWh + session.energyWh,
    measured:
      drawnWh === undefined
        ? measured
        : {
            sessions: measured.sessions + 1,
            energyWh: measured.energyWh + session.energyWh,
            drawnWh: measured.drawnWh + drawnWh,
          },
    byClass: perClass((opClass) => totals.byClass[opClass] + session.byClass[opClass]),
  };
}
