/** `sync/<device>/receipt`: what became of the ops that a device handed in (sync/PROTOCOL.md §2). */
import { CborError, CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import { type OpId, readOpId, writeOpId } from '../merge/op-id.ts';
import { isOpClass } from '../model/class.ts';
import { bytesOfOrigin, originOfBytes } from '../model/origin.ts';

/** Two writes of a field that were made without knowledge of each other. */
export interface ToldConflict {
  readonly key: string;
  readonly field: string;
  readonly kind: 'concurrent' | 'overruled';
  readonly winner: OpId;
  readonly loser: OpId;
}

/** `later`: may be taken another time. `never`: not as it is. `gap`: when what lies before it has come. */
export type Verdict = 'later' | 'never' | 'gap';

/** An op that was not taken. */
export interface RejectedOp extends OpId {
  readonly reason: string;
  readonly verdict: Verdict;
}

export interface Receipt {
  /** Per lane of the message: highest seq up to which the hub has every op, durably. */
  readonly accepted: readonly OpId[];
  readonly rejected: readonly RejectedOp[];
  /** Why the message, from some op on, could not be read. */
  readonly refused?: string;
  /** Open conflicts in which ops of the message take part, as far as the hub had looked. */
  readonly conflicts?: readonly ToldConflict[];
}

const VERDICTS: readonly Verdict[] = ['later', 'never', 'gap'];
const KINDS = ['concurrent', 'overruled'] as const;
const LIMITS = { depthMax: 8, itemsMax: 200_000 };
/** Keys of the map in deterministic order: shorter encodings first. */
const KEYS = ['refused', 'accepted', 'rejected', 'conflicts'] as const;

export function encodeReceipt(receipt: Receipt): Uint8Array {
  const { accepted, rejected, refused, conflicts = [] } = receipt;
  const writer = new CborWriter(128);
  writer.map(2 + (refused === undefined ? 0 : 1) + (conflicts.length === 0 ? 0 : 1));
  if (refused !== undefined) writer.text('refused').text(refused);
  writer.text('accepted').array(accepted.length);
  for (const { origin, class: opClass, seq } of accepted) {
    // A lane of which nothing was taken stands at 0, which no op's name does.
    writer.array(3).bytes(bytesOfOrigin(origin)).uint(opClass).uint(seq);
  }
  writer.text('rejected').array(rejected.length);
  for (const { origin, class: opClass, seq, reason, verdict } of rejected) {
    writer.array(5).bytes(bytesOfOrigin(origin)).uint(opClass).uint(seq).text(reason);
    writer.uint(VERDICTS.indexOf(verdict));
  }
  if (conflicts.length > 0) {
    writer.text('conflicts').array(conflicts.length);
    for (const conflict of conflicts) writeConflict(writer, conflict);
  }
  return writer.finish();
}

/** Throws `CborError` where the message is malformed. */
export function readReceipt(bytes: Uint8Array): Receipt {
  const reader = new CborReader(bytes, 0, LIMITS);
  const count = reader.map();
  const receipt: { -readonly [Key in keyof Receipt]: Receipt[Key] } = {
    accepted: [],
    rejected: [],
  };
  let previous = -1;
  for (let i = 0; i < count; i++) {
    const name = reader.text();
    const place = KEYS.findIndex((key) => key === name);
    if (place <= previous) throw new CborError('unknown or misplaced key', reader.offset);
    previous = place;
    if (name === 'refused') receipt.refused = reader.text();
    else if (name === 'accepted') receipt.accepted = readList(reader, () => readLane(reader, 3));
    else if (name === 'rejected') receipt.rejected = readList(reader, () => readRejected(reader));
    else receipt.conflicts = readList(reader, () => readConflict(reader));
  }
  if (!reader.atEnd) throw new CborError('bytes after the end', reader.offset);
  return receipt;
}

export function writeConflict(writer: CborWriter, conflict: ToldConflict): void {
  const { key, field, kind, winner, loser } = conflict;
  writer.array(5).text(key).text(field).uint(KINDS.indexOf(kind));
  writeOpId(writer, winner);
  writeOpId(writer, loser);
}

export function readConflict(reader: CborReader): ToldConflict {
  reader.expectArray(5);
  const key = reader.text();
  const field = reader.text();
  const kind = KINDS[reader.uint()];
  if (kind === undefined) throw new CborError('unknown kind of conflict', reader.offset);
  return { key, field, kind, winner: readOpId(reader), loser: readOpId(reader) };
}

export function readList<T>(reader: CborReader, read: () => T): T[] {
  const length = reader.array();
  const items: T[] = [];
  for (let i = 0; i < length; i++) items.push(read());
  return items;
}

function readLane(reader: CborReader, count: number): OpId {
  const start = reader.offset;
  reader.expectArray(count);
  const origin = originOfBytes(reader.bytes());
  const opClass = reader.uint();
  if (origin === undefined || !isOpClass(opClass)) throw new CborError('not a lane', start);
  return { origin, class: opClass, seq: reader.uint() };
}

function readRejected(reader: CborReader): RejectedOp {
  const lane = readLane(reader, 5);
  const reason = reader.text();
  const verdict = VERDICTS[reader.uint()];
  if (verdict === undefined) throw new CborError('unknown verdict', reader.offset);
  return { ...lane, reason, verdict };
}
