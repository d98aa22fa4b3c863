/** A process of the pilot's month, hub or region. */
import type { Timers } from '../../base/clock.ts';
import { SimLife } from '../../platform/sim/life.ts';

/**
 * What looks around every second or ten (keepalive of sockets that nobody has here, room on the card, the battery's
 * gauge) looks as often as the power brain decides here instead: it was half of a month's work and decided nothing.
 */
const PERIOD_MS_MIN = 60_000;

export function processLife(timers: Timers): SimLife {
  return new SimLife(timers, { periodMsMin: PERIOD_MS_MIN });
}
