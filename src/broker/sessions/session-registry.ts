/** All sessions by client id: opening, taking over, forgetting. */
import { HubError } from '../../base/errors.ts';
import type { Principal, Qos } from '../contract.ts';
import { subscriptionBytesMax, type TopicIndex } from '../topics/topic-index.ts';
import type { SessionRecord, WantedFilter } from './session-records.ts';
import { Session, type SessionSurroundings, type Subscriber } from './session.ts';

export type OpenOutcome =
  | {
      readonly kind: 'opened';
      readonly session: Session;
      readonly present: boolean;
      /** Calls back when a session that this one replaces is gone for good; at once where there was none. */
      readonly onceEnded: (done: () => void) => void;
    }
  /** No room for another session. */
  | { readonly kind: 'full' }
  /** A session that is to be kept cannot be put on record. */
  | { readonly kind: 'unrecorded'; readonly fault: HubError }
  /** The client id belongs to a session of another user. */
  | { readonly kind: 'foreign' };

/** New filters of one SUBSCRIBE, and what they may cost. */
export interface Adding {
  readonly filters: Set<string>;
  bytes: number;
}

/** A session without subscriptions has nothing to lose: its record may wait for company. */
const OPENED_LINGER_MS = 50;
const atOnce = (done: () => void): void => done();

export class SessionRegistry {
  readonly #around: SessionSurroundings;
  readonly #index: TopicIndex<Subscriber>;
  readonly #sessionById = new Map<string, Session>();
  #revision: number;

  constructor(around: SessionSurroundings, index: TopicIndex<Subscriber>) {
    this.#around = around;
    this.#index = index;
    this.#revision = around.gatekeeper.revision;
  }

  get size(): number {
    return this.#sessionById.size;
  }

  values(): IterableIterator<Session> {
    return this.#sessionById.values();
  }

  has(clientId: string): boolean {
    return this.#sessionById.has(clientId);
  }

