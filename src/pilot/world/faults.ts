/**
 * What goes wrong and when: a plan for the whole month, rolled from the seed before the first minute, so that no
 * fault depends on how the hub behaves. Every fault that lasts says when it ends.
 */
import { unreachable } from '../../base/assert.ts';
import { below } from '../../base/random.ts';
import type { SeededRandom } from '../../platform/sim/random.ts';
import type { FaultKind } from '../scenario.ts';

export type FaultEvent =
  | { readonly kind: 'power-cut'; readonly minutes: number }
  | { readonly kind: 'kill'; readonly afterMs: number; readonly how: 'process' | 'power' }
  | { readonly kind: 'clock'; readonly jumpMs: number }
  | { readonly kind: 'card'; readonly trouble: 'sync' | 'full' }
  | { readonly kind: 'flood' }
  | { readonly kind: 'region-down'; readonly minutes: number }
  /** The usual way is gone: somebody pays for the bytes of the one that stands in. */
  | { readonly kind: 'metered'; readonly minutes: number }
  | {
      readonly kind: 'link';
      readonly trouble: 'down' | 'loss' | 'slow' | 'portal' | 'cut';
      readonly minutes: number;
    };

export interface PlannedFault {
  readonly minute: number;
  readonly event: FaultEvent;
}

const DAY_MINUTES = 1_440;
const HOUR = 60;

/** How often, in a month of thirty days. */
const PER_MONTH: Readonly<Record<FaultKind, number>> = {
  'power-cut': 4,
  kill: 20,
  clock: 4,
  card: 3,
  flood: 3,
  'region-down': 1.5,
  link: 25,
  metered: 2,
};

/** Faults in the order of their minutes; the first and the last hours are left in peace. */
export function planFaults(
  days: number,
  kinds: ReadonlySet<FaultKind>,
  random: SeededRandom,
): PlannedFault[] {
  const planned = (Object.keys(PER_MONTH) as FaultKind[]).flatMap((kind) => {
    const dice = random.fork(kind);
    if (!kinds.has(kind)) return [];
    const expected = (PER_MONTH[kind] * days) / 30;
    const count = Math.floor(expected) + (dice.fraction() < expected % 1 ? 1 : 0);
    return Array.from({ length: count }, () => ({
      minute: 2 * HOUR + below(dice, Math.max(1, days * DAY_MINUTES - 4 * HOUR)),
      event: eventOf(kind, dice),
    }));
  });
  return planned.toSorted((a, b) => a.minute - b.minute);
}

function eventOf(kind: FaultKind, dice: SeededRandom): FaultEvent {
  switch (kind) {
    case 'power-cut':
      return { kind, minutes: 1 + below(dice, 45) };
    case 'kill':
      // Half of them right behind a minute's messages, while acknowledgements are still owed.
      return {
        kind,
        afterMs: dice.fraction() < 0.5 ? below(dice, 30) : below(dice, 50_000),
        how: dice.fraction() < 0.5 ? 'process' : 'power',
      };
    case 'clock':
      return { kind, jumpMs: (dice.fraction() < 0.5 ? -1 : 1) * below(dice, 8 * HOUR) * 60_000 };
    case 'card':
      return { kind, trouble: dice.fraction() < 0.7 ? 'sync' : 'full' };
    case 'flood':
      return { kind };
    case 'region-down':
      return { kind, minutes: HOUR * (6 + below(dice, 60)) };
    case 'metered':
      return { kind, minutes: HOUR * (6 + below(dice, 42)) };
    case 'link': {
      const troubles = ['down', 'loss', 'slow', 'portal', 'cut'] as const;
      const trouble = troubles[below(dice, troubles.length)] as (typeof troubles)[number];
      return { kind, trouble, minutes: 10 + below(dice, 5 * HOUR) };
    }
    default:
      return unreachable(kind);
  }
}

/** Whether the region is out of reach while it lasts. */
export function isAway(event: FaultEvent): boolean {
  if (event.kind === 'link') return event.trouble === 'down' || event.trouble === 'portal';
  return event.kind === 'region-down';
}

export function faultText(event: FaultEvent): string {
  switch (event.kind) {
    case 'power-cut':
      return `power cut for ${event.minutes} min`;
    case 'kill':
      return event.how === 'power' ? 'the machine dies' : 'the hub process is killed';
    case 'clock':
      return `the clock jumps by ${(event.jumpMs / 3_600_000).toFixed(1)} h`;
    case 'card':
      return event.trouble === 'sync' ? 'a sync of the card fails' : 'the card is full for 30 min';
    case 'flood':
      return 'a flood of readings';
    case 'region-down':
      return `the regional node is down for ${Math.round(event.minutes / 60)} h`;
    case 'metered':
      return `the link is metered for ${Math.round(event.minutes / 60)} h`;
    case 'link':
      return `link ${event.trouble} for ${event.minutes} min`;
    default:
      return unreachable(event);
  }
}
