/**
 * The one door into the journal. Plain MQTT publishes become ops of this hub; ops that devices made are
 * taken as they are; both get the hub's stamp, and an LSN that the caller waits for before it
 * acknowledges: what has no durable LSN was not promised.
 *
 * The door numbers this hub's own lanes and knows how far every other lane has come, so a duplicate is
 * accepted without a second entry, and a gap is refused unless somebody has said why it is one. It folds nothing; the
 * applier does, later.
 */
import type { Clock } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { CborWriter } from '../../codec/writer.ts';
import { carriesBytes } from '../../model/asset-bytes.ts';
import { LOG, type OpClass } from '../../model/class.ts';
import { DELIVERY_OF_NOBODY, encodeOpEntry } from '../../model/entry.ts';
import type { Held } from '../../model/held.ts';
import type { Hlc, HlcClock } from '../../model/hlc.ts';
import {
  AUTHORITY,
  OWN_BODY_BYTES_MAX,
  EVENT,
  type Kind,
  type Op,
  type Role,
  type StampedOp,
} from '../../model/op.ts';
import { type Lane, laneOf, type Origin } from '../../model/origin.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';
import { CaptureRules, type CaptureRule } from './capture.ts';
import { type CopiesOutcome, takeCopies } from './copies.ts';
import { FillGate } from './fill-gate.ts';
import { takeHeld } from './held-state.ts';
import { HoleBook } from './hole-book.ts';
import type { JournalPort, Lsn } from '../journal-port.ts';
import { OpEntryEncoder, type OwnOp } from './op-entry-encoder.ts';
import { type OpsFrom, type Room, roomRefusal, takeDeviceOps, type Told } from './device-ops.ts';
import type { Rejection } from './rejection.ts';
import type { OpsOutcome } from './ops-message.ts';
import { type PeerVerdict, refusePeerOp } from './peer-ops.ts';
import { OriginBook } from './origin-book.ts';
import { encodeNote, NOTE_INTERVAL, type Progress } from '../progress.ts';
import { deliveryOf, RecentPublishes } from './recent-publishes.ts';

export interface InboundPublish {
  readonly topic: string;
  /** Valid during the call only. */
  readonly payload: Uint8Array;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly clientId: string;
  readonly username?: string;
  /** 0 for a will. */
  readonly packetId: number;
}

export type Admission =
  | { readonly kind: 'pass' }
  | { readonly kind: 'journaled'; readonly lsn: Lsn }
  | { readonly kind: 'refused'; readonly fault: HubError };

export interface DoorOptions {
  readonly journal: JournalPort;
  readonly hub: Origin;
  /** Random 32-bit number of this boot. */
  readonly bootId: number;
  readonly hlc: HlcClock;
  readonly clock: Clock;
  readonly log: Log;
  readonly capture: readonly CaptureRule[];
  /** What recoverProgress found. */
  readonly knownVector: VersionVector;
  readonly lingerMs: (opClass: OpClass) => number;
  /** True where bulk without a receipt is dropped for room. */
  readonly bulkGivesWay?: boolean;
  /** Epoch of the roster by which makers are judged now; absent: there is none. */
  readonly rosterEpoch?: () => number;
  /** Why an op has no meaning for this version (`unfoldable` of merge/fold.ts), or undefined where it has. */
  readonly unfoldable: (op: Op) => string | undefined;
  /** Whether what is kept by the name of an op is that op; undefined where nobody can tell. */
  readonly isAsKept?: (op: Op) => boolean | undefined;
  /** Ops of devices that carry bytes of assets: why one is not taken, and where it was journaled. */
  readonly assets?: {
    refusal(op: Op): HubError | undefined;
    peerRefusal(op: Op): HubError | undefined;
    note(lsn: Lsn): void;
  };
  /** Documents and records that ops go into: why one is not taken, and where it was journaled. */
  readonly rooms?: readonly Room[];
}

/** Something the hub itself has to say. */
export interface OwnEvent {
  readonly class: OpClass;
  readonly key: string;
  readonly body: Uint8Array;
  readonly kind?: Kind;
  /** On whose behalf; the hub by itself has the authority of a device. */
  readonly role?: Role;
}

