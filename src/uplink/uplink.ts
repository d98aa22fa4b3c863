/**
 * The hub's side of the way upstream: carries out what the session machine (session.ts) decides, over the outbox
 * (outbox.ts) and a link (region-link.ts). It obeys the governor, explains itself in the power-aware sync log, and
 * believes only receipts.
 *
 * Two kinds of time: `timers` is the site's time, in which classes gather and failed links are tried again (the demo
 * runs it fast); `linkTimers` is the machine's, in which sockets answer or do not.
 */
import { unreachable } from '../base/assert.ts';
import { type Cancel, pause } from '../base/clock.ts';
import { HubError, messageOf, systemCode } from '../base/errors.ts';
import { chunkBytes } from '../batch/wire/chunks.ts';
import type { DownHello } from '../batch/wire/messages.ts';
import type { Resumed } from '../batch/wire/resume.ts';
import { originOfPublicKey } from '../hashes.ts';
import { type OpClass } from '../model/class.ts';
import { Arrivals } from './session/arrivals.ts';
import { Attempts } from './session/attempts.ts';
import type { CarrierPort } from './carrier.ts';
import { ChunkSize } from './session/chunk-size.ts';
import { Counterpart } from './session/counterpart.ts';
import { Descent, type DownPiece } from './session/descent.ts';
import { Outbox } from './outbox.ts';
import {
  DEFAULT_UPLINK_LIMITS,
  outboxOptionsOf,
  type UplinkLimits,
  type UplinkOptions,
  type UplinkStatus,
} from './options.ts';
import type { Backlog, Lsn, UplinkDecision } from './ports.ts';
import { type Judgement, RegionLink } from './session/region-link.ts';
import { Counting } from './waiting/counting.ts';
import { Ripeness } from './waiting/ripeness.ts';
import {
  IDLE,
  type SessionEffect,
  type SessionEvent,
  type SessionState,
  type SessionView,
  step,
} from './session/session.ts';
import { Resumption, type Resuming } from './session/resumption.ts';
import { SessionBook } from './session/session-book.ts';
import { Waits } from './session/waits.ts';
import type { SpooledBatch } from './spool.ts';

const CLOSE_MS_MAX = 2_000;

export class Uplink {
  readonly #options: UplinkOptions;
  readonly #limits: UplinkLimits;
  readonly #outbox: Outbox;
  readonly #book: SessionBook;
  readonly #attempts: Attempts;
  readonly #chunkSize = new ChunkSize();
  readonly #resumption: Resumption;
  readonly #arrivals: Arrivals;
  readonly #events: SessionEvent[] = [];
  readonly #ripeness: Ripeness;
  readonly #periodic: Cancel[] = [];
  #state: SessionState = IDLE;
  #decision: UplinkDecision = { allowed: [], riding: [], why: 'not looked yet' };
  #link: RegionLink | undefined;
  readonly #counterpart: Counterpart;
  readonly #descent: Descent | undefined;
  #linkFault: HubError | undefined;
  readonly #waits = new Waits();
  readonly #counting: Counting;
  #isDispatching = false;
  #isClosed = false;
  #underway: Promise<unknown> = Promise.resolve();