  /**
   * Finds or makes the session of a client that connects. A client that is connected with the same id is told
   * to go [MQTT-3.1.4-2]; a session of another user is never handed over, nor ended.
   */
  open(principal: Principal, clean: boolean): OpenOutcome {
    const { clientId, name } = principal;
    const old = this.#sessionById.get(clientId);
    if (old !== undefined && old.principal.name !== name) return { kind: 'foreign' };
    old?.link?.onTakeover(); // A clean session is gone after that.
    const kept = this.#sessionById.get(clientId);
    if (kept !== undefined && !clean && !kept.clean) {
      kept.principal = principal;
      this.#dropLostSubscriptions(kept);
      return { kind: 'opened', session: kept, present: true, onceEnded: atOnce };
    }
    const onceEnded = kept === undefined ? atOnce : this.remove(kept);
    if (this.#sessionById.size >= this.#around.limits.sessionsMax) return { kind: 'full' };
    const session = new Session(principal, clean, this.#around);
    if (session.isDurable) {
      const { role } = principal;
      try {
        const record = { kind: 'opened', clientId, name, role } as const;
        this.#around.durability?.write(record, OPENED_LINGER_MS);
      } catch (error) {
        if (error instanceof HubError) return { kind: 'unrecorded', fault: error };
        throw error;
      }
    }
    this.#sessionById.set(clientId, session);
    return { kind: 'opened', session, present: false, onceEnded };
  }

  get(clientId: string): Session | undefined {
    return this.#sessionById.get(clientId);
  }

  /** A kept session of an earlier run, as a record or a file has it. */
  restore({ clientId, name, role }: Principal): Session {
    const session = new Session({ clientId, name, role }, false, this.#around);
    session.detachedMs = this.#around.clock.monotonicMs();
    this.#sessionById.set(clientId, session);
    return session;
  }

  /** Ends a session with all it holds; what it returns calls back when that is durable. */
  remove(session: Session): (done: () => void) => void {
    const { durability } = this.#around;
    try {
      if (!session.isDurable || durability === undefined) return atOnce;
      const lsn = durability.write({ kind: 'ended', clientId: session.clientId });
      return (done) => durability.after(lsn, done);
    } catch (error) {
      // The journal says itself what is wrong; the next file of sessions leaves this one out.
      if (!(error instanceof HubError)) throw error;
      return atOnce;
    } finally {
      this.drop(session);
    }
  }

  /** The same, off the record. */
  drop(session: Session): void {
    if (this.#sessionById.get(session.clientId) === session) {
      this.#sessionById.delete(session.clientId);
    }
    for (const filter of session.qosByFilter.keys()) this.#index.unsubscribe(filter, session);
    session.qosByFilter.clear();
    session.discard();
  }

  /** Takes the filter into `adding`, what is granted and not yet made, if limits leave room for it. */
  addIfRoom(session: Session, filter: string, adding: Adding): boolean {
    const { limits } = this.#around;
    const { filters } = adding;
    if (session.qosByFilter.has(filter) || filters.has(filter)) return true;
    const bytes = adding.bytes + subscriptionBytesMax(filter);
    const hasRoom =
      session.qosByFilter.size + filters.size < limits.subscriptionsPerSessionMax &&
      this.#index.size + filters.size < limits.subscriptionsMax &&
      this.#index.bytes + bytes <= limits.subscriptionBytesMax;
    if (!hasRoom) return false;
    filters.add(filter);
    adding.bytes = bytes;
    return true;
  }

  /**
   * Makes subscriptions, and calls back when they are in force: for a kept session, when they are durable. Throws
   * `HubError` where they cannot be put on record; then none is made.
   */
  subscribe(session: Session, filters: readonly WantedFilter[], done: () => void): void {
    this.#record(
      session,
      () => ({ kind: 'subscribed', clientId: session.clientId, filters: [...filters] }),
      () => {
        for (const { filter, qos } of filters) this.applySubscribe(session, filter, qos);
        done();
      },
    );
  }

  /** The same for their end. */
  unsubscribe(session: Session, filters: readonly string[], done: () => void): void {
    this.#record(
      session,
      () => ({ kind: 'unsubscribed', clientId: session.clientId, filters: [...filters] }),
      () => {
        for (const filter of filters) this.applyUnsubscribe(session, filter);
        done();
      },
    );
  }

  applySubscribe(session: Session, filter: string, qos: Qos): void {
    if (session.isOver) return;
    session.qosByFilter.set(filter, qos);
    this.#index.subscribe(filter, session, qos);
  }

  applyUnsubscribe(session: Session, filter: string): void {
    if (session.qosByFilter.delete(filter)) this.#index.unsubscribe(filter, session);
  }

  #record(session: Session, record: () => SessionRecord, apply: () => void): void {
    const { durability } = this.#around;
    if (!session.isDurable || durability === undefined) apply();
    else durability.after(durability.write(record()), apply);
  }

  /** Takes back subscriptions that are no longer allowed, if rights have changed since the last time: then true. */
  recheckRights(): boolean {
    const { revision } = this.#around.gatekeeper;
    if (revision === this.#revision) return false;
    this.#revision = revision;
    for (const session of this.#sessionById.values()) this.#dropLostSubscriptions(session);
    return true;
  }

  #dropLostSubscriptions(session: Session): void {
    const { gatekeeper } = this.#around;
    const isLost = (filter: string): boolean => !gatekeeper.mayRead(session.principal, filter);
    const lost = Array.from(session.qosByFilter.keys()).filter(isLost);
    if (lost.length === 0) return;
    try {
      this.unsubscribe(session, lost, () => undefined);
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      // A right that is gone is gone, on record or not; after a start it is looked at again.
      for (const filter of lost) this.applyUnsubscribe(session, filter);
    }
  }

  /** Forgets sessions whose clients have been away for too long; returns how many, and how many messages waited in them. */
  expire(nowMs: number): { readonly sessions: number; readonly messages: number } {
    const { counters } = this.#around;
    const expired = { sessions: 0, messages: 0 };
    for (const session of this.#sessionById.values()) {
      const awayMs = nowMs - (session.detachedMs ?? nowMs);
      if (awayMs <= this.#around.limits.sessionExpiryMs) continue;
      expired.sessions += 1;
      expired.messages += session.backlog;
      this.remove(session);
    }
    counters.sessionsExpired += expired.sessions;
    return expired;
  }
}