/** An own op as it was journaled. */
interface JournaledOp {
  readonly lsn: Lsn;
  readonly seq: number;
}

/** Lanes that one hub keeps track of: a device may not make up origins for ever. */
const LANES_MAX = 10_000;
const PASS: Admission = { kind: 'pass' };

export class Door {
  readonly holes = new HoleBook();
  readonly #options: DoorOptions;
  readonly #journal: JournalPort;
  readonly #captures: CaptureRules;
  readonly #encoder: OpEntryEncoder;
  readonly #gate: FillGate;
  readonly #recent: RecentPublishes;
  readonly #vector: Map<Lane, number>;
  /** Last seq of this hub's own lanes, by class. */
  readonly #ownSeqs: number[];
  readonly #origins: OriginBook;
  readonly #rooms: readonly Room[];
  #nextNoteLsn: Lsn;

  private constructor(options: DoorOptions) {
    this.#options = options;
    this.#journal = options.journal;
    this.#rooms = options.rooms ?? [];
    this.#captures = new CaptureRules(options.capture);
    this.#encoder = new OpEntryEncoder(options.hub, options.bootId, options.rosterEpoch);
    this.#gate = new FillGate(options.journal, options.bulkGivesWay);
    this.#recent = new RecentPublishes(options.journal, options.hub);
    this.#origins = new OriginBook(options.hub, LANES_MAX);
    this.#vector = new Map(options.knownVector);
    this.#nextNoteLsn = options.journal.lastLsn + NOTE_INTERVAL;
    this.#ownSeqs = Array.from({ length: LOG + 1 }, (_, opClass) =>
      seqIn(options.knownVector, laneOf(options.hub, opClass as OpClass)),
    );
  }

  static open(options: DoorOptions): Door {
    return new Door(options);
  }

  get saturated(): boolean {
    return this.#journal.saturated;
  }

  get fault(): HubError | undefined {
    return this.#journal.fault;
  }

  /** Which classes find no room in the journal: for people, as the others go on. */
  get full(): HubError | undefined {
    return this.#gate.fault;
  }

  get durableLsn(): Lsn {
    return this.#journal.durableLsn;
  }

  onDurable(listener: (durableLsn: Lsn) => void): void {
    this.#journal.onDurable(listener);
  }

  /** Takes a plain publish; the payload is copied. */
  admit(publish: InboundPublish): Admission {
    if (publish.qos === 0) return PASS;
    const capture = this.#captures.of(publish.topic);
    if (capture.kind === 'pass') return PASS;
    if (capture.kind === 'too-long')
      return refused('op.malformed', 'the topic is too long to journal');
    const { class: opClass, key } = capture.route;
    const { payload, clientId, packetId } = publish;
    if (payload.length > OWN_BODY_BYTES_MAX)
      return refused('op.too-large', `${payload.length} bytes`);
    if (publish.dup) {
      const lsn = this.#recent.find(clientId, packetId, key, payload);
      if (lsn !== undefined) return { kind: 'journaled', lsn };
    }
    const full = this.#gate.refusal(opClass);
    if (full !== undefined) return { kind: 'refused', fault: full };
    const delivery = deliveryOf(publish);
    let lsn: Lsn;
    try {
      lsn = this.#appendOwn(opClass, EVENT, key, payload, AUTHORITY.device, delivery);
    } catch (error) {
      if (error instanceof HubError) return { kind: 'refused', fault: error };
      throw error;
    }
    if (packetId !== 0) this.#recent.note(clientId, packetId, lsn);
    return { kind: 'journaled', lsn };
  }

  /** Why what somebody wants to have written has no room; what the hub writes by itself is not asked. */
  roomRefusal(op: Told): Rejection | undefined {
    return roomRefusal(this.#rooms, op);
  }

  /** Journals an op of the hub itself; throws `HubError` where the journal does not take it. */
  journalOwn(event: OwnEvent): Lsn {
    return this.journalOp(event).lsn;
  }

  /** The same, and says which op it became. */
  journalOp({ class: opClass, key, body, kind = EVENT, role = 'device' }: OwnEvent): JournaledOp {
    if (body.length > OWN_BODY_BYTES_MAX)
      throw new HubError('op.too-large', `${body.length} bytes`);
    const full = this.#gate.refusal(opClass);
    if (full !== undefined) throw full;
    const keyText = new CborWriter(key.length + 3).text(key).finish();
    const delivery = kind === EVENT && opClass !== LOG ? DELIVERY_OF_NOBODY : undefined;
    const lsn = this.#appendOwn(opClass, kind, keyText, body, AUTHORITY[role], delivery);
    for (const room of this.#rooms) room.note({ kind, key, body }, lsn);
    return { lsn, seq: this.#ownSeqs[opClass] as number };
  }

  /** Takes ops that a device made (sync/PROTOCOL.md §2); see device-ops.ts. */
  acceptOps(message: Uint8Array, from: OpsFrom): OpsOutcome {
    const { clock, hlc, unfoldable, assets, isAsKept = unknown } = this.#options;
    const judges = { unfoldable, isAsKept, assets, rooms: this.#rooms, gate: this.#gate };
    const outcome = takeDeviceOps(message, from, {
      ...judges,
      hlc,
      lanesMax: LANES_MAX,
      vector: this.#vector,
      holes: this.holes,
      origins: this.#origins,
      nowMs: () => clock.wallMs(),
      append: (op) => this.#append(this.#encoder.accepted(op, hlc.next()), op.class),
    });
    if (outcome.lsn > 0) this.#noteNowAndThen(outcome.lsn);
    else if (outcome.accepted.length > 0) return { ...outcome, lsn: this.#knownByLsn() };
    return outcome;
  }

  /**
   * Takes an op from a peer, stamp included, so that every hub judges it alike. `previous`: the op before it in its lane,
   * where what lay between is lost.
   */
  acceptPeerOp(stamped: StampedOp, previous?: number): PeerVerdict {
    const { op, bytes, stamp } = stamped;
    const { hub, hlc, unfoldable, assets } = this.#options;
    const lane = laneOf(op.origin, op.class);
    const isOwn = op.origin === hub;
    const known = isOwn ? (this.#ownSeqs[op.class] as number) : seqIn(this.#vector, lane);
    const hasRoom = known > 0 || this.#vector.size < LANES_MAX;
    const isHole = op.seq <= known && this.holes.has(lane, op.seq);
    if (op.seq <= known && !isHole) return { kind: 'known', lsn: this.#knownByLsn() };
    const refusal = refusePeerOp({ op, previous, known, isHole, hasRoom, unfoldable });
    if (refusal !== undefined) return refusal;
    const carried = carriesBytes(op) ? assets : undefined;
    const full = carried?.peerRefusal(op) ?? this.#gate.refusal(op.class);
    if (full !== undefined) return { kind: 'later', reason: full.message };
    // What lies before it is told first: an op that no book knows to be missing would be taken for one that came.
    const { holes } = this;
    if (!isHole && !holes.tell(lane, known + 1, op.seq - 1, this.#options.clock.wallMs())) {
      return { kind: 'gap' };
    }
    hlc.observe(op.hlc);
    hlc.observe(stamp.hlc);
    let lsn: Lsn;
    try {
      // A publish of this hub that comes back was delivered before it was lost.
      const delivery = isOwn && op.kind === EVENT ? DELIVERY_OF_NOBODY : undefined;
      lsn = this.#append(encodeOpEntry(bytes, stamp, delivery), op.class);
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      if (!isHole) holes.untell(lane, known + 1);
      return { kind: 'later', reason: error.message };
    }
    if (isHole) holes.fill(lane, op.seq);
    else if (isOwn) this.#ownSeqs[op.class] = op.seq;
    else this.#vector.set(lane, op.seq);
    carried?.note(lsn);
    this.#noteNowAndThen(lsn);
    return { kind: 'taken', lsn };
  }

  /** The device that speaks for an origin, as far as it did since the start. */
  deviceOf(origin: Origin): string | undefined {
    return this.#origins.deviceOf(origin);
  }

  /** Takes ops that the region has handed down; see copies.ts. */
  acceptCopies(ops: readonly StampedOp[]): CopiesOutcome {
    const append = (entry: Uint8Array, opClass: OpClass): Lsn => this.#append(entry, opClass);
    const ownSeq = (opClass: OpClass): number => this.#ownSeqs[opClass] as number;
    const lanes = { vector: this.#vector, holes: this.holes, ownSeq, lanesMax: LANES_MAX };
    const parts = { ...lanes, gate: this.#gate, append };
    const outcome = takeCopies(ops, { ...this.#options, ...parts });
    if (outcome.lsn === 0) return { ...outcome, lsn: this.#knownByLsn() };
    this.#noteNowAndThen(outcome.lsn);
    return outcome;
  }

  /**
   * All of a state that another hub had is journaled: its ops count as held. `newest`: the latest stamp in it. Undefined where it
   * has too many lanes; throws `HubError` where the journal does not take it.
   */
  takeHeld(held: Held, newest: Hlc): Lsn | undefined {
    const { hub, hlc } = this.#options;
    const append = (entry: Uint8Array): Lsn => this.#append(entry, LOG);
    const nowMs = this.#options.clock.wallMs();
    const lanes = { vector: this.#vector, ownSeqs: this.#ownSeqs, holes: this.holes, nowMs };
    hlc.observe(newest);
    return takeHeld(held, { hub, ...lanes, lanesMax: LANES_MAX, append });
  }

  /** Seqs of all lanes as far as they are journaled, those of this hub included. */
  vector(): VersionVector {
    const vector = new Map(this.#vector);
    for (const [opClass, seq] of this.#ownSeqs.entries()) {
      if (seq > 0) vector.set(laneOf(this.#options.hub, opClass as OpClass), seq);
    }
    return vector;
  }

  /** How far the lanes and the clock of this hub have come. */
  progress(): Progress {
    return { vector: this.vector(), lastHlc: this.#options.hlc.last };
  }

  /** Notes the progress in the journal (progress.ts): durable, before a part of the journal is released. */
  noteProgress(): Lsn {
    const lsn = this.#append(encodeNote(this.progress()), LOG);
    this.#nextNoteLsn = lsn + NOTE_INTERVAL;
    return lsn;
  }

  /** What is handed in again may still be on its way to the card, where its receipt must not overtake it; 0: all is there. */
  #knownByLsn(): Lsn {
    const { lastLsn, durableLsn } = this.#journal;
    return lastLsn > durableLsn ? lastLsn : 0;
  }

  #appendOwn(
    opClass: OpClass,
    kind: Kind,
    key: Uint8Array,
    body: Uint8Array,
    authority: number = AUTHORITY.device,
    delivery?: Uint8Array,
  ): Lsn {
    const { clock, hlc } = this.#options;
    const seq = (this.#ownSeqs[opClass] as number) + 1;
    const op: OwnOp = {
      class: opClass,
      seq,
      hlc: hlc.next(),
      quality: clock.quality(),
      monotonicMs: Math.floor(clock.monotonicMs()),
      kind,
      key,
      body,
      authority,
      delivery,
    };
    const lsn = this.#append(this.#encoder.own(op), opClass);
    this.#ownSeqs[opClass] = seq;
    this.#noteNowAndThen(lsn);
    return lsn;
  }

  #append(entry: Uint8Array, opClass: OpClass): Lsn {
    const lsn = this.#journal.append(entry, this.#options.lingerMs(opClass));
    this.#gate.appended(entry.length);
    return lsn;
  }

  #noteNowAndThen(lsn: Lsn): void {
    if (lsn < this.#nextNoteLsn) return;
    try {
      this.noteProgress();
    } catch (error) {
      // The op is taken; the note comes with the next one that finds room.
      if (!(error instanceof HubError)) throw error;
    }
  }
}

function unknown(): undefined {
  return undefined;
}

function refused(code: 'op.malformed' | 'op.too-large', message: string): Admission {
  return { kind: 'refused', fault: new HubError(code, message) };
}
