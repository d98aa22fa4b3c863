/**
 * `sync/<device>/pull` → `sync/<device>/delta` (PROTOCOL.md §3, §4): a device says which keys it wants and what it
 * has of them, and gets what it lacks in pages, then what comes new while it is connected.
 *
 * However many devices pull, memory is bounded: a session holds a place in the state or in the journal, what the
 * device knows only while it catches up, and one page. Work is done in turns of a few milliseconds, one device
 * after the other, also that of beginning: a pull that is given up before its turn has cost nothing. A device that
 * falls silent is forgotten; it pulls again when it is back.
 */
import type { Cancel, Clock, Timers } from '../base/clock.ts';
import { HubError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Hlc } from '../model/hlc.ts';
import type { OpId } from '../merge/op-id.ts';
import { AUTHORITY, type Role } from '../model/op.ts';
import { laneOf, type Origin } from '../model/origin.ts';
import { NO_RANGES } from '../model/seq-ranges.ts';
import { seqIn, type VersionVector } from '../model/version-vector.ts';
import { encodeDelta } from '../protocol/delta-message.ts';
import { WAIT_S_MAX } from '../protocol/limits.ts';
import { type OpenPull, readPull } from '../protocol/pull-message.ts';
import { rangesOf } from '../protocol/scope.ts';
import { readBeyond } from '../protocol/beyond.ts';
import type { Lsn } from './ops-door.ts';
import { OpTail, type TailJournal } from './op-tail.ts';
import { PullSession } from './pull-session.ts';
import { readMark, type StateSource, StateWalk } from './state-walk.ts';
import { Turns } from './turns.ts';

export interface PullFrom {
  readonly role: Role;
  readonly mayRead: (key: string) => boolean;
  /** The ops of this hub with which it noted that what it may read had changed, where that has. */
  readonly rights: () => readonly OpId[];
}

interface PullDoorOptions {
  readonly hub: Origin;
  readonly journal: TailJournal;
  /** The folded state as it is now. */
  readonly source: () => StateSource;
  readonly appliedLsn: () => Lsn;
  readonly whenApplied: (lsn: Lsn) => Promise<void>;
  readonly now: () => Hlc;
  /** Sends to the connections of a device, QoS 1. */
  readonly publish: (topic: string, payload: Uint8Array) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}

interface PullMessageIn {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly from: PullFrom;
}

export const PULL_FILTER = 'sync/+/pull';
const PULL_TOPIC = /^sync\/([^/]+)\/pull$/;
export const SESSIONS_MAX = 2_000;
/** Connections of one device: the tabs of a browser, say. */
export const SESSIONS_PER_DEVICE_MAX = 8;
/** Lanes that devices which catch up may name, all together. */
export const LANES_HELD_MAX = 200_000;
/** A store that is further behind its journal makes devices wait. */
const LAG_MAX = 50_000;
const TURN_MS = 4;
const LOOK_MS = 30_000;
export const SILENT_MS_MAX = 120_000;
const WAIT_BUSY_S = 5;

export class PullDoor {
  readonly #options: PullDoorOptions;
  readonly #tail: OpTail;
  readonly #sessions = new Map<string, PullSession>();
  /** Sessions with something to do. */
  readonly #runnable = new Turns<PullSession>();
  readonly #stopLooking: Cancel;
  #cancelTurn: Cancel | undefined;

