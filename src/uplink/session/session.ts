/**
 * One uplink session after the other, as a pure state machine: what happened goes in, what is to be done comes out.
 * No clock, no socket, no file; uplink.ts carries the effects out and reports back.
 *
 *   idle ──▶ connecting ──▶ greeting ──▶ sending ──▶ closing ──▶ idle
 *
 * - It connects only while the decision allows a class that has something waiting. Class `log` never opens a
 *   session and never prolongs one.
 * - It sends nothing but its hello before the regional node has answered, under the key that is expected.
 * - Within a session, classes go by priority, chunk by chunk: an alarm overtakes the rest of a bulk batch.
 *   A class that was sent out is not sealed again in this session unless the decision would open one for it:
 *   a trickle of telemetry must not keep a satellite link open.
 * - Where ops wait at the region, the session stays open for them, and one is opened now and then only to ask.
 * - When the decision takes a class back, its chunks stop at once; what was sent stays sent, and the next session goes
 *   on there.
 * - Where the region asks to wait, nothing is sent and no session is opened until then; what comes down still comes.
 * - Whatever stays without an answer for the reply time ends the session. Failed ones are followed by a
 *   growing pause, which starts afresh after one that got somewhere.
 */
import { assert, unreachable } from '../../base/assert.ts';
import type { BatchId } from '../../batch/batch-id.ts';
import { CHUNK_MESSAGE_BYTES_MAX } from '../../batch/limits.ts';
import { BULK, CLASSES, COMMAND, LOG, type OpClass } from '../../model/class.ts';

export type Phase = 'idle' | 'connecting' | 'greeting' | 'sending' | 'closing';

/** A spooled batch as the session sees it. */
export interface FlightSpec {
  readonly id: BatchId;
  readonly class: OpClass;
  /** Chunks, and bytes of each but the last. */
  readonly total: number;
  readonly chunkBytes: number;
}

/** What the machine looks at in each step, taken fresh by the caller. */
export interface SessionView {
  readonly allowed: readonly OpClass[];
  readonly riding: readonly OpClass[];
  /** Classes with ops that can be sealed now. */
  readonly sealable: readonly OpClass[];
  /** Those of them that are worth a batch although the class was sent out a moment ago. */
  readonly ripe: readonly OpClass[];
  /** Batches that may be sent, by class, then in order. */
  readonly spooled: readonly FlightSpec[];
  /** A link leads upstream: trying without one would only cost energy. */
  readonly isWayThere: boolean;
  /** Ops are known to wait at the region for this hub. */
  readonly isReceiving?: boolean;
  /** The region takes nothing for a while, and why. */
  readonly waitWhy?: string | undefined;
  /** Classes that it takes nonetheless. */
  readonly waitTakes?: readonly OpClass[];
  /** Nobody has asked the region for so long that orders may wait there. */
  readonly isCheckDue?: boolean;
}

interface Flight extends FlightSpec {
  /** Chunks to send, in order. */
  readonly missing: readonly number[];
  /** Chunks handed to the link and not acknowledged by the broker. */
  readonly moving: readonly number[];
  /** Chunks handed to the link in this session, repeats included. */
  readonly sent: number;
}

export interface SessionState {
  readonly phase: Phase;
  /** After a failure: until the pause is over, nothing is tried. */
  readonly isPausing: boolean;
  readonly flights: readonly Flight[];
  readonly sealing: OpClass | undefined;
  /** Classes that were sent out in this session. */
  readonly drained: readonly OpClass[];
  readonly isLingering: boolean;
  /** A chunk or a receipt came through in this session: to the broker, at least. */
  readonly gotSomewhere: boolean;
  /** The region has said something of what was sent in this session, or has sent something itself. */
  readonly wasAnswered: boolean;
  /** Why we close, and whether that is a good end; set in phase `closing`. */
  readonly closing: { readonly why: string; readonly isGood: boolean } | undefined;
}

