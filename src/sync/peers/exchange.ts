/**
 * One exchange between two hubs, the same at both ends whoever dialled (PEERS.md §3): each says what it holds, sends
 * what the other lacks in pages, one under way at a time, and goes on with what comes new. What came from the
 * peer counts only when it is durable; then it says `taken`.
 *
 * Nothing here can loop: an op moves only towards a hub that does not hold it. Nothing here can flood: a page
 * waits for the one before it.
 */
import { unreachable } from '../../base/assert.ts';
import { type Cancel, pause } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import { CborError } from '../../codec/reader.ts';
import type { OpStamp } from '../../merge/op-stamps.ts';
import { COMMAND, type OpClass, RECORD } from '../../model/class.ts';
import { laneOf, type Origin } from '../../model/origin.ts';
import { seqIn } from '../../model/version-vector.ts';
import { abilitiesOf, comparesStamps, readsStates } from './abilities.ts';
import type { Lsn, PeerHost, PeerPolicy } from './contract.ts';
import { COPIED, knowsMore, ownIdMet, SPEAK_ALREADY } from './copied.ts';
import type { LevelBook } from './level-book.ts';
import {
  encodePeerMessage,
  PEER_HOLES_MAX,
  type PeerMessage,
  type PeerOp,
  readPeerMessage,
} from './peer-message.ts';
import { Sending } from './sending.ts';
import { StateSwap } from './state-swap.ts';
import { heldByBoth, StampCheck } from './stamp-check.ts';
import { Taking } from './taking.ts';

interface ExchangeOptions extends PeerHost {
  /** What was found equal with a hub before, and what is now. */
  readonly levelled: LevelBook;
  /** Drawn at the start of this process. */
  readonly instance: number;
  readonly policy: () => PeerPolicy;
  readonly send: (bytes: Uint8Array) => void;
  /** The peer has said who it is; false: this exchange is one too many, and ends. */
  readonly onKnown: (hub: Origin) => boolean;
  /** Stamps were taken over that others may not have. */
  readonly onStamps: (stamps: readonly OpStamp[]) => void;
  /** A state of the peer was taken over. */
  readonly onState: () => void;
  /** Something is missing here that others may have. */
  readonly onHole: () => void;
  /** At the other end is a copy of this hub's card: either side has found it. */
  readonly onCopied: () => void;
  /** Called once, when the exchange is over. */
  readonly onEnd: (reason: string, waitS: number) => void;
}

export interface ExchangeStatus {
  /** Undefined before the peer has said who it is. */
  readonly hub: Origin | undefined;
  /** Both have had all that the other may send now. */
  readonly isSynced: boolean;
  readonly opsSent: number;
  readonly opsTaken: number;
  /** Lanes that do not get on, in either direction. */
  readonly stuckLanes: number;
  readonly heardMs: number;
}

type Page = Extract<PeerMessage, { kind: 'page' }>;

const SILENT_MS_MAX = 120_000;
const RETRY_MS = 1_000;
const WAIT_S = 5;
const WAIT_REFUSED_S = 300;
/** What has come is folded by then. */
const SETTLE_MS = 2_000;
const CHECK_AGAIN_MS = 60_000;

