/**
 * Ops that a device hands in, on their way into the journal (sync/PROTOCOL.md §2): each for itself, in the order of its lane.
 * Where another hub has receipted what lies before, and neither it nor the device gives it to this one, the lane goes on
 * all the same, with a hole in it: work does not wait for a hub that burned down.
 */
import { HubError } from '../../base/errors.ts';
import { carriesBytes } from '../../model/asset-bytes.ts';
import { LOG, type OpClass } from '../../model/class.ts';
import type { HlcClock } from '../../model/hlc.ts';
import { AUTHORITY, EVENT, type Op, OP_BYTES_MAX, type Role } from '../../model/op.ts';
import { type Lane, laneOf, splitLane } from '../../model/origin.ts';
import { isSystemTopic, isTopicName } from '../../model/topic.ts';
import { SEQ_LEAP_MAX, seqIn } from '../../model/version-vector.ts';
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
import { CLASH, MANY_ORIGINS, type OriginBook } from './origin-book.ts';
import { later, never, type Rejection } from './rejection.ts';

/** Who hands in ops. */
export interface OpsFrom {
  readonly role: Role;
  readonly device: string;
  /** Whether it has the right to make the op; absent: it has. */
  readonly mayWrite?: (op: Pick<Op, 'kind' | 'key'>) => boolean;
}

/** What a limit is set to: documents, records. */
export interface Room {
  refusal(op: Told): Rejection | undefined;
  note(op: Told, lsn: Lsn): void;
}

export type Told = Pick<Op, 'kind' | 'key' | 'body'>;

/** The part of the door that ops of devices pass through. */
export interface DeviceDoor {
  readonly hlc: HlcClock;
  readonly unfoldable: (op: Op) => string | undefined;
  readonly isAsKept: (op: Op) => boolean | undefined;
  readonly vector: Map<Lane, number>;
  readonly holes: Pick<HoleBook, 'has' | 'fill' | 'tell' | 'untell'>;
  readonly origins: Pick<OriginBook, 'refusal'>;
  readonly assets?: { refusal(op: Op): HubError | undefined; note(lsn: Lsn): void } | undefined;
  /** What an op goes into, each with a limit. */
  readonly rooms: readonly Room[];
  readonly lanesMax: number;
  readonly gate: Pick<FillGate, 'refusal'>;
  readonly nowMs: () => number;
  /** `isMessage`: who has subscribed to its topic gets it, after a crash as well. */
  append(op: { bytes: Uint8Array; class: OpClass; authority: number; isMessage: boolean }): Lsn;
}

const TOO_LARGE = never(`an op has at most ${OP_BYTES_MAX} bytes`);
const MANY_HOLES = later('this hub lacks too much of what other hubs have had');
const NUMBER_TAKEN = never('this origin has made another op of the same number');
/** Of one message, known ops that are held against what is kept: a message is decoded in the time that a few of these take. */
const COMPARED_MAX = 64;

export function takeDeviceOps(message: Uint8Array, from: OpsFrom, door: DeviceDoor): OpsOutcome {
  const { ops, floors, refused: reason } = readOpsMessage(message);
  const rejected: RejectedOp[] = [];
  const edits: TakenEdit[] = [];
  const messages: TakenMessage[] = [];
  const lanes = new Set<Lane>();
  const forks = forksIn(ops, door);
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
    const lane = laneOf(origin, opClass);
    const isKnown = isHere(op, lane, door);
    if (!isKnown && from.mayWrite?.(op) === false) {
      reject(never(`no right to write ${op.key}`));
      continue;
    }
    lanes.add(lane);
    if (isKnown && op.kind !== EVENT && seq >= (forks.get(lane) ?? Infinity)) {
      isClash = true;
      reject(NUMBER_TAKEN);
      continue;
    }
    const isHeard = isMessage(op, from);
    const place = { door, lane, from, floor: seqIn(floors, lane), isHeard };
    const outcome = isKnown ? 0 : takeOp(op, bytes, place);
    if (typeof outcome === 'object') reject(outcome);
    else {
      lsn = Math.max(lsn, outcome);
      const edit = editOf(op);
      if (edit !== undefined) edits.push(edit);
      if (!isKnown && isHeard) {
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

/** A duplicate: the number was taken before, by this op or by another one. */
function isHere({ seq }: Op, lane: Lane, { vector, holes }: DeviceDoor): boolean {
  return seq <= seqIn(vector, lane) && !holes.has(lane, seq);
}

/**
 * Where in each lane duplicates are not what is kept by their names: the device has given its numbers twice, because its storage
 * has forgotten the end of its log, or two devices use one origin. From there on they are other ops; so the newest that can be compared
 * says it for those before it.
 */
function forksIn(ops: readonly { readonly op: Op }[], door: DeviceDoor): ReadonlyMap<Lane, number> {
  const forks = new Map<Lane, number>();
  const equal = new Set<Lane>();
  let compared = 0;
  for (const { op } of ops.toReversed()) {
    const lane = laneOf(op.origin, op.class);
    if (compared === COMPARED_MAX || equal.has(lane) || !isHere(op, lane, door)) continue;
    compared += 1;
    const isAsKept = door.isAsKept(op);
    if (isAsKept === true) equal.add(lane);
    else if (isAsKept === false) forks.set(lane, op.seq);
  }
  return forks;
}

/** Why what the op goes into has no room for it. */
export function roomRefusal(rooms: readonly Room[], op: Told): Rejection | undefined {
  for (const room of rooms) {
    const refusal = room.refusal(op);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** LSN of the new entry, or the reason of a refusal. */
function takeOp(op: Op, bytes: Uint8Array, place: Place): Lsn | Rejection {
  const { door, lane, from, floor, isHeard } = place;
  const { vector, holes, unfoldable, assets, rooms, gate, hlc } = door;
  const known = seqIn(vector, lane);
  const fills = op.seq <= known;
  const leaps = op.seq > known + 1;
  if (leaps && op.seq > floor + 1) return { reason: `gap after ${known}`, verdict: 'gap' };
  if (op.seq - known > SEQ_LEAP_MAX) return never(`no number after ${known}`);
  if (op.key.includes('\u0000')) return never('a key has no U+0000');
  if (bytes.length > OP_BYTES_MAX) return TOO_LARGE;
  const unknown = unfoldable(op);
  if (unknown !== undefined) return never(unknown);
  const carried = carriesBytes(op) ? assets : undefined;
  const unfit = carried?.refusal(op);
  if (unfit !== undefined) {
    return unfit.code === 'asset.too-large' ? never(unfit.message) : later(unfit.message);
  }
  const overgrown = roomRefusal(rooms, op);
  if (overgrown !== undefined) return overgrown;
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
  for (const room of rooms) room.note(op, lsn);
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