export type SessionEvent =
  /** The decision, the backlog or the spool may have changed. */
  | { readonly type: 'look' }
  | { readonly type: 'connected' }
  | { readonly type: 'greeted' }
  | { readonly type: 'chunk-acked'; readonly batch: BatchId; readonly chunk: number }
  /** The regional node says which chunks it lacks. */
  | { readonly type: 'lacks'; readonly batch: BatchId; readonly chunks: readonly number[] }
  /** A receipt was verified and has changed the spool. */
  | { readonly type: 'receipt' }
  /** A piece of what the region sends. */
  | { readonly type: 'came-down' }
  | { readonly type: 'sealed'; readonly class: OpClass; readonly isEmpty: boolean }
  | { readonly type: 'reply-time-over' }
  | { readonly type: 'linger-time-over' }
  | { readonly type: 'pause-over' }
  /** The session must end: why, in words for the log. */
  | { readonly type: 'failed'; readonly why: string }
  /** The link that the session began on is gone, or is no more the first choice. */
  | { readonly type: 'way-lost' }
  /** The link is gone, or our close is done. */
  | { readonly type: 'link-gone'; readonly why: string };

export type SessionEffect =
  /** `why` where it is not the decision's: nothing of ours opens it. */
  | { readonly type: 'connect'; readonly why?: string }
  | { readonly type: 'hello' }
  | { readonly type: 'seal'; readonly class: OpClass }
  | { readonly type: 'send'; readonly batch: BatchId; readonly chunk: number }
  /** The reply time runs from now on; `false`: nothing is outstanding. */
  | { readonly type: 'await-reply'; readonly isAwaited: boolean }
  | { readonly type: 'linger'; readonly isLingering: boolean }
  | { readonly type: 'close'; readonly why: string }
  /** The session is over; `fresh`: the next pause is the shortest again. */
  | {
      readonly type: 'ended';
      readonly why: string;
      readonly pause: 'none' | 'fresh' | 'longer';
    };

interface Step {
  readonly state: SessionState;
  readonly effects: readonly SessionEffect[];
}

/** Bytes of chunks on their way at a time: four of the largest. */
export const BYTES_MOVING_MAX = 4 * CHUNK_MESSAGE_BYTES_MAX;
/** Batches of a class and those above it that wait for receipts at a time. */
export const FLIGHTS_MAX = 4;
const ASKS = 'asks the region whether something waits there for this hub';
/** A batch whose chunks went this many times over in one session does not arrive. */
const REPEATS_MAX = 4;

export const IDLE: SessionState = {
  phase: 'idle',
  isPausing: false,
  flights: [],
  sealing: undefined,
  drained: [],
  isLingering: false,
  gotSomewhere: false,
  wasAnswered: false,
  closing: undefined,
};

export function step(before: SessionState, event: SessionEvent, view: SessionView): Step {
  const state = { ...before, flights: matched(before.flights, view.spooled) };
  switch (event.type) {
    case 'look':
      return proceed(state, view, false);
    case 'pause-over':
      return proceed({ ...state, isPausing: false }, view, false);
    case 'connected':
      return state.phase === 'connecting' ? greet(state) : unchanged(state);
    case 'greeted':
      if (state.phase !== 'greeting') return unchanged(state);
      return proceed({ ...state, phase: 'sending' }, view, true);
    case 'chunk-acked':
      return proceed(acked(state, event.batch, event.chunk), view, true);
    case 'receipt':
    case 'came-down':
      return proceed({ ...state, gotSomewhere: true, wasAnswered: true }, view, true);
    case 'lacks':
      return proceed(lacking(state, event.batch, event.chunks), view, true);
    case 'sealed':
      return proceed(sealed(state, event.class, event.isEmpty), view, true);
    case 'reply-time-over':
      return isOpen(state) ? unanswered(state) : unchanged(state);
    case 'linger-time-over':
      return state.isLingering
        ? close(state, 'all that may go is delivered', true)
        : unchanged(state);
    case 'failed':
      return isOpen(state) ? close(state, event.why, false) : unchanged(state);
    case 'way-lost':
      return isOpen(state) ? close(state, 'the link has changed', false) : unchanged(state);
    case 'link-gone':
      return state.phase === 'idle' ? unchanged(state) : ended(state, event.why);
    default:
      return unreachable(event);
  }
}

function unchanged(state: SessionState): Step {
  return { state, effects: [] };
}

function isOpen({ phase }: SessionState): boolean {
  return phase === 'greeting' || phase === 'sending';
}

/** Flights follow the spool: new batches join, receipted and refused ones leave, those cut anew begin anew. */
function matched(flights: readonly Flight[], spooled: readonly FlightSpec[]): Flight[] {
  const known = new Map(flights.map((flight) => [flight.id, flight]));
  return spooled.map((spec) => {
    const flight = known.get(spec.id);
    return flight?.total === spec.total ? flight : grounded(spec);
  });
}

