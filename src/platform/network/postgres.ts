/**
 * PostgreSQL as the regional node needs it: queries, transactions, and one word for everything that passes by itself.
 * The library behind it (`pg`) is loaded when a database is named in the configuration, and never on a hub.
 *
 * A fault that passes (server away, restarting or full; a transaction that lost against another) is
 * `HubError` `database.away`; one that a person must mend is `database.refused`; what the server will not do with these
 * values, now or later, is `database.rejected`. `patiently` repeats what may be repeated until the database is back.
 */
import type { Pool, PoolClient } from 'pg';

import { Backoff } from '../../base/backoff.ts';
import { pause, type Timers } from '../../base/clock.ts';
import { HubError, messageOf, systemCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';

export type PgValue = string | number | bigint | boolean | Uint8Array | null;
export type PgRow = Readonly<Record<string, unknown>>;

export interface Sql {
  /** Statements with values are prepared once a connection. Binary values are bytea, or arrays (binary-arrays.ts). */
  query(text: string, values?: readonly PgValue[]): Promise<readonly PgRow[]>;
}

/** A transaction of one connection. Both ends give the connection back; what comes after an end does nothing. */
export interface Transaction extends Sql {
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

export interface Database extends Sql {
  begin(): Promise<Transaction>;
  /** Commits what `work` did, or takes all of it back. */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** Repeats `work` as long as the database is away; only for what may be done twice. Rejects when it is closed. */
  patiently<T>(work: () => Promise<T>): Promise<T>;
  /** Why it is away: the last statement did not reach it, or some work waits for it; undefined while it is there. */
  readonly awayBy: string | undefined;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** `postgres://user@host:port/name`, without a password. */
  readonly url: string;
  readonly password?: string;
  readonly connectionsMax: number;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
}

const CONNECT_MS_MAX = 10_000;
const STATEMENT_MS_MAX = 120_000;
/** A worker that hangs in a transaction loses it, and with it all that it held. */
const IDLE_IN_TRANSACTION_MS_MAX = 60_000;
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 5_000;
/** Wrong login, no such database, no rights. */
const REFUSED = /^(28|3D|42501)/;
/** What the library says, without a code, where the server asks for a password and there is none. */
const NO_PASSWORD = /client password must be/;
/** Classes 08 connection, 40 lost against another, 53 out of resources, 57 operator, 58 system; timeouts; a server that only reads, as a standby does. */
const PASSING = /^(08|40|53|57|58|55P03|25P0[34]|25006)/;
/** Codes of the server have five characters, those of the socket are names (`EPIPE` has five, too), those of the library have none. */
const OF_SERVER = /^(?!E)[0-9A-Z]{5}$/;
/** Given up by `lock_timeout`. */
const HELD_UP = '55P03';
/** Lost against another transaction, or held up by one: the server is well. */
const LOST = new RegExp(`^(40|${HELD_UP})`);

export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({
    connectionString: withPassword(options),
    max: options.connectionsMax,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    idleTimeoutMillis: 60_000,
    statement_timeout: STATEMENT_MS_MAX,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS_MAX,
    keepAlive: true,
    types: {
      getTypeParser: (type, format) => {
        const parse = pg.types.getTypeParser(type, format) as (value: string) => unknown;
        return type === pg.types.builtins.BYTEA
          ? (value: string) => plainBytes(parse(value))
          : parse;
      },
    },
    application_name: 'heliograph',
  });
  return new PooledDatabase(pool, options);
}

/**
 * With the password in it: the library prefers what the URL says to what stands beside it, and takes a URL without one for an
 * empty password. As a parameter it fits any form of URL, sockets without a host included.
 */
function withPassword({ url, password }: DatabaseOptions): string {
  if (password === undefined) return url;
  return `${url}${url.includes('?') ? '&' : '?'}password=${encodeURIComponent(password)}`;
}

class PooledDatabase implements Database {
  readonly #pool: Pool;
  readonly #options: DatabaseOptions;
  readonly #closing = new AbortController();
  readonly #names = new Map<string, string>();
  #awayBy: string | undefined;
  /** Pieces of work that wait. A server without room answers all the same who only reads, and is not back for that. */
  #waiting = 0;

  constructor(pool: Pool, options: DatabaseOptions) {
    this.#pool = pool;
    this.#options = options;
    // An idle connection was cut: the next query opens another.
    pool.on('error', (error) => this.#away(error));
  }

  get awayBy(): string | undefined {
    return this.#awayBy;
  }

  async query(text: string, values: readonly PgValue[] = []): Promise<readonly PgRow[]> {
    return this.run(this.#pool, text, values);
  }

  async begin(): Promise<Transaction> {
    let client: PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw this.#fault(error);
    }
    // A connection that breaks while nobody waits for an answer says so here, and would else end the process.
    const ignore = (): void => undefined;
    client.on('error', ignore);
    let isOver = false;
    const end = async (statement: 'COMMIT' | 'ROLLBACK'): Promise<void> => {
      if (isOver) return;
      isOver = true;
      try {
        await this.run(client, statement, []);
        client.removeListener('error', ignore);
        client.release();
      } catch (error) {
        client.release(true);
        if (statement === 'COMMIT') throw error;
      }
    };
    const transaction: Transaction = {
      query: (text, values = []) => this.run(client, text, values),
      commit: () => end('COMMIT'),
      rollback: () => end('ROLLBACK'),
    };
    try {
      await transaction.query('BEGIN');
    } catch (error) {
      isOver = true;
      client.release(true);
      throw error;
    }
    return transaction;
  }

  async transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const transaction = await this.begin();
    try {
      const result = await work(transaction);
      await transaction.commit();
      return result;
    } finally {
      await transaction.rollback();
    }
  }

  async patiently<T>(work: () => Promise<T>): Promise<T> {
    const backoff = new Backoff(PAUSE_MS_MIN, PAUSE_MS_MAX, this.#options.random);
    let isWaiting = false;
    const waits = (now: boolean): void => {
      if (now !== isWaiting) this.#waiting += now ? 1 : -1;
      isWaiting = now;
    };
    try {
      for (;;) {
        try {
          const result = await work();
          waits(false);
          this.#isThere();
          return result;
        } catch (error) {
          const isAway = error instanceof HubError && error.code === 'database.away';
          if (!isAway || this.#closing.signal.aborted) throw error;
          waits(isWaiting || !isLost(error.cause));
          await pause(this.#options.timers, backoff.nextMs(), this.#closing.signal);
        }
      }
    } finally {
      waits(false);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#pool.end();
  }

  async run(
    on: Pool | PoolClient,
    text: string,
    values: readonly PgValue[],
  ): Promise<readonly PgRow[]> {
    try {
      const bound = values.map((value) =>
        value instanceof Uint8Array
          ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
          : value,
      );
      const prepared =
        values.length === 0 ? { text } : { text, values: bound, name: this.#nameOf(text) };
      const { rows } = await on.query<Record<string, unknown>>(prepared);
      this.#isThere();
      return rows ?? [];
    } catch (error) {
      throw this.#fault(error);
    }
  }

  #nameOf(text: string): string {
    let name = this.#names.get(text);
    if (name === undefined) {
      name = `heliograph_${this.#names.size + 1}`;
      this.#names.set(text, name);
    }
    return name;
  }

  #isThere(): void {
    if (this.#awayBy === undefined || this.#waiting > 0) return;
    this.#options.log.info('database.back');
    this.#awayBy = undefined;
  }

  #away(error: unknown): void {
    const reason = messageOf(error);
    if (this.#awayBy === undefined) this.#options.log.warn('database.away', { reason });
    this.#awayBy = reason;
  }

  #fault(error: unknown): HubError {
    const fault = databaseFault(error);
    if (fault !== error && fault.code === 'database.away' && !isLost(error)) this.#away(error);
    return fault;
  }
}

function isLost(error: unknown): boolean {
  return LOST.test(systemCode(error) ?? '');
}

/** Whether the statement waited for a lock for longer than its transaction may. */
export function isHeldUp(error: unknown): boolean {
  return error instanceof HubError && systemCode(error.cause) === HELD_UP;
}

/** What an error of the library, the socket or the server means to us. */
export function databaseFault(error: unknown): HubError {
  if (error instanceof HubError) return error;
  const code = systemCode(error);
  const said = messageOf(error);
  if (code === undefined && NO_PASSWORD.test(said)) {
    return new HubError('database.refused', 'PostgreSQL asks for a password', error);
  }
  if (code !== undefined && OF_SERVER.test(code)) {
    if (REFUSED.test(code)) return new HubError('database.refused', said, error);
    if (!PASSING.test(code)) {
      return new HubError('database.rejected', `PostgreSQL ${code}: ${said}`, error);
    }
  }
  return new HubError('database.away', `PostgreSQL: ${said}`, error);
}

/** A view without the ways of `Buffer`, which compares and prints otherwise. */
function plainBytes(value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value;
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}
