/**
 * How far each lane has come, found again after a start. The store knows it up to its checkpoint, the
 * journal's tail has the rest. The store is disposable, though, and the journal lets go of its beginning:
 * without more, a hub whose store was deleted would number its ops from 1 again, and upstream would take
 * them for duplicates. The door therefore notes its version vector in the journal, as a local entry, now and
 * then and before anything is released; the vector is then known from the notes and what follows them. A journal
 * that is full to the last byte has no room for a note, and has to release something to get some: then the note is a
 * file beside it, the same bytes.
 *
 * Where the journal is damaged, nobody knows which seqs of this hub went with the lost entries. They may be upstream
 * already, and must not be given again: each own lane goes on as if all of them had been its own. The gap that stays
 * in the lane is the price. The note is written at once then, in the file and in the journal: once the store is
 * further than the damage, nothing else tells of the gap at the end of a lane.
 *
 *   progress-note = ["progress", hlc, bstr]    ; 17 bytes a lane: origin (8), class (1), seq (8, big-endian)
 */
import type { Log } from '../base/log.ts';
import { CborError } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import { CLASSES, isOpClass, type OpClass } from '../model/class.ts';
import { decodeEntry, encodeLocalEntry, readTagged } from '../model/entry.ts';
import { heldIn, lastOf } from '../model/held.ts';
import { compareHlc, decodeHlc, encodeHlc, type Hlc, HLC_ZERO } from '../model/hlc.ts';
import {
  bytesOfOrigin,
  type Lane,
  laneOf,
  type Origin,
  originOfBytes,
  splitLane,
} from '../model/origin.ts';
import { seqIn, type VersionVector } from '../model/version-vector.ts';
import type { JournalPort, Lsn } from './journal-port.ts';

export interface Progress {
  /** Highest seq of each lane that was journaled. */
  readonly vector: VersionVector;
  /** The newest moment that this hub has issued. */
  readonly lastHlc: Hlc;
}

const TAG = 'progress';
const LANE_BYTES = 17;
const CLASS_AT = 8;
const SEQ_AT = 9;
const TWO_32 = 0x100000000;
/** A note is made after this many entries; a start reads no more than two intervals of the journal. */
export const NOTE_INTERVAL = 10_000;

export function encodeNote({ vector, lastHlc }: Progress): Uint8Array {
  const lanes = new Uint8Array(vector.size * LANE_BYTES);
  const view = new DataView(lanes.buffer);
  let at = 0;
  for (const [lane, seq] of vector) {
    const { origin, class: opClass } = splitLane(lane);
    lanes.set(bytesOfOrigin(origin), at);
    lanes[at + CLASS_AT] = opClass;
    view.setUint32(at + SEQ_AT, Math.floor(seq / TWO_32));
    view.setUint32(at + SEQ_AT + 4, seq % TWO_32);
    at += LANE_BYTES;
  }
  const writer = new CborWriter(lanes.length + 32);
  writer.array(3).text(TAG).bytes(encodeHlc(lastHlc)).bytes(lanes);
  return encodeLocalEntry(writer.finish());
}

/** Reads the body of a local entry; undefined where it is something else. */
function decodeNote(body: Uint8Array): Progress | undefined {
  return readTagged(body, { tag: TAG, items: 3 }, (reader) => {
    const lastHlc = decodeHlc(reader.bytes());
    const lanes = reader.bytes();
    if (lastHlc === undefined || lanes.length % LANE_BYTES !== 0) return undefined;
    return { vector: vectorIn(lanes), lastHlc };
  });
}

function vectorIn(lanes: Uint8Array): VersionVector {
  const view = new DataView(lanes.buffer, lanes.byteOffset, lanes.length);
  const vector = new Map<Lane, number>();
  for (let at = 0; at < lanes.length; at += LANE_BYTES) {
    const origin = originOfBytes(lanes.subarray(at, at + CLASS_AT)) as Origin;
    const opClass = view.getUint8(at + CLASS_AT);
    const seq = view.getUint32(at + SEQ_AT) * TWO_32 + view.getUint32(at + SEQ_AT + 4);
    if (isOpClass(opClass)) vector.set(laneOf(origin, opClass), seq);
  }
  return vector;
}

/** A note without what waits for a place in the journal, as that may never find one; undefined while a block is on its way. */
export function settledNote(
  journal: Pick<JournalPort, 'waiting' | 'lastLsn' | 'durableLsn'>,
  { vector, lastHlc }: Progress,
): Uint8Array | undefined {
  const settled = new Map(vector);
  let waiting = 0;
  for (const bytes of journal.waiting()) {
    waiting += 1;
    const entry = decodeEntry(bytes);
    if (entry.type !== 'op') continue;
    const { origin, class: opClass, seq } = entry.stamped.op;
    const lane = laneOf(origin, opClass);
    settled.set(lane, Math.min(seq - 1, seqIn(settled, lane)));
  }
  if (journal.durableLsn + waiting < journal.lastLsn) return undefined;
  return encodeNote({ vector: settled, lastHlc });
}