function grounded({ id, class: opClass, total, chunkBytes }: FlightSpec): Flight {
  const missing = Array.from({ length: total }, (_, index) => index);
  return { id, class: opClass, total, chunkBytes, missing, moving: [], sent: 0 };
}

function greet(state: SessionState): Step {
  const flights = state.flights.map((flight) => grounded(flight));
  const fresh = { drained: [], isLingering: false, gotSomewhere: false, wasAnswered: false };
  return {
    state: { ...state, ...fresh, flights, phase: 'greeting' },
    effects: [{ type: 'hello' }, { type: 'await-reply', isAwaited: true }],
  };
}

function changed(
  state: SessionState,
  id: BatchId,
  change: (flight: Flight) => Flight,
): SessionState {
  const flights = state.flights.map((flight) => (flight.id === id ? change(flight) : flight));
  return { ...state, flights };
}

function acked(state: SessionState, id: BatchId, chunk: number): SessionState {
  const landed = changed(state, id, (flight) => ({
    ...flight,
    moving: flight.moving.filter((index) => index !== chunk),
  }));
  return { ...landed, gotSomewhere: true };
}

/** What the regional node lacks is sent, again where it was sent before; what it has is not. */
function lacking(state: SessionState, id: BatchId, chunks: readonly number[]): SessionState {
  const told = changed(state, id, (flight) => ({
    ...flight,
    missing: chunks.filter((index) => index < flight.total && !flight.moving.includes(index)),
  }));
  // While it greets, it speaks of earlier sessions.
  return { ...told, wasAnswered: state.wasAnswered || state.phase === 'sending' };
}

function sealed(state: SessionState, opClass: OpClass, isEmpty: boolean): SessionState {
  assert(state.sealing === opClass, 'what is sealed was asked for');
  // Of the log one batch, and the next when that is ripe: the lines that this very session writes must not feed it.
  const isDrained = isEmpty || opClass === LOG;
  const drained = isDrained ? [...state.drained, opClass] : state.drained;
  return { ...state, sealing: undefined, drained };
}

/** Does all that can be done now; `isProgress` lets the reply time run anew. */
function proceed(state: SessionState, view: SessionView, isProgress: boolean): Step {
  if (state.phase === 'idle') return maybeConnect(state, view);
  if (state.phase !== 'sending') return unchanged(state);
  const isHeld = view.waitWhy !== undefined;
  const mayGo = CLASSES.filter(
    (it) => isTaken(view, it) && (view.allowed.includes(it) || view.riding.includes(it)),
  );
  const isUrgent = (): boolean =>
    mayGo.some((it) => isWaiting(view, it) || state.sealing === it) ||
    state.flights.some((flight) => mayGo.includes(flight.class));
  // What comes down may still come.
  if (isHeld && !isUrgent() && view.isReceiving !== true) return close(state, view.waitWhy, true);
  if (mayGo.length === 0 && !isHeld)
    return close(state, 'the power state allows no class any more', true);
  const noted = noteDrained(state, view);
  const seal = chooseSeal(noted, view, mayGo);
  const sending = fillWindow({ ...noted, sealing: noted.sealing ?? seal }, mayGo);
  if (sending.state.flights.some((flight) => flight.sent > REPEATS_MAX * flight.total)) {
    return close(state, 'chunks are sent and do not arrive', false);
  }
  const waits = waitsOf(sending.state, mayGo, isProgress, view.isReceiving === true);
  const seals: SessionEffect[] = seal === undefined ? [] : [{ type: 'seal', class: seal }];
  return { state: waits.state, effects: [...seals, ...sending.effects, ...waits.effects] };
}

function maybeConnect(state: SessionState, view: SessionView): Step {
  // Only while energy is not short: where bulk may not go, nothing is spent on a question.
  const isPlenty = view.allowed.includes(COMMAND) && view.riding.includes(BULK);
  const asks = view.isCheckDue === true && isPlenty;
  const mayOpen = view.allowed.filter((opClass) => opClass !== LOG && isTaken(view, opClass));
  const isHeld = view.waitWhy !== undefined;
  const brings = mayOpen.some((opClass) => isWaiting(view, opClass));
  const opens = brings || (asks && !isHeld);
  if (!opens || state.isPausing || !view.isWayThere) return { state, effects: [] };
  const connect: SessionEffect = brings ? { type: 'connect' } : { type: 'connect', why: ASKS };
  return { state: { ...state, phase: 'connecting' }, effects: [connect] };
}

