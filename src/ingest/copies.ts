/**
 * Ops that the region has handed down, on their way into the journal: in the order of their lanes, each once, with the stamp
 * that it has there, so that it counts here as it does there. They are journaled as copies (WIRE.cddl): no leaves of this
 * hub's ledger, and not sent up again.
 */
import { HubError } from '../base/errors.ts';
import type { OpClass } from '../model/class.ts';
import { encodeCopyEntry } from '../model/entry.ts';
import type { HlcClock } from '../model/hlc.ts';
import type { Op, StampedOp } from '../model/op.ts';
import { type Lane, laneOf, type Origin } from '../model/origin.ts';
import { seqIn } from '../model/version-vector.ts';
import type { FillGate } from './fill-gate.ts';
import type { Lsn } from './journal-port.ts';

/** The part of the door that copies pass through. */
export interface CopyDoor {
  readonly hub: Origin;
  readonly hlc: HlcClock;
  readonly unfoldable: (op: Op) => string | undefined;
  readonly vector: Map<Lane, number>;
  readonly lanesMax: number;
  readonly gate: Pick<FillGate, 'refusal'>;
  append(entry: Uint8Array, opClass: OpClass): Lsn;
}

/** What became of ops that came down. */
export interface CopiesOutcome {
  /** Of the last one that was new here; 0: none was. */
  readonly lsn: Lsn;
  readonly taken: readonly Op[];
  /** Why others were not taken. */
  readonly reasons: readonly string[];
}

export function takeCopies(ops: readonly StampedOp[], door: CopyDoor): CopiesOutcome {
  const taken: Op[] = [];
  const reasons = new Set<string>();
  let lsn = 0;
  for (const stamped of ops) {
    const outcome = takeCopy(stamped, door);
    if (typeof outcome === 'string') reasons.add(outcome);
    else if (outcome > 0) {
      lsn = outcome;
      taken.push(stamped.op);
    }
  }
  return { lsn, taken, reasons: [...reasons] };
}

/** LSN of the new entry, 0 for what is here already, or the reason of a refusal. */
function takeCopy({ op, bytes, stamp }: StampedOp, door: CopyDoor): Lsn | string {
  const { vector, hlc } = door;
  if (op.origin === door.hub) return 'the lane is this hub’s own';
  const lane = laneOf(op.origin, op.class);
  const known = seqIn(vector, lane);
  if (op.seq <= known) return 0;
  if (op.seq > known + 1) return `gap after ${known}`;
  const unknown = door.unfoldable(op);
  if (unknown !== undefined) return unknown;
  if (known === 0 && vector.size >= door.lanesMax) return 'too many origins on this hub';
  const full = door.gate.refusal(op.class);
  if (full !== undefined) return full.message;
  hlc.observe(op.hlc);
  hlc.observe(stamp.hlc);
  let lsn: Lsn;
  try {
    lsn = door.append(encodeCopyEntry(bytes, stamp), op.class);
  } catch (error) {
    if (error instanceof HubError) return error.message;
    throw error;
  }
  vector.set(lane, op.seq);
  return lsn;
}
