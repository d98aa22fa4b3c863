/** All sessions by client id: opening, taking over, forgetting. */
import type { Principal, Qos } from '../contract.ts';
import type { TopicIndex } from '../topics/topic-index.ts';
import { Session, type SessionSurroundings, type Subscriber } from './session.ts';

export type OpenOutcome =
  | { readonly kind: 'opened'; readonly session: Session; readonly present: boolean }
  /** No room for another session. */
  | { readonly kind: 'full' }
  /** The client id belongs to a session of another user. */
  | { readonly kind: 'foreign' };

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
      return { kind: 'opened', session: kept, present: true };
    }
    if (kept !== undefined) this.remove(kept);
    if (this.#sessionById.size >= this.#around.limits.sessionsMax) return { kind: 'full' };
    const session = new Session(principal, clean, this.#around);
    this.#sessionById.set(clientId, session);
    return { kind: 'opened', session, present: false };
  }

  /** Ends a session with all it holds. */
  remove(session: Session): void {
    if (this.#sessionById.get(session.clientId) === session) {
      this.#sessionById.delete(session.clientId);
    }
    for (const filter of session.qosByFilter.keys()) this.#index.unsubscribe(filter, session);
    session.qosByFilter.clear();
    session.discard();
  }

  /** False where a limit forbids another subscription; changing one is always possible. */
  subscribe(session: Session, filter: string, qos: Qos): boolean {
    const { subscriptionsPerSessionMax, subscriptionsMax } = this.#around.limits;
    const isFull =
      session.qosByFilter.size >= subscriptionsPerSessionMax ||
      this.#index.size >= subscriptionsMax;
    if (isFull && !session.qosByFilter.has(filter)) return false;
    session.qosByFilter.set(filter, qos);
    this.#index.subscribe(filter, session, qos);
    return true;
  }

  unsubscribe(session: Session, filter: string): void {
    if (session.qosByFilter.delete(filter)) this.#index.unsubscribe(filter, session);
  }

  /** Takes back subscriptions that are no longer allowed, if rights have changed since the last time. */
  recheckRights(): void {
    const { revision } = this.#around.gatekeeper;
    if (revision === this.#revision) return;
    this.#revision = revision;
    for (const session of this.#sessionById.values()) this.#dropLostSubscriptions(session);
  }

  #dropLostSubscriptions(session: Session): void {
    for (const filter of Array.from(session.qosByFilter.keys())) {
      if (this.#around.gatekeeper.mayRead(session.principal, filter)) continue;
      this.unsubscribe(session, filter);
    }
  }

  /** Forgets sessions whose clients have been away for too long; returns how many. */
  expire(nowMs: number): number {
    let expired = 0;
    for (const session of this.#sessionById.values()) {
      const awayMs = nowMs - (session.detachedMs ?? nowMs);
      if (awayMs <= this.#around.limits.sessionExpiryMs) continue;
      this.remove(session);
      expired += 1;
    }
    return expired;
  }
}