function isWaiting(view: SessionView, opClass: OpClass): boolean {
  return view.sealable.includes(opClass) || view.spooled.some((batch) => batch.class === opClass);
}

/** The region has not asked to wait with this class. */
function isTaken({ waitWhy, waitTakes = [] }: SessionView, opClass: OpClass): boolean {
  return waitWhy === undefined || waitTakes.includes(opClass);
}

/** A class of which nothing is left to seal has been sent out. */
function noteDrained(state: SessionState, view: SessionView): SessionState {
  const empty = CLASSES.filter(
    (opClass) =>
      !view.sealable.includes(opClass) &&
      state.sealing !== opClass &&
      !state.drained.includes(opClass),
  );
  return empty.length === 0 ? state : { ...state, drained: [...state.drained, ...empty] };
}

function chooseSeal(
  state: SessionState,
  view: SessionView,
  mayGo: readonly OpClass[],
): OpClass | undefined {
  if (state.sealing !== undefined) return undefined;
  return mayGo.find((opClass) => {
    const mayOften = view.allowed.includes(opClass) || opClass === LOG;
    const mayGoOn = mayOften && view.ripe.includes(opClass);
    const isTurn = mayGoOn || !state.drained.includes(opClass);
    const above = state.flights.filter((flight) => flight.class <= opClass);
    return isTurn && view.sealable.includes(opClass) && above.length < FLIGHTS_MAX;
  });
}

/** Hands chunks to the link, the highest class first, until enough are on their way. */
function fillWindow(state: SessionState, mayGo: readonly OpClass[]): Step {
  const effects: SessionEffect[] = [];
  let room =
    BYTES_MOVING_MAX -
    state.flights.reduce((bytes, { moving, chunkBytes }) => bytes + moving.length * chunkBytes, 0);
  const flights = state.flights.map((flight) => {
    if (!mayGo.includes(flight.class)) return flight;
    const taken = flight.missing.slice(0, Math.max(0, Math.floor(room / flight.chunkBytes)));
    room -= taken.length * flight.chunkBytes;
    for (const chunk of taken) effects.push({ type: 'send', batch: flight.id, chunk });
    return {
      ...flight,
      missing: flight.missing.slice(taken.length),
      moving: [...flight.moving, ...taken],
      sent: flight.sent + taken.length,
    };
  });
  return { state: { ...state, flights }, effects };
}

/** What the session now waits for: an answer, more to do, or its end. */
function waitsOf(
  state: SessionState,
  mayGo: readonly OpClass[],
  isProgress: boolean,
  isReceiving: boolean,
): Step {
  const active = state.flights.filter(
    (flight) => flight.moving.length > 0 || mayGo.includes(flight.class),
  );
  const isBusy = isReceiving || active.some((flight) => flight.class !== LOG);
  const isSealing = state.sealing !== undefined && state.sealing !== LOG;
  const isLingering = !isBusy && !isSealing;
  const effects: SessionEffect[] = [];
  if (isProgress || isLingering !== state.isLingering) {
    effects.push({ type: 'await-reply', isAwaited: isBusy });
  }
  if (isLingering !== state.isLingering) effects.push({ type: 'linger', isLingering });
  return { state: { ...state, isLingering }, effects };
}

/** What the broker has taken came nowhere where the region says nothing of it: its disk is full, or the broker keeps its answers back. */
function unanswered(state: SessionState): Step {
  const gotSomewhere = state.gotSomewhere && state.wasAnswered;
  return close({ ...state, gotSomewhere }, 'no answer from the regional node', false);
}

function close(state: SessionState, why: string, isGood: boolean): Step {
  return {
    state: { ...state, phase: 'closing', isLingering: false, closing: { why, isGood } },
    effects: [
      { type: 'await-reply', isAwaited: false },
      { type: 'linger', isLingering: false },
      { type: 'close', why },
    ],
  };
}

function ended(state: SessionState, why: string): Step {
  // An end that we chose needs no pause; one that we were forced to does.
  const isGood = state.closing?.isGood ?? false;
  const pause = isGood ? 'none' : state.gotSomewhere ? 'fresh' : 'longer';
  return {
    state: { ...IDLE, sealing: state.sealing, flights: state.flights, isPausing: !isGood },
    effects: [
      { type: 'await-reply', isAwaited: false },
      { type: 'linger', isLingering: false },
      { type: 'ended', why: state.closing?.why ?? why, pause },
    ],
  };
}
