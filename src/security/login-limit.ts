/**
 * Slows guessing down without locking the site out. Failures are counted for each (host, user) and for
 * each host: many devices share one address behind a gateway, and one of them with an old password must
 * not shut the door for the others. Who failed too often waits, up to a minute; nothing is hashed for it
 * in the meantime.
 */
import type { Clock } from '../base/clock.ts';

interface Failures {
  count: number;
  /** On the monotonic clock. */
  blockedUntilMs: number;
  lastMs: number;
}

const USER_FAILURES_FREE = 5;
const HOST_FAILURES_FREE = 50;
const WAIT_MS_MAX = 60_000;
const FORGET_MS = 10 * 60_000;
const ENTRIES_MAX = 10_000;

export class LoginLimit {
  readonly #clock: Clock;
  readonly #failures = new Map<string, Failures>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True where this login must not even be tried now. */
  isBlocked(remote: string, user: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    return keysOf(remote, user).some(
      ({ key }) => (this.#failures.get(key)?.blockedUntilMs ?? 0) > nowMs,
    );
  }

  failed(remote: string, user: string): void {
    const nowMs = this.#clock.monotonicMs();
    for (const { key, free } of keysOf(remote, user)) {
      const known = this.#failures.get(key);
      const count = known === undefined || nowMs - known.lastMs > FORGET_MS ? 1 : known.count + 1;
      const waitMs = count < free ? 0 : Math.min(WAIT_MS_MAX, 1000 * 2 ** (count - free));
      this.#failures.delete(key);
      this.#failures.set(key, { count, blockedUntilMs: nowMs + waitMs, lastMs: nowMs });
    }
    this.#forgetOldest();
  }

  /** A right password clears the pair, not the host: guesses at other users still count. */
  succeeded(remote: string, user: string): void {
    this.#failures.delete(pairKey(remote, user));
  }

  #forgetOldest(): void {
    for (const key of this.#failures.keys()) {
      if (this.#failures.size <= ENTRIES_MAX) return;
      this.#failures.delete(key);
    }
  }
}

function keysOf(remote: string, user: string): { key: string; free: number }[] {
  return [
    { key: pairKey(remote, user), free: USER_FAILURES_FREE },
    { key: hostOf(remote), free: HOST_FAILURES_FREE },
  ];
}

function pairKey(remote: string, user: string): string {
  return `${hostOf(remote)} ${user}`;
}

/** `websocket 192.0.2.7:51234` → `192.0.2.7`: a new connection is no new guesser. */
function hostOf(remote: string): string {
  return remote.replace(/^.* /, '').replace(/:\d+$/, '');
}