export class PeerExchange {
  readonly #options: ExchangeOptions;
  readonly #stopWatching: Cancel;
  #cancelGathering: Cancel | undefined;
  #state: 'new' | 'open' | 'ended' = 'new';
  #hub: Origin | undefined;
  /** Of the roster that the peer has, as far as we know. */
  #peerEpoch = 0;
  #sending: Sending | undefined;
  /** Where the peer can compare stamps. */
  #check: StampCheck | undefined;
  #swap: StateSwap | undefined;
  #cancelCheck: Cancel | undefined;
  #turn: Cancel | undefined;
  /** Numbers of the last pages that were sent, and taken. */
  #pageOut = 0;
  #pageIn = 0;
  /** The peer has taken the last that was sent. */
  #isTaken = true;
  /** The peer has been told that there is no more, and has said so itself. */
  #hasToldEnd = false;
  #hasHeardEnd = false;
  #isGathering = true;
  #isTaking = false;
  #opsSent = 0;
  readonly #taking: Taking;
  /** Of ops of this page that are here already. */
  #stamps: OpStamp[] = [];
  #heardMs: number;
  #waitsSinceMs: number;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#heardMs = this.#waitsSinceMs = options.clock.monotonicMs();
    this.#taking = new Taking({
      ...options,
      onHeld: (lane, seq) => this.#sending?.peerHolds(lane, seq),
      onStamp: (stamp) => this.#stamps.push(stamp),
      onGreaterHere: (stamped) => {
        this.#sending?.also(stamped);
        this.#run();
      },
      onFlood: () => this.end('too many lanes that do not get on here', WAIT_REFUSED_S),
    });
    this.#stopWatching = options.timers.every(SILENT_MS_MAX / 4, () => this.#watch());
  }

  status(): ExchangeStatus {
    return {
      hub: this.#hub,
      isSynced: this.#hasToldEnd && this.#isTaken && this.#hasHeardEnd,
      opsSent: this.#opsSent,
      opsTaken: this.#taking.opsTaken,
      stuckLanes: this.#swap?.isUnderWay === true ? 0 : this.#stuckLanes(),
      heardMs: this.#heardMs,
    };
  }

  #stuckLanes(): number {
    return this.#taking.stuckLanes + (this.#sending?.stuckLanes ?? 0);
  }

  /** Says what this hub holds. */
  open(): void {
    const { self, door, roster, states, instance } = this.#options;
    const { hub, site } = self;
    const rosterEpoch = roster?.epoch ?? 0;
    const holes = [...abilitiesOf(hub, states, instance), ...door.holes.list()].slice(
      0,
      PEER_HOLES_MAX,
    );
    this.#send({ kind: 'open', hub, site, vector: door.vector(), holes, rosterEpoch });
  }

  /** The journal has grown. */
  grown(): void {
    this.#run();
  }

  /**
   * What power allows may have changed. Where it is short, all but alarms and commands gather, and go together now and
   * then: this comes again by itself.
   */
  policyChanged(): void {
    const { policy, timers } = this.#options;
    if (this.#state !== 'open') return;
    this.#isGathering = true;
    this.#sending?.allowedChanged();
    this.#run();
    this.#cancelGathering?.();
    const { gatherMs } = policy();
    this.#cancelGathering =
      gatherMs === 0 ? undefined : timers.after(gatherMs, () => this.policyChanged());
  }

  /** Stamps that were taken over from another peer. */
  tellStamps(stamps: readonly OpStamp[]): void {
    this.#check?.tell(stamps);
  }

  /** Sends the roster to a peer that has an older one. */
  rosterChanged(): void {
    const { roster } = this.#options;
    if (this.#state !== 'open' || roster === undefined || roster.epoch <= this.#peerEpoch) return;
    this.#peerEpoch = roster.epoch;
    this.#send({ kind: 'roster', bytes: roster.bytes });
  }

  handle(bytes: Uint8Array): void {
    if (this.#state === 'ended') return;
    this.#heardMs = this.#options.clock.monotonicMs();
    let message: PeerMessage;
    try {
      message = readPeerMessage(bytes);
    } catch (error) {
      if (!(error instanceof CborError)) throw error;
      return this.end(`cannot read what the peer says: ${error.message}`, WAIT_REFUSED_S);
    }
    switch (message.kind) {
      case 'open':
        return this.#opened(message);
      case 'page':
        return this.#pageCame(message);
      case 'taken':
        if (message.number !== this.#pageOut) return undefined;
        this.#isTaken = true;
        this.#checkSoon();
        return this.#run();
      case 'lapse':
        // Earlier versions say it in words.
        if (message.isCopied || message.reason === COPIED) this.#options.onCopied();
        return this.#end(message.reason, message.waitS);
      case 'roster':
        return this.#rosterCame(message.bytes);
      case 'compare':
      case 'differ':
      case 'stamps':
        return this.#check?.handle(message);
      case 'offer':
      case 'ask':
      case 'part':
        return this.#swap?.handle(message);
      default:
        return unreachable(message);
    }
  }

  /** Ends the exchange, telling the peer why. */
  end(reason: string, waitS = WAIT_S, isCopied = false): void {
    if (this.#state === 'ended') return;
    this.#send({ kind: 'lapse', reason, waitS, isCopied });
    this.#end(reason, waitS);
  }

  /** Ends it because the line is gone. */
  lost(reason: string): void {
    this.#end(reason, 0);
  }

  #opened({ hub, site, vector, holes, rosterEpoch }: Extract<PeerMessage, { kind: 'open' }>): void {
    const { self, journal, door, levelled, onKnown, clock, instance, onCopied } = this.#options;
    if (this.#state === 'open') return this.end('it says twice who it is');
    if (hub === self.hub) {
      const met = ownIdMet({ holes, vector }, { hub, instance, vector: door.vector() });
      if (met !== 'itself') onCopied();
      const reason = met === 'itself' ? 'this is the same hub' : COPIED;
      return this.end(reason, WAIT_REFUSED_S, met === 'copy');
    }
    if (site !== self.site) return this.end(`this is site ${self.site}`, WAIT_REFUSED_S);
    this.#hub = hub;
    if (!onKnown(hub)) return this.end(SPEAK_ALREADY, WAIT_REFUSED_S);
    if (knowsMore(vector, { hub: self.hub, vector: door.vector() })) onCopied();
    this.#state = 'open';
    this.#peerEpoch = rosterEpoch;
    this.rosterChanged();
    this.#hasToldEnd = false;
    this.#sending = new Sending({
      journal,
      peerHolds: vector,
      peerHoles: holes,
      ownHoles: () => door.holes.list(),
      hearsAgain: ({ op, stamp }) => {
        const lane = laneOf(op.origin, op.class);
        return (
          comparesStamps(holes, hub) && stamp.hub !== hub && op.seq > seqIn(levelled.of(hub), lane)
        );
      },
      isAllowed: (opClass) => this.#isAllowed(opClass),
      nowMs: () => clock.monotonicMs(),
    });
    const { stamps, states, timers, onStamps, log } = this.#options;
    const isReader = readsStates(holes, hub, states);
    const send = (message: PeerMessage): void => this.#send(message);
    const onTaken = (isTaken: boolean): void => this.#stateCame(isTaken);
    this.#swap = new StateSwap({ states, peer: hub, isReader, send, onTaken, clock, log });
    if (comparesStamps(holes, hub)) {
      this.#check = new StampCheck({ stamps, timers, send, onTaken: onStamps });
    }
    this.policyChanged();
  }

  /** Once all is exchanged, and folded, stamps are levelled out. */
  #checkSoon(): void {
    const { stamps, levelled, timers } = this.#options;
    if (this.#cancelCheck !== undefined || !this.status().isSynced) return;
    const [check, hub, sending] = [this.#check, this.#hub, this.#sending];
    if (check === undefined || hub === undefined || sending === undefined) return;
    const ask = (): void => {
      const both = heldByBoth(stamps.vector(), sending.peerVector);
      check.ask(both, levelled.of(hub), (isEqual) => {
        // What was taken over there is not on its card yet: equal is what is found equal.
        if (isEqual) levelled.note(hub, both);
        else if (this.#state === 'open') this.#cancelCheck = timers.after(CHECK_AGAIN_MS, ask);
      });
    };
    this.#cancelCheck = timers.after(SETTLE_MS, ask);
  }

  #isAllowed(opClass: OpClass): boolean {
    const { classes } = this.#options.policy();
    return classes.has(opClass) && (opClass <= COMMAND || this.#isGathering);
  }

  #run(): void {
    if (this.#state !== 'open' || !this.#isTaken) return;
    this.#turn ??= this.#options.timers.soon(() => {
      this.#turn = undefined;
      this.#sendSome();
    });
  }

  #sendSome(): void {
    if (this.#state !== 'open' || !this.#isTaken) return;
    const page = this.#sending?.step();
    if (page === undefined) return this.#run();
    const { ops, hasMore } = page;
    if (!hasMore) {
      this.#isGathering = this.#options.policy().gatherMs === 0;
      this.#offerState();
    }
    if (ops.length === 0 && this.#hasToldEnd) return;
    this.#hasToldEnd = !hasMore;
    this.#pageOut += 1;
    this.#isTaken = false;
    this.#waitsSinceMs = this.#options.clock.monotonicMs();
    this.#opsSent += ops.length;
    this.#send({ kind: 'page', number: this.#pageOut, ops, hasMore });
  }

  /** Of what the peer lacks and this journal has let go of, there is what it came to. */
  #offerState(): void {
    const sending = this.#sending;
    if (sending === undefined || !this.#options.policy().classes.has(RECORD)) return;
    this.#swap?.offer(sending.releasedLanes, sending.peerVector);
  }

  #stateCame(isTaken: boolean): void {
    if (isTaken) this.#options.onState();
    else this.end('a state did not come whole', WAIT_REFUSED_S);
  }

  #pageCame(page: Page): void {
    if (this.#state === 'new') return this.end('it has not said who it is');
    // One page at a time: whoever sends more does not keep to the protocol.
    if (this.#isTaking || page.number !== this.#pageIn + 1) {
      return this.end('pages out of order', WAIT_S);
    }
    this.#isTaking = true;
    void this.#take(page);
  }

  async #take({ number, ops, hasMore }: Page): Promise<void> {
    let lsn: Lsn = 0;
    for (let at = 0; at < ops.length && this.#state !== 'ended';) {
      const outcome = this.#taking.take(ops[at] as PeerOp);
      if (outcome === 'later') await pause(this.#options.timers, RETRY_MS);
      else {
        lsn = Math.max(lsn, outcome);
        at += 1;
      }
    }
    if (this.#stamps.length > 0) this.#check?.handle({ kind: 'stamps', stamps: this.#stamps });
    this.#stamps = [];
    try {
      await this.#options.journal.whenDurable(lsn);
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      return this.end(error.message);
    }
    if (this.#state === 'ended') return;
    this.#isTaking = false;
    this.#pageIn = number;
    this.#hasHeardEnd = !hasMore;
    this.#checkSoon();
    this.#send({ kind: 'taken', number });
  }

  #rosterCame(bytes: Uint8Array): void {
    try {
      this.#options.roster?.install(bytes);
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      this.end(error.message, WAIT_REFUSED_S);
    }
  }

  #watch(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const isSilent = !this.#isTaken && nowMs - this.#waitsSinceMs > SILENT_MS_MAX;
    const isMute = this.#state === 'new' && nowMs - this.#heardMs > SILENT_MS_MAX;
    if (isSilent || isMute) return this.end('the peer is silent');
    // A page without ops now and then shows both sides that the other is there.
    if (!this.#isTaken || nowMs - this.#waitsSinceMs < SILENT_MS_MAX / 2) return;
    this.#hasToldEnd = false;
    this.#run();
  }

  #send(message: PeerMessage): void {
    this.#options.send(encodePeerMessage(message));
  }

  #end(reason: string, waitS: number): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#turn?.();
    this.#stopWatching();
    this.#cancelCheck?.();
    this.#check?.close();
    this.#swap?.close();
    this.#cancelGathering?.();
    this.#options.onEnd(reason, waitS);
  }
}
