/**
 * Ops that a device hands in, on their way into the journal (sync/PROTOCOL.md §2): each for itself, in the order of its lane.
 * Where another hub has receipted what lies before, and neither it nor the device gives it to this one, the lane goes on
 * all the same, with a hole in it: work does not wait for a hub that burned down.
 */
import { HubError } from '../../base/errors.ts';
import { carriesBytes } from '../../model/asset-bytes.ts';
import { LOG, type OpClass } from '../../model/class.ts';
import type { HlcClock } from '../../model/hlc.ts';
import { AUTHORITY, EVENT, type Op, type Role } from '../../model/op.ts';
import { type Lane, laneOf, splitLane } from '../../model/origin.ts';
import { isSystemTopic, isTopicName } from '../../model/topic.ts';
import { seqIn } from '../../model/version-vector.ts';
import type { FillGate } from './fill-gate.ts';
import type { HoleBook } from './hole-book.ts';
import type { Lsn } from '../journal-port.ts';
import {
  editOf,
  type OpsOutcome,
  readOpsMessage,
  type RejectedOp,
  type TakenEdit,
  type TakenMessage,
} from './ops-message.ts';
import { SEQ_LEAP_MAX } from './peer-ops.ts';
import { CLASH, MANY_ORIGINS, type OriginBook } from './origin-book.ts';
import { later, never, type Rejection } from './rejection.ts';

/** Who hands in ops. */
export interface OpsFrom {
  readonly role: Role;
  readonly device: string;
  /** Whether it has the right to make the op; absent: it has. */
  readonly mayWrite?: (op: Pick<Op, 'kind' | 'key'>) => boolean;
}

/** The part of the door that ops of devices pass through. */
export interface DeviceDoor {
  readonly hlc: HlcClock;
  readonly unfoldable: (op: Op) => string | undefined;
  readonly vector: Map<Lane, number>;
  readonly holes: Pick<HoleBook, 'has' | 'fill' | 'tell' | 'untell'>;
  readonly origins: Pick<OriginBook, 'refusal'>;
  readonly assets?: { refusal(op: Op): HubError | undefined; note(lsn: Lsn): void } | undefined;
  readonly lanesMax: number;
  readonly gate: Pick<FillGate, 'refusal'>;
  readonly nowMs: () => number;
  /** `isMessage`: who has subscribed to its topic gets it, after a crash as well. */
  append(op: { bytes: Uint8Array; class: OpClass; authority: number; isMessage: boolean }): Lsn;
}

const MANY_HOLES = later('this hub lacks too much of what other hubs have had');

export function takeDeviceOps(message: Uint8Array, from: OpsFrom, door: DeviceDoor): OpsOutcome {
  const { ops, floors, refused: reason } = readOpsMessage(message);
  const rejected: RejectedOp[] = [];
  const edits: TakenEdit[] = [];
  const messages: TakenMessage[] = [];
  const lanes = new Set<Lane>();
  let lsn = 0;
  let isClash = false;
  for (const { op, bytes } of ops) {
    const { origin, class: opClass, seq } = op;
    const reject = ({ reason: why, verdict }: Rejection): void => {
      rejected.push({ origin, class: opClass, seq, reason: why, verdict });
    };
    const stranger = door.origins.refusal(op, from.device);
    if (stranger !== undefined) {
      isClash ||= stranger === CLASH;
      reject(stranger);
      continue;
    }
    if (from.mayWrite?.(op) === false) {
      reject(never(`no right to write ${op.key}`));
      continue;
    }
    const lane = laneOf(origin, opClass);
    lanes.add(lane);
    const isHeard = isMessage(op, from);
    const place = { door, lane, from, floor: seqIn(floors, lane), isHeard };
    const outcome = takeOp(op, bytes, place);
    if (typeof outcome === 'object') reject(outcome);
    else {
      lsn = Math.max(lsn, outcome);
      const edit = editOf(op);
      if (edit !== undefined) edits.push(edit);
      const isNew = outcome > 0;
      if (isNew && isHeard) {
        messages.push({ lsn: outcome, topic: op.key, payload: op.body });
      }
    }
  }
  const accepted = [...lanes].map((lane) => ({
    ...splitLane(lane),
    seq: seqIn(door.vector, lane),
  }));
  const outcome = { lsn, accepted, rejected, edits, messages, isClash };
  return reason === undefined ? outcome : { ...outcome, refused: reason };
}

interface Place {
  readonly door: DeviceDoor;
  readonly lane: Lane;
  readonly from: OpsFrom;
  /** Up to here some hub has the lane, says the device. */
  readonly floor: number;
  /** Whether it is a message for those who have subscribed. */
  readonly isHeard: boolean;
}

/** LSN of the new entry, 0 for a duplicate, or the reason of a refusal. */
function takeOp(op: Op, bytes: Uint8Array, place: Place): Lsn | Rejection {
  const { door, lane, from, floor, isHeard } = place;
  const { vector, holes, unfoldable, assets, gate, hlc } = door;
  const known = seqIn(vector, lane);
  const fills = op.seq <= known && holes.has(lane, op.seq);
  if (op.seq <= known && !fills) return 0;
  const leaps = op.seq > known + 1;
  if (leaps && op.seq > floor + 1) return { reason: `gap after ${known}`, verdict: 'gap' };
  if (op.seq - known > SEQ_LEAP_MAX) return never(`no number after ${known}`);
  const unknown = unfoldable(op);
  if (unknown !== undefined) return never(unknown);
  const carried = carriesBytes(op) ? assets : undefined;
  const unfit = carried?.refusal(op);
  if (unfit !== undefined) {
    return unfit.code === 'asset.too-large' ? never(unfit.message) : later(unfit.message);
  }
  if (known === 0 && vector.size >= door.lanesMax) return MANY_ORIGINS;
  const full = gate.refusal(op.class);
  if (full !== undefined) return later(full.message);
  // Kept before the op behind it is: from then on the journal alone could say what is missing, and it lets go.
  if (leaps && !holes.tell(lane, known + 1, op.seq - 1, door.nowMs(), from.device)) {
    return MANY_HOLES;
  }
  hlc.observe(op.hlc);
  let lsn: Lsn;
  try {
    const authority = AUTHORITY[from.role];
    lsn = door.append({ bytes, class: op.class, authority, isMessage: isHeard });
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    if (leaps) holes.untell(lane, known + 1);
    return later(error.message);
  }
  if (fills) holes.fill(lane, op.seq);
  else vector.set(lane, op.seq);
  carried?.note(lsn);
  return lsn;
}

/**
 * An event goes to those who have subscribed, as a publish of QoS 1 does. What stands in the place of an op that was refused
 * (client/outbox) is none, and neither is what no publish could be.
 */
function isMessage({ kind, class: opClass, key, body }: Op, { device }: OpsFrom): boolean {
  if (kind !== EVENT || opClass === LOG || !isTopicName(key) || isSystemTopic(key)) return false;
  return body.length > 0 || key !== `devices/${device}/void`;
}
