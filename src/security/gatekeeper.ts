/**
 * Decides who comes in (MQTT, WebSocket and HTTP alike) and what they may do.
 *
 * Mode `open`: everyone, as a device named by its client id; only the topics of the protocol are protected.
 * Mode `password`: users of users.json. Hashing is slow by intent and runs on the thread pool, where the
 * journal syncs too: two at a time at most, so that a storm of logins never delays an acknowledgement.
 * A login that was right a moment ago is recognised by a MAC under a key of this process, so that the page's
 * requests do not hash each time. Role and rights are looked up at every check: whoever is removed from the
 * file loses them at once, connected or not.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

import { utf8 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { BoundedQueue } from '../base/queue.ts';
import type { Random } from '../base/random.ts';
import { type Acl, isOpenToPublishers, isOpenToReaders, type Principal } from './acl.ts';
import { LoginLimit } from './login-limit.ts';
import { isPassword, type PasswordHash } from './passwords.ts';
import type { User } from './users.ts';

export interface Login {
  readonly clientId: string;
  readonly username?: string | undefined;
  readonly password?: Uint8Array | undefined;
  /** Of a TLS connection whose peer has shown that it holds the key; DER. */
  readonly certificate?: Uint8Array | undefined;
  /** Peer's address, as `Connection.remote`. */
  readonly remote: string;
}

export interface Gatekeeper {
  /** Undefined where the login is refused. */
  authenticate(login: Login): Promise<Principal | undefined>;
  mayPublish(who: Principal, topic: string): boolean;
  mayRead(who: Principal, topicOrFilter: string): boolean;
  /** False where whoever logged in so is no longer known: the connection ends. */
  isAdmitted(who: Principal): boolean;
  /** Grows when rights may have changed: answers that were kept before count no more. */
  readonly revision: number;
}

export const OPEN_GATEKEEPER: Gatekeeper = {
  authenticate: ({ clientId }) => Promise.resolve({ name: clientId, role: 'device', clientId }),
  mayPublish: (who, topic) => isOpenToPublishers(who, topic),
  mayRead: (who, filter) => isOpenToReaders(who, filter),
  isAdmitted: () => true,
  revision: 0,
};

/** What the gatekeeper needs of the users (users.ts). */
interface UserSource {
  get(name: string): User | undefined;
  readonly revision: number;
}

interface PasswordGatekeeperOptions {
  readonly users: UserSource;
  readonly acl: Acl;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const PASSWORD_BYTES_MAX = 1024;
const HASHES_AT_ONCE = 2;
const WAITING_MAX = 2000;
const REMEMBER_MS = 5 * 60_000;
const REMEMBERED_MAX = 2000;

/** Someone to hash for where no such user exists, so that the time of a refusal does not tell. */
const NOBODY: PasswordHash = {
  cost: { n: 4096, r: 8, p: 1 },
  salt: '00'.repeat(16),
  hash: '00'.repeat(32),
};

export class PasswordGatekeeper implements Gatekeeper {
  readonly #users: UserSource;
  readonly #acl: Acl;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #limit: LoginLimit;
  readonly #macKey: Uint8Array;
  readonly #remembered = new Map<string, { readonly mac: Uint8Array; readonly untilMs: number }>();
  readonly #waiting = new BoundedQueue<() => void>(WAITING_MAX);
  #hashing = 0;

  constructor(options: PasswordGatekeeperOptions) {
    this.#users = options.users;
    this.#acl = options.acl;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#limit = new LoginLimit(options.clock);
    this.#macKey = options.random.bytes(32);
  }

  get revision(): number {
    return this.#users.revision;
  }

  async authenticate(login: Login): Promise<Principal | undefined> {
    const { username, password, remote, clientId } = login;
    if (username === undefined || password === undefined) return undefined;
    if (password.length > PASSWORD_BYTES_MAX) return undefined;
    const user = this.#users.get(username);
    const mac = this.#mac(password, user);
    if (user !== undefined && this.#remembers(username, mac)) {
      return { name: user.name, role: user.role, clientId };
    }
    if (this.#limit.isBlocked(remote, username)) return undefined;
    const isRight = await this.#isRight(password, user);
    if (isRight === 'busy') return undefined;
    if (user === undefined || !isRight) {
      this.#limit.failed(remote, username);
      this.#log.warn('security.login-refused', { remote, user: username.slice(0, 64) });
      return undefined;
    }
    this.#limit.succeeded(remote, username);
    this.#remember(username, mac);
    return { name: user.name, role: user.role, clientId };
  }

  mayPublish(who: Principal, topic: string): boolean {
    const now = this.#asOfNow(who);
    return now !== undefined && this.#acl.mayPublish(now, topic);
  }

  mayRead(who: Principal, topicOrFilter: string): boolean {
    const now = this.#asOfNow(who);
    return now !== undefined && this.#acl.mayRead(now, topicOrFilter);
  }

  isAdmitted(who: Principal): boolean {
    return this.#asOfNow(who) !== undefined;
  }

  #asOfNow(who: Principal): Principal | undefined {
    const user = this.#users.get(who.name);
    return user === undefined ? undefined : { ...who, role: user.role };
  }

  async #isRight(password: Uint8Array, user: User | undefined): Promise<boolean | 'busy'> {
    if (this.#hashing >= HASHES_AT_ONCE) {
      const turn = new Promise<boolean>((resolve) => {
        if (!this.#waiting.push(() => resolve(true))) resolve(false);
      });
      if (!(await turn)) return 'busy';
    } else this.#hashing += 1;
    try {
      return await isPassword(password, user ?? NOBODY);
    } finally {
      // The place goes to the next in the queue; it becomes free only where nobody waits.
      const next = this.#waiting.shift();
      if (next === undefined) this.#hashing -= 1;
      else next();
    }
  }

  /** Bound to the stored hash as well, so that a new password of the user ends the memory. */
  #mac(password: Uint8Array, user: User | undefined): Uint8Array {
    const mac = createHmac('sha256', this.#macKey).update(utf8(`${user?.hash ?? ''} `));
    return new Uint8Array(mac.update(password).digest());
  }

  #remembers(name: string, mac: Uint8Array): boolean {
    const known = this.#remembered.get(name);
    if (known === undefined || known.untilMs < this.#clock.monotonicMs()) return false;
    return timingSafeEqual(known.mac, mac);
  }

  #remember(name: string, mac: Uint8Array): void {
    this.#remembered.delete(name);
    this.#remembered.set(name, { mac, untilMs: this.#clock.monotonicMs() + REMEMBER_MS });
    const oldest = this.#remembered.keys().next();
    if (this.#remembered.size > REMEMBERED_MAX && oldest.done !== true) {
      this.#remembered.delete(oldest.value);
    }
  }
}
