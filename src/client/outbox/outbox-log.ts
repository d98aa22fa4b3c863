/** What the log of an outbox comes to (KEPT.md): who this device is, how far its lanes have come, which ops wait. */
import { HubError } from '../../base/errors.ts';
import { CborError } from '../../codec/reader.ts';
import { compareHlc, type Hlc } from '../../model/hlc.ts';
import type { Op } from '../../model/op.ts';
import { type Lane, laneOf, type Origin } from '../../model/origin.ts';
import { seqIn } from '../../model/version-vector.ts';
import { type LogEntry, readLogEntry } from './log-entry.ts';

export interface ReadLog {
  readonly origin: Origin;
  readonly hlc: Hlc;
  readonly given: Map<Lane, number>;
  readonly receipted: Map<Lane, number>;
  readonly ops: Map<string, { op: Op; bytes: Uint8Array }>;
  readonly stale: number;
}

/** Throws `client.storage` where the entries are no log. */
export function readLog(entries: readonly Uint8Array[]): ReadLog {
  const [first, ...rest] = readAll(entries);
  if (first?.type !== 'head') throw new HubError('client.storage', 'the log has no head');
  const { origin } = first;
  const read = {
    origin,
    hlc: first.hlc,
    given: new Map(first.lanes),
    receipted: new Map(first.receipted),
    ops: new Map<string, { op: Op; bytes: Uint8Array }>(),
    stale: 0,
  };
  for (const entry of rest) {
    if (entry.type === 'head') continue;
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
    const isTold = op.seq <= seqIn(first.receipted, lane);
    if (!isTold && compareHlc(op.hlc, read.hlc) > 0) read.hlc = op.hlc;
  }
  return read;
}

function readAll(entries: readonly Uint8Array[]): LogEntry[] {
  try {
    return entries.map((bytes) => readLogEntry(bytes));
  } catch (error) {
    if (!(error instanceof CborError)) throw error;
    throw new HubError('client.storage', `it is no log of this version: ${error.message}`, error);
  }
}
