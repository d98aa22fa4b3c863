/**
 * A policy that knows the weather to come, for comparison: what nobody can do better without breaking the rules. It
 * pays for its sessions and keeps the reserve like everybody. Alarms and commands go as they are born; everything else
 * goes where the true future shows that the sun fills the battery again before the reserve would be touched.
 */
import { CLASSES, type OpClass } from '../../model/class.ts';
import type { Backlog } from '../../power/backlog.ts';

export interface Foresight {
  /** Wh in the battery at the end of each minute of the same weather without any sync. */
  readonly storedWh: readonly number[];
  /** Wh that it could not take in that minute. */
  readonly spiltWh: readonly number[];
  readonly reserveWh: number;
  readonly sessionWh: number;
}

/** What is not urgent gathers as long as under the hourly policy, where the sun pays for it. */
const GATHER_MINUTES = 60;

export class Oracle {
  readonly #future: Foresight;

  constructor(future: Foresight) {
    this.#future = future;
  }

  /** Classes that a session opened now would carry; empty: no session. `storedWh` is what is really left. */
  choose(minute: number, storedWh: number, backlog: Backlog): readonly OpClass[] {
    const { reserveWh, sessionWh } = this.#future;
    if (storedWh - sessionWh < reserveWh) return [];
    if (backlog[0].ops > 0 || backlog[1].ops > 0) return CLASSES;
    if (minute % GATHER_MINUTES !== 0 || CLASSES.every((it) => backlog[it].ops === 0)) return [];
    return this.#isPaid(minute, storedWh) ? CLASSES : [];
  }

  /** Whether the sun makes good for a session before the reserve is touched. */
  #isPaid(minute: number, storedWh: number): boolean {
    const { storedWh: undisturbed, spiltWh, reserveWh, sessionWh } = this.#future;
    let debtWh = (undisturbed[minute] as number) - storedWh + sessionWh;
    for (let at = minute + 1; at < undisturbed.length && debtWh > 0; at++) {
      debtWh -= spiltWh[at] as number;
      if ((undisturbed[at] as number) - debtWh < reserveWh) return false;
    }
    return true;
  }
}
