/** What the log of an outbox comes to (KEPT.md): who this device is, how far its lanes have come, which ops wait. */
import { must } from '../../base/assert.ts';
import { HubError } from '../../base/errors.ts';
import { CborError } from '../../codec/reader.ts';
import { compareHlc, type Hlc, HLC_ZERO } from '../../model/hlc.ts';
import type { Op } from '../../model/op.ts';
import { type Lane, laneOf, type Origin, originOfBytes } from '../../model/origin.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';
import { type LogEntry, readLogEntry } from './log-entry.ts';

export interface ReadLog {
  readonly origin: Origin;
  readonly hlc: Hlc;
  readonly given: Map<Lane, number>;
  readonly receipted: Map<Lane, number>;
  readonly ops: Map<string, { op: Op; bytes: Uint8Array }>;
  readonly stale: number;
}

/** Undefined where nothing says whose log it is. Throws `client.storage` where the entries are no log. */
export function readLog(entries: readonly Uint8Array[]): ReadLog | undefined {
  const all = readAll(entries);
  const [first] = all;
  const head = first?.type === 'head' ? first : undefined;
  // A head that is damaged is not there: ops say the same, as far as it counts.
  const origin = head?.origin ?? all.find((entry) => entry.type === 'op')?.op.origin;
  if (origin === undefined) return undefined;
  const told: VersionVector = head?.receipted ?? new Map();
  const read = {
    origin,
    hlc: head?.hlc ?? HLC_ZERO,
    given: new Map(head?.lanes),
    receipted: new Map(told),
    ops: new Map<string, { op: Op; bytes: Uint8Array }>(),
    stale: 0,
  };
  for (const entry of all) {
    // Behind damage may lie what was the contents of an entry: a copy of another log.
    if (entry.type === 'head' || (entry.type === 'op' && entry.op.origin !== origin)) continue;
    const lane = laneOf(origin, entry.type === 'op' ? entry.op.class : entry.class);
    if (entry.type === 'receipt') {
      read.receipted.set(lane, Math.max(entry.seq, seqIn(read.receipted, lane)));
      read.stale += 1;
      continue;
    }
    const { op, bytes } = entry;
    read.ops.set(`${lane}/${op.seq}`, { op, bytes });
    read.given.set(lane, Math.max(op.seq, seqIn(read.given, lane)));
    // Of what the hub had when the head was written, the head tells the time: a clock that was wrong then counts no more.
    const isTold = op.seq <= seqIn(told, lane);
    if (!isTold && compareHlc(op.hlc, read.hlc) > 0) read.hlc = op.hlc;
  }
  return read;
}

/** The log of a device that has made nothing yet. */
export function newLog(drawn: Uint8Array): ReadLog {
  const origin = must(originOfBytes(drawn), 'as many bytes were drawn');
  const none = { receipted: new Map(), given: new Map(), ops: new Map() };
  return { origin, hlc: HLC_ZERO, ...none, stale: 0 };
}

/** The last number of each lane that was given to an op which is neither here nor receipted: damage took it, or a hub knows better. */
export function lostIn({ given, receipted, ops }: ReadLog): VersionVector {
  const lost = new Map<Lane, number>();
  for (const [lane, last] of given) {
    let seq = last;
    while (ops.has(`${lane}/${seq}`)) seq -= 1;
    if (seq > seqIn(receipted, lane)) lost.set(lane, seq);
  }
  return lost;
}

function readAll(entries: readonly Uint8Array[]): LogEntry[] {
  try {
    return entries.map((bytes) => readLogEntry(bytes));
  } catch (error) {
    if (!(error instanceof CborError)) throw error;
    throw new HubError('client.storage', `it is no log of this version: ${error.message}`, error);
  }
}