  private constructor(options: UplinkOptions, outbox: Outbox) {
    this.#options = options;
    this.#limits = { ...DEFAULT_UPLINK_LIMITS, ...options.limits };
    this.#outbox = outbox;
    this.#book = new SessionBook(options);
    this.#ripeness = new Ripeness(this.#limits, options.clock);
    this.#counterpart = new Counterpart(options);
    this.#descent = Descent.of(options, this.#limits);
    this.#resumption = new Resumption(options.clock);
    this.#arrivals = new Arrivals({
      ...options,
      outbox,
      book: this.#book,
      chunkSize: this.#chunkSize,
      counterpart: this.#counterpart,
      resumption: this.#resumption,
      dispatch: (event) => this.#dispatch(event),
      onStartedOver: () => this.#counting.soon(),
    });
    this.#counting = new Counting({
      ...options,
      outbox,
      guarded: (work) => this.#guarded(work),
      onUrgent: () => this.look(),
      onAlarm: () => this.#attempts.urgent(),
    });
    this.#attempts = new Attempts({
      ...options,
      pauses: options.pauses ?? (() => this.#limits),
      onAgain: () => this.#guarded(() => this.#dispatch({ type: 'pause-over' })),
      onWayLost: () => this.#guarded(() => this.#dispatch({ type: 'way-lost' })),
    });
  }

  /** Reads what is kept and begins to count, and to send as soon as it may. */
  static open(options: UplinkOptions): Uplink {
    const uplink = new Uplink(options, Outbox.open(outboxOptionsOf(options)));
    uplink.#begin();
    return uplink;
  }

  /** A durable entry that somebody who follows the journal has read anyway: what waits is counted without reading it again. */
  offer(lsn: Lsn, entry: Uint8Array): void {
    this.#outbox.unsealed.offer(lsn, entry);
  }

  /** For sync by stick: carrier.ts. */
  carrierPort(): CarrierPort {
    return {
      outbox: this.#outbox,
      countAll: (isTimeUp) => this.#counting.all(isTimeUp),
      meets: (answer) => this.#counterpart.meet(answer) === undefined,
      takeReceipt: (receipt) => this.#arrivals.receipt(receipt),
    };
  }

  /** Counts what has just come, for a question of people; false where there is more than that. */
  countNow(): boolean {
    return this.#counting.now();
  }

  /** What has no receipt yet, by class. */
  backlog(): Backlog {
    return this.#outbox.backlog();
  }

  /** Every op at or below has its receipt; local entries do not count. */
  get receiptedLsn(): Lsn {
    return this.#outbox.receiptedLsn;
  }

  /** For whoever must let go of what waits. */
  get waiting(): Pick<Outbox, 'receiptedLsnBut' | 'giveUp'> {
    return this.#outbox;
  }

  status(): UplinkStatus {
    return {
      state: this.#options.broker === undefined ? 'off' : this.#state.phase,
      link: this.#options.link(),
      lastReceiptMs: this.#book.lastReceiptMs,
      dataReceiptedLsn: this.#outbox.dataReceiptedLsn,
      bytesToday: this.#options.energy.linkBytesToday() + (this.#link?.bytes ?? 0),
      sealedTo: this.#options.sealer?.keyId,
      byLink: this.#book.byLink(),
      faults: [
        this.#linkFault,
        ...this.#arrivals.faults,
        this.#counterpart.wait.fault,
        this.#descent?.fault,
      ].filter((fault) => fault !== undefined),
    };
  }

  /** Looks at the decision now; for whoever knows that it has changed. */
  look(): void {
    if (this.#isClosed || this.#options.broker === undefined) return;
    this.#decision = this.#options.decide(this.backlog());
    this.#dispatch({ type: 'look' });
  }

  /** Ends the session; what is on its way is sent again by the next hub process. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const cancel of this.#periodic) cancel();
    this.#attempts.stop();
    this.#waits.stop();
    this.#counting.stop();
    this.#arrivals.close();
    this.#outbox.close();
    if (this.#state.phase !== 'idle') this.#book.closed('the hub stops', this.#link?.bytes ?? 0);
    await this.#link?.close();
    // A connect that is under way may take long; it finds us closed and closes itself.
    await Promise.race([this.#underway, pause(this.#options.linkTimers, CLOSE_MS_MAX)]);
  }

  #begin(): void {
    const { journal, timers } = this.#options;
    journal.onDurable(() => this.#counting.soon());
    this.#counting.soon();
    this.#periodic.push(
      timers.every(this.#limits.lookMs, () => this.#guarded(() => this.look())),
      timers.every(this.#limits.refusedRetryMs, () => this.#outbox.retryRefused()),
    );
  }

  /** Events are taken one after the other, also those that an effect brings about. */
  #dispatch(event: SessionEvent): void {
    this.#events.push(event);
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        if (this.#isClosed) continue;
        const { state, effects } = step(this.#state, next, this.#view());
        this.#state = state;
        for (const effect of effects) this.#carryOut(effect);
      }
    } finally {
      this.#isDispatching = false;
    }
  }

  #view(): SessionView {
    const { allowed, riding } = this.#decision;
    const spooled = this.#outbox.sendable().map(({ id, manifest, layout }) => {
      return { id, class: manifest.class, total: layout.total, chunkBytes: chunkBytes(layout) };
    });
    const sealable = this.#ripeness.worthSealing(this.#outbox.sealableClasses(), this.#outbox);
    const ripe = this.#ripeness.of(sealable, this.#outbox);
    const { isWayThere } = this.#attempts;
    const view = { allowed, riding, sealable, ripe, spooled };
    const { waitWhy, takes: waitTakes } = this.#counterpart.wait;
    return { ...view, isWayThere, waitWhy, waitTakes, ...this.#descent?.view() };
  }

  #carryOut(effect: SessionEffect): void {
    switch (effect.type) {
      case 'connect':
        this.#run(this.#connect(effect.why));
        break;
      case 'hello':
        this.#run(this.#link?.begin(this.#outbox) ?? Promise.resolve());
        break;
      case 'seal':
        this.#run(this.#seal(effect.class));
        break;
      case 'send':
        this.#run(this.#send(effect.batch, effect.chunk));
        break;
      case 'await-reply': {
        const over = (): void => this.#replyTimeOver();
        const timer = effect.isAwaited ? this.#after(this.#limits.replyMsMax, over) : undefined;
        this.#waits.set('reply', timer);
        break;
      }
      case 'linger': {
        const over = (): void => this.#dispatch({ type: 'linger-time-over' });
        const timer = effect.isLingering ? this.#after(this.#limits.lingerMs, over) : undefined;
        this.#waits.set('linger', timer);
        break;
      }
      case 'close':
        this.#run(this.#link?.close() ?? Promise.resolve());
        break;
      case 'ended':
        this.#ended(effect);
        break;
      default:
        unreachable(effect);
    }
  }

  async #connect(reason = this.#decision.why): Promise<void> {
    const { broker, site, signer } = this.#options;
    if (broker === undefined) return;
    this.#book.opened(this.#decision, reason);
    const address = { site, hub: originOfPublicKey(signer.publicKey) };
    try {
      const link = await RegionLink.connect(
        {
          ...this.#options,
          broker,
          address,
          onBug: this.#options.onFatal,
          down: () => this.#descent?.wish(this.#decision),
          lacks: () => this.#descent?.lacks(this.#decision) ?? [],
          resuming: this.#resuming(),
        },
        {
          onAnswer: (answer) => this.#judge(answer),
          onResumed: (found) => this.#guarded(() => this.#resumed(found)),
          onDisowned: () => this.#resumption.disowned(),
          onGreeted: () => this.#guarded(() => this.#greeted()),
          onHave: (have) => this.#guarded(() => this.#arrivals.have(have)),
          onReceipt: (receipt) => this.#guarded(() => this.#arrivals.receipt(receipt)),
          onDownChunk: (...piece) => this.#run(this.#takeDown(piece)),
          onVain: (lineBytes) => this.#book.vain(lineBytes),
          onClose: (why) => this.#guarded(() => this.#dispatch({ type: 'link-gone', why })),
        },
      );
      this.#link = link;
      if (this.#isClosed) await link.close();
      else this.#dispatch({ type: 'connected' });
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      this.#linkFault = error;
      this.#attempts.failed();
      this.#dispatch({ type: 'link-gone', why: error.message });
    }
  }

  /** Undefined where the session is to greet: by choice, or to ask what waits at the region. */
  #resuming(): Resuming | undefined {
    const isAsking = this.#descent?.view().isCheckDue === true;
    if (isAsking || !this.#attempts.isWayProven) return undefined;
    return this.#resumption.of(this.#outbox.sendable().map(({ id }) => id));
  }

  #resumed(found: readonly Resumed[]): void {
    this.#linkFault = undefined;
    this.#attempts.answered();
    this.#arrivals.resumed(found);
  }

  /** Nothing goes out before this has said that the node is the one we know. */
  #greeted(): void {
    this.#outbox.cutInto(this.#chunkSize.bytes(this.#resumption.shortest));
    this.#dispatch({ type: 'greeted' });
  }

  #judge(answer: DownHello): Judgement {
    let judgement: Judgement = 'refused';
    this.#guarded(() => {
      this.#linkFault = this.#counterpart.meet(answer);
      const why = this.#linkFault?.message;
      if (why !== undefined) return this.#dispatch({ type: 'failed', why });
      this.#descent?.announced(answer);
      this.#arrivals.greeted(answer);
      judgement = this.#attempts.answered() ? 'greeted' : 'again';
    });
    return judgement;
  }

  async #seal(opClass: OpClass): Promise<void> {
    let batch: SpooledBatch | undefined;
    let trouble: string | undefined;
    try {
      batch = await this.#outbox.seal(opClass, this.#counterpart);
    } catch (error) {
      // A full or failing disk: the ops stay in the journal, the session ends and is tried again later.
      if (systemCode(error) === undefined) throw error;
      trouble = messageOf(error);
      this.#options.log.error('uplink.seal.failed', { reason: trouble });
    }
    this.#ripeness.sealed(opClass);
    const look = (): void => this.#guarded(() => this.look());
    this.#waits.set('gather', this.#options.timers.after(this.#limits.gatherMs, look));
    this.#dispatch({ type: 'sealed', class: opClass, isEmpty: batch === undefined });
    if (trouble !== undefined) this.#dispatch({ type: 'failed', why: trouble });
    this.#counting.soon();
  }

  async #send(id: SpooledBatch['id'], index: number): Promise<void> {
    const batch = this.#outbox.get(id);
    const link = this.#link;
    if (batch === undefined || link === undefined) return;
    const head = this.#resumption.sending(id, batch.layout);
    const bytes = this.#outbox.chunk(id, index, head !== 'full');
    await link.sendChunk(id, index, { bytes, head });
    if (link !== this.#link) return; // The broker's word came too late: this is another session.
    this.#book.chunkSent(batch, bytes.length);
    this.#chunkSize.acked(id, bytes.length);
    this.#dispatch({ type: 'chunk-acked', batch: id, chunk: index });
  }

  async #takeDown(piece: DownPiece): Promise<void> {
    await this.#descent?.take(piece, this.#link, this.#book);
    this.#dispatch({ type: 'came-down' });
  }

  #ended(ending: Extract<SessionEffect, { type: 'ended' }>): void {
    const linkBytes = this.#link?.bytes ?? 0;
    this.#book.closed(ending.why, linkBytes, this.#link?.isResumed);
    const wasCut = ending.pause !== 'none';
    if (this.#link !== undefined) this.#chunkSize.ended(wasCut);
    this.#resumption.ended(wasCut && this.#descent?.view().isReceiving !== true);
    this.#link = undefined;
    this.#descent?.ended(this.#book.isIdle && !wasCut ? linkBytes : undefined);
    this.#attempts.ended(ending.pause);
  }

  #replyTimeOver(): void {
    this.#resumption.unanswered();
    const { phase, wasAnswered } = this.#state;
    const isGreeting = phase === 'greeting';
    if (isGreeting) this.#attempts.failed();
    if (!wasAnswered) {
      const what = isGreeting ? 'no regional node answers' : 'the regional node confirms nothing';
      this.#linkFault = new HubError('uplink.silent', `${this.#options.broker?.url}: ${what}`);
    }
    this.#dispatch({ type: 'reply-time-over' });
  }

  #after(delayMs: number, act: () => void): Cancel {
    return this.#options.linkTimers.after(delayMs, () => this.#guarded(act));
  }

  /** Work that ends later; a link that closes under it is told by its `onClose`. */
  #run(work: Promise<void>): void {
    const done = work.catch((error: unknown) => {
      if (!(error instanceof HubError)) this.#options.onFatal(error);
    });
    this.#underway = Promise.all([this.#underway, done]);
  }

  /** Entry points from timers and messages: a failing disk or journal ends the session, a bug the process. */
  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (systemCode(error) === undefined) return this.#options.onFatal(error);
      this.#options.log.error('uplink.disk', { reason: messageOf(error) });
      this.#dispatch({ type: 'failed', why: messageOf(error) });
    }
  }
}
