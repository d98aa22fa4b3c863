/** A door over a journal in memory, and publishes for it. */
import { utf8 } from '../../../src/base/bytes.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { Door, type DoorOptions, type InboundPublish } from '../../../src/ingest/door/door.ts';
import { unfoldable } from '../../../src/merge/fold.ts';
import { decodeEntry } from '../../../src/model/entry.ts';
import { HlcClock } from '../../../src/model/hlc.ts';
import type { StampedOp } from '../../../src/model/op.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { DoorJournal } from './door-journal.ts';
import { HUB } from '../made/ops.ts';

export const START_MS = 1_800_000_000_000;

export interface DoorSetup {
  readonly door: Door;
  readonly journal: DoorJournal;
  readonly clock: SimClock;
}

export function openDoor(
  options: Partial<DoorOptions> & { readonly journal?: DoorJournal } = {},
): DoorSetup {
  const clock = new SimClock(START_MS);
  const journal = options.journal ?? new DoorJournal();
  const door = Door.open({
    hub: HUB,
    bootId: 77,
    hlc: new HlcClock(clock),
    clock,
    log: SILENT_LOG,
    capture: [],
    knownVector: new Map(),
    lingerMs: (opClass) => opClass,
    unfoldable,
    ...options,
    journal,
  });
  return { door, journal, clock };
}

export function publish(parts: Partial<InboundPublish> = {}): InboundPublish {
  return {
    topic: 'meters/1',
    payload: utf8('21.5'),
    qos: 1,
    retain: false,
    dup: false,
    clientId: 'meter-1',
    packetId: 1,
    ...parts,
  };
}

/** The ops that lie in the journal. */
export function opsIn(journal: DoorJournal): StampedOp[] {
  return journal.entries.flatMap((bytes) => {
    const entry = decodeEntry(bytes);
    return entry.type === 'op' ? [entry.stamped] : [];
  });
}

/** Publishes to seven topics in turn. */
export function publishMany({ door }: DoorSetup, count: number): void {
  for (let i = 0; i < count; i++) {
    door.admit(publish({ packetId: 0, topic: `meters/${i % 7}`, payload: utf8(`${i}`) }));
  }
}
