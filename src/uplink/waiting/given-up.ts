/**
 * Lets go of what waits without a receipt, and counts it. To the region it is a stretch of the lanes that never comes;
 * the next batch spans it.
 */
import { LOG, type OpClass } from '../../model/class.ts';
import type { JournalReader, Lsn } from '../ports.ts';
import type { Breather } from './breather.ts';
import type { ClassState } from './class-chain.ts';
import type { LackingLeaves } from './lacking-leaves.ts';
import { classOfEntry } from './peek-entry.ts';
import type { UnsealedCount } from './unsealed-count.ts';

/** Of devices; the hub's own log lines are not counted. */
export interface GivenUp {
  readonly ops: number;
  readonly bytes: number;
}

interface GivingUpParts {
  readonly journal: JournalReader;
  readonly breather: Breather;
  readonly unsealed: UnsealedCount;
  readonly lacking: LackingLeaves;
  readonly states: Readonly<Record<OpClass, Pick<ClassState, 'isSealing'>>>;
}

/** Entries looked at in one step. */
const STEP_ENTRIES = 256;

/**
 * Gives up what waits of the classes through `throughLsn` and is in no batch: `release` lets the journal go of it, and says whether
 * it did. Undefined where nothing was given up, as while one of them is being sealed.
 */
export async function giveUp(
  classes: readonly OpClass[],
  throughLsn: Lsn,
  release: () => boolean,
  parts: GivingUpParts,
): Promise<GivenUp | undefined> {
  const states = classes.map((opClass) => parts.states[opClass]);
  if (states.some(({ isSealing }) => isSealing)) return undefined;
  for (const state of states) state.isSealing = true;
  parts.unsealed.hold();
  try {
    const counted = await countThrough(classes, throughLsn, parts);
    if (!release()) return undefined;
    const total = { ops: 0, bytes: 0 };
    for (const [opClass, { ops, bytes }] of counted) {
      parts.unsealed.gone(opClass, { ops, bytes }, throughLsn);
      if (ops > 0) parts.lacking.lost(opClass);
      if (opClass === LOG) continue;
      total.ops += ops;
      total.bytes += bytes;
    }
    return total;
  } finally {
    for (const state of states) state.isSealing = false;
    parts.unsealed.goOn();
  }
}

/** What waits of each class at or below `throughLsn`; in steps, beside devices. */
async function countThrough(
  classes: readonly OpClass[],
  throughLsn: Lsn,
  { journal, breather, unsealed }: GivingUpParts,
): Promise<ReadonlyMap<OpClass, GivenUp>> {
  const waiting = classes.map((opClass) => ({ opClass, ...unsealed.of(opClass) }));
  const counted = new Map(
    waiting
      .filter(({ ops }) => ops > 0)
      .map(({ opClass, firstLsn, ops }) => [opClass, { firstLsn, waiting: ops, ops: 0, bytes: 0 }]),
  );
  if (counted.size === 0) return counted;
  breather.begin();
  const cursor = journal.cursor(Math.min(...[...counted.values()].map((it) => it.firstLsn)));
  for (let entries = 1; ; entries++) {
    const item = cursor.next();
    if (item === undefined || item.lsn > throughLsn) return counted;
    const opClass = classOfEntry(item.entry);
    const count = opClass === undefined ? undefined : counted.get(opClass);
    if (count !== undefined && item.lsn >= count.firstLsn && count.ops < count.waiting) {
      count.ops += 1;
      count.bytes += item.entry.length;
    }
    const rest = entries % STEP_ENTRIES === 0 ? breather.step() : undefined;
    if (rest !== undefined) await rest;
  }
}
