/**
 * Ops that the region has handed down, on their way into the journal: in the order of their lanes, each once, with the stamp
 * that it has there, so that it counts here as it does there. They are journaled as copies (WIRE.cddl): no leaves of this
 * hub's ledger, and not sent up again. That goes for what the hub had sent itself and its card has lost, too: it was a
 * leaf when it was sent.
 */
import { HubError } from '../../base/errors.ts';
import { carriesBytes } from '../../model/asset-bytes.ts';
import type { OpClass } from '../../model/class.ts';
import { encodeCopyEntry } from '../../model/entry.ts';
import type { HlcClock } from '../../model/hlc.ts';
import type { Op, StampedOp } from '../../model/op.ts';
import { type Lane, laneOf, type Origin } from '../../model/origin.ts';
import { seqIn } from '../../model/version-vector.ts';
import type { FillGate } from './fill-gate.ts';
import type { HoleBook } from './hole-book.ts';
import type { Lsn } from '../journal-port.ts';

/** The part of the door that copies pass through. */
interface CopyDoor {
  readonly hub: Origin;
  readonly hlc: HlcClock;
  readonly unfoldable: (op: Op) => string | undefined;
  readonly vector: Map<Lane, number>;
  readonly holes: Pick<HoleBook, 'has' | 'fill'>;
  /** Last seq of the hub's own lane of a class. */
  readonly ownSeq: (opClass: OpClass) => number;
  readonly assets?: { peerRefusal(op: Op): HubError | undefined; note(lsn: Lsn): void } | undefined;
  readonly lanesMax: number;
  readonly gate: Pick<FillGate, 'refusal'>;
  append(entry: Uint8Array, opClass: OpClass): Lsn;
}

/** What became of ops that came down. */
export interface CopiesOutcome {
  /** The region may be told once this is durable. */
  readonly lsn: Lsn;
  readonly taken: readonly Op[];
  /** Why others were not taken. */
  readonly reasons: readonly string[];
  /** Others do not follow on what is here: it came, or went, since the region was told of it. */
  readonly hasGap: boolean;
}

const GAP = Symbol('gap');

export function takeCopies(ops: readonly StampedOp[], door: CopyDoor): CopiesOutcome {
  const taken: Op[] = [];
  const reasons = new Set<string>();
  let hasGap = false;
  let lsn = 0;
  for (const stamped of ops) {
    const outcome = takeCopy(stamped, door);
    if (outcome === GAP) hasGap = true;
    else if (typeof outcome === 'string') reasons.add(outcome);
    else if (outcome > 0) {
      lsn = outcome;
      taken.push(stamped.op);
    }
  }
  return { lsn, taken, reasons: [...reasons], hasGap };
}

/** LSN of the new entry, 0 for what is here already, or why it is not taken. */
function takeCopy({ op, bytes, stamp }: StampedOp, door: CopyDoor): Lsn | string | typeof GAP {
  const { vector, holes, hlc } = door;
  const lane = laneOf(op.origin, op.class);
  const isOwn = op.origin === door.hub;
  const known = isOwn ? door.ownSeq(op.class) : seqIn(vector, lane);
  const isHole = op.seq <= known && holes.has(lane, op.seq);
  if (op.seq <= known && !isHole) return 0;
  if (!isHole && isOwn) return 'the lane is this hub’s own';
  if (op.seq > known + 1) return GAP;
  const unknown = door.unfoldable(op);
  if (unknown !== undefined) return unknown;
  if (known === 0 && vector.size >= door.lanesMax) return 'too many origins on this hub';
  const carried = carriesBytes(op) ? door.assets : undefined;
  const full = carried?.peerRefusal(op) ?? door.gate.refusal(op.class);
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
  if (isHole) holes.fill(lane, op.seq);
  else vector.set(lane, op.seq);
  carried?.note(lsn);
  return lsn;
}