  constructor(options: PullDoorOptions) {
    const { journal, appliedLsn, whenApplied, log, timers } = options;
    this.#options = options;
    this.#tail = new OpTail({
      journal,
      appliedLsn,
      whenApplied,
      joinedLsn: () => options.source().joinedLsn,
      writeItem: (op) => options.source().writeItem(op),
      timers,
      log,
      onGrown: () => this.#wakeFollowers(),
    });
    this.#stopLooking = timers.every(LOOK_MS, () => this.#forgetSilent());
  }

  /** Pulls that are open. */
  get size(): number {
    return this.#sessions.size;
  }

  close(): void {
    this.#stopLooking();
    this.#cancelTurn?.();
    this.#sessions.clear();
    this.#runnable.clear();
    this.#tail.rest();
  }

  /** Handles one message of `PULL_FILTER`. */
  handle({ topic, payload, from }: PullMessageIn): void {
    const device = PULL_TOPIC.exec(topic)?.[1];
    if (device === undefined) return;
    const read = readPull(payload);
    if (read.kind === 'refused') {
      const { pull = 0, reason } = read;
      this.#lapse(device, pull, reason, WAIT_S_MAX);
      return;
    }
    const { message } = read;
    const id = `${device}/${message.pull}`;
    const session = this.#sessions.get(id);
    if (message.kind === 'open') this.#open(device, id, message, from);
    else if (session === undefined) {
      if (message.kind === 'taken') this.#lapse(device, message.pull, 'no such pull', 0);
    } else if (message.kind === 'close') this.#drop(id, session);
    else {
      session.taken(message.page);
      this.#run(session);
    }
  }

  #open(device: string, id: string, open: OpenPull, from: PullFrom): void {
    const { source, publish, clock, appliedLsn, journal } = this.#options;
    const before = this.#sessions.get(id);
    if (before !== undefined) this.#drop(id, before);
    this.#makeRoom(device);
    const busy = this.#busyReason(open, journal.durableLsn - appliedLsn());
    if (busy !== undefined) return this.#lapse(device, open.pull, busy, WAIT_BUSY_S);
    const send = (message: Uint8Array): void => publish(`sync/${device}/delta`, message);
    const begin = (): StateWalk => this.#begin(open, from, send);
    const { mayRead } = from;
    const nowMs = (): number => clock.monotonicMs();
    const tail = this.#tail;
    const session = new PullSession({ device, open, begin, tail, mayRead, send, source, nowMs });
    this.#sessions.set(id, session);
    this.#run(session);
  }

  /** The turn of a pull has come: its walk, behind the welcome. */
  #begin(
    { pull, scope, vector, resume }: OpenPull,
    { role, rights }: PullFrom,
    send: (message: Uint8Array) => void,
  ): StateWalk {
    const { hub, source, now } = this.#options;
    const mark = resume && readMark(resume);
    const beyond = (resume && readBeyond(resume)) ?? NO_RANGES;
    const isPassed = (upTo: VersionVector): boolean =>
      upTo.size > 0 && rights().some((op) => this.#isPassed(upTo, op));
    const has = isPassed(vector) ? { vector: new Map(), beyond: NO_RANGES } : { vector, beyond };
    const goesOn = mark !== undefined && !isPassed(mark.target);
    const from = { ranges: rangesOf(scope), mark: goesOn ? mark : undefined };
    const walk = new StateWalk({ source: source(), hub, ...from, ...has });
    send(encodeDelta({ kind: 'welcome', pull, hub, hlc: now(), authority: AUTHORITY[role] }));
    return walk;
  }

  /** Its rights have changed since: of what it has by its vector, or has come by to where it goes on, something may have been passed over. */
  #isPassed(vector: VersionVector, op: OpId): boolean {
    const lane = laneOf(op.origin, op.class);
    const [here, behind] = this.#options.source().rangesOf(lane);
    // Behind a gap no vector would ever reach it.
    const isGapped =
      here !== undefined && (here.from > 1 || (here.to < op.seq && behind !== undefined));
    return !isGapped && seqIn(vector, lane) < op.seq;
  }

  #busyReason(open: OpenPull, lag: number): string | undefined {
    if (lag > LAG_MAX) return 'the hub is still reading its journal';
    if (this.#sessions.size >= SESSIONS_MAX) return `${SESSIONS_MAX} pulls are open`;
    let held = open.vector.size;
    for (const session of this.#sessions.values()) held += session.lanesHeld;
    return held > LANES_HELD_MAX ? 'many devices are catching up' : undefined;
  }

  /**
   * A device that opens more pulls than it may loses its oldest; those of others are left alone. Behind it may be a page that was
   * closed, or one that is still there: that comes again.
   */
  #makeRoom(device: string): void {
    const own = [...this.#sessions].filter(([, session]) => session.device === device);
    const [oldest] = own;
    if (oldest !== undefined && own.length >= SESSIONS_PER_DEVICE_MAX) {
      const [id, session] = oldest;
      this.#drop(id, session);
      this.#lapse(device, session.pull, `this user has more than ${own.length} pulls`, WAIT_BUSY_S);
    }
    if (this.#sessions.size >= SESSIONS_MAX) this.#forgetSilent();
  }

  #run(session: PullSession): void {
    this.#runnable.add(session);
    this.#cancelTurn ??= this.#options.timers.soon(() => this.#turn());
  }

  #wakeFollowers(): void {
    for (const session of this.#sessions.values()) if (session.follows) this.#run(session);
  }

  /** Serves devices in turn for a few milliseconds. */
  #turn(): void {
    this.#cancelTurn = undefined;
    const { clock, timers } = this.#options;
    const startMs = clock.monotonicMs();
    do {
      const session = this.#runnable.take();
      if (session === undefined) return;
      if (this.#step(session)) this.#runnable.add(session);
    } while (clock.monotonicMs() - startMs < TURN_MS);
    if (!this.#runnable.isEmpty) this.#cancelTurn = timers.soon(() => this.#turn());
  }

  /** True where the session has more to do. */
  #step(session: PullSession): boolean {
    let reason: string;
    try {
      const step = session.step();
      if (step.kind !== 'lapsed') return step.kind === 'more';
      ({ reason } = step);
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      reason = error.message;
    }
    this.#drop(`${session.device}/${session.pull}`, session);
    this.#lapse(session.device, session.pull, reason, session.hasBegun ? 1 : WAIT_BUSY_S);
    return false;
  }

  #drop(id: string, session: PullSession): void {
    this.#sessions.delete(id);
    this.#runnable.delete(session);
    if (![...this.#sessions.values()].some(({ follows }) => follows)) this.#tail.rest();
  }

  #forgetSilent(): void {
    for (const [id, session] of this.#sessions) {
      if (session.silentMs() > SILENT_MS_MAX) this.#drop(id, session);
    }
  }

  #lapse(device: string, pull: number, reason: string, waitS: number): void {
    const message = encodeDelta({ kind: 'lapse', pull, reason, waitS });
    this.#options.publish(`sync/${device}/delta`, message);
  }
}