interface RecoverOptions {
  readonly hub: Origin;
  /** Hubs whose data it has taken over: what they stamped is in the past, whatever the clock says. */
  readonly formerly?: readonly Origin[];
  readonly journal: Pick<JournalPort, 'cursor' | 'waiting' | 'firstLsn' | 'lastLsn' | 'durableLsn'>;
  readonly store: {
    readonly checkpointLsn: Lsn;
    highest(): VersionVector;
    lastStamp(hub: Origin): Hlc | undefined;
  };
  /** A note that found no room in the journal. */
  readonly keptNote?: Uint8Array | undefined;
  readonly log: Log;
}

interface Recovered extends Progress {
  /**
   * Seqs were left out for damaged entries. A later start, whose store is further than the damage, does not see them: this
   * progress is to be kept before an op is numbered.
   */
  readonly passedOver: boolean;
}

/** Finds the progress; the door may open with it while the store is still behind. */
export function recoverProgress(options: RecoverOptions): Recovered {
  const { hub, formerly = [], journal, store, keptNote, log } = options;
  const scan = new TailScan([hub, ...formerly], store);
  if (keptNote !== undefined) scan.take(keptNote);
  scan.foundNote = false;
  const storeIsNear = journal.lastLsn - store.checkpointLsn <= 2 * NOTE_INTERVAL;
  if (storeIsNear) scan.read(journal, store.checkpointLsn + 1);
  else {
    // Far behind: the newest note is near the end, and nothing before it is needed.
    scan.read(journal, Math.max(journal.firstLsn, journal.lastLsn - 2 * NOTE_INTERVAL));
    if (!scan.foundNote) scan.read(journal, Math.max(journal.firstLsn, store.checkpointLsn + 1));
  }
  // On a full disk the end of the last run may wait for room: its seqs were given all the same.
  for (const entry of journal.waiting()) scan.take(entry);
  const passedOver = scan.passOverLost();
  const { vector, lastHlc, unreadable } = scan;
  if (unreadable > 0) log.error('ingest.entries-unreadable', { count: unreadable });
  log.info('ingest.recovered', {
    lanes: vector.size,
    lastLsn: journal.lastLsn,
    lastMs: lastHlc.ms,
  });
  return { vector, lastHlc, passedOver };
}

class TailScan {
  readonly #hub: Origin;
  readonly #hubs: ReadonlySet<Origin>;
  readonly #vector: Map<Lane, number>;
  /** Damaged entries behind the last one that told how far this hub's lane of the class had come. */
  readonly #lostByClass = CLASSES.map(() => 0);
  lastHlc = HLC_ZERO;
  foundNote = false;
  unreadable = 0;

  constructor(hubs: readonly [Origin, ...Origin[]], store: RecoverOptions['store']) {
    [this.#hub] = hubs;
    this.#hubs = new Set(hubs);
    this.#vector = new Map(store.highest());
    for (const hub of hubs) this.#raiseHlc(store.lastStamp(hub) ?? HLC_ZERO);
  }

  get vector(): VersionVector {
    return this.#vector;
  }

  read(journal: Pick<JournalPort, 'cursor' | 'firstLsn' | 'durableLsn'>, fromLsn: Lsn): void {
    this.unreadable = 0;
    this.#lostByClass.fill(0);
    const cursor = journal.cursor(fromLsn);
    let expected = Math.max(fromLsn, journal.firstLsn);
    for (let next = cursor.next(); next !== undefined; next = cursor.next()) {
      this.#lose(next.lsn - expected);
      this.take(next.entry);
      expected = next.lsn + 1;
    }
    this.#lose(journal.durableLsn + 1 - expected);
  }

  /** Leaves out the seqs that may have gone with damaged entries; whether there were any. */
  passOverLost(): boolean {
    for (const [opClass, lost] of this.#lostByClass.entries()) {
      const lane = laneOf(this.#hub, opClass as OpClass);
      if (lost > 0) this.#vector.set(lane, (this.#vector.get(lane) ?? 0) + lost);
    }
    return this.#lostByClass.some((lost) => lost > 0);
  }

  take(bytes: Uint8Array): void {
    try {
      this.#takeReadable(bytes);
    } catch (error) {
      if (!(error instanceof CborError)) throw error;
      this.unreadable += 1;
    }
  }

  #takeReadable(bytes: Uint8Array): void {
    const entry = decodeEntry(bytes);
    if (entry.type === 'op') {
      const { op, stamp } = entry.stamped;
      this.#raise(laneOf(op.origin, op.class), op.seq);
      if (op.origin === this.#hub) this.#lostByClass[op.class] = 0;
      if (this.#hubs.has(stamp.hub)) this.#raiseHlc(stamp.hlc);
      return;
    }
    for (const held of heldIn(entry.body)?.lanes ?? []) this.#raise(held.lane, lastOf(held));
    const note = decodeNote(entry.body);
    if (note === undefined) return;
    this.foundNote = true;
    this.#lostByClass.fill(0);
    for (const [lane, seq] of note.vector) this.#raise(lane, seq);
    this.#raiseHlc(note.lastHlc);
  }

  #lose(entries: number): void {
    if (entries <= 0) return;
    for (const [opClass, lost] of this.#lostByClass.entries()) {
      this.#lostByClass[opClass] = lost + entries;
    }
  }

  #raise(lane: Lane, seq: number): void {
    if (seq > (this.#vector.get(lane) ?? 0)) this.#vector.set(lane, seq);
  }

  #raiseHlc(hlc: Hlc): void {
    if (compareHlc(hlc, this.lastHlc) > 0) this.lastHlc = hlc;
  }
}
