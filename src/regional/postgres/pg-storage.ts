/**
 * Storage of a fleet of workers: one PostgreSQL database, in which batches are put together, kept and folded, so that
 * any worker can go on with what another has begun (SCHEMA.md).
 */
import { type Cancel, type Clock, type Timers, turn } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import { isoTime } from '../../base/iso-time.ts';
import type { Log } from '../../base/log.ts';
import type { Database } from '../../platform/network/postgres.ts';
import { DEFAULT_REGIONAL_LIMITS, type RegionalLimits } from '../limits.ts';
import { Healer } from '../healing/healer.ts';
import { RetentionClock } from '../history/retention-clock.ts';
import type { RegionStorage, SiteKeeper, SiteStorage } from '../site-storage.ts';
import { contentsFilling } from './assets/fill-contents.ts';
import { PgContents } from './assets/pg-contents.ts';
import { siteOpsFilling } from './down/fill-site-ops.ts';
import { PgShelf } from './down/pg-shelf.ts';
import { fillFromBatches } from './kept-batches.ts';
import { KeyBook } from './key-book.ts';
import { migrate } from './schema/migrations.ts';
import { type KeepDays, Partitions } from './schema/partitions.ts';
import { TODAY } from './schema/views.ts';
import { PgSite } from './pg-site.ts';

interface PgStorageOptions {
  readonly database: Database;
  /** The region's: all workers on one database have the same. */
  readonly publicKey: Uint8Array;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly keepDays: KeepDays;
  readonly limits?: Partial<RegionalLimits>;
}

const SITES = 'SELECT id, name FROM heliograph.site ORDER BY name';
const MAKE_SITE = `
  INSERT INTO heliograph.site (name) SELECT $1 WHERE (SELECT count(*) FROM heliograph.site) < $2
  ON CONFLICT DO NOTHING`;
const SITE = 'SELECT id FROM heliograph.site WHERE name = $1';
const TIDY = [
  // What no hub has gone on with for so long is of no use any more.
  `DELETE FROM heliograph.chunk c USING heliograph.part p WHERE p.touched_at < now() - interval '14 days'
     AND c.site_id = p.site_id AND c.hub = p.hub AND c.batch = p.batch`,
  `DELETE FROM heliograph.part WHERE touched_at < now() - interval '14 days'`,
  // Heard while the server's clock was ahead: nothing later would be noted.
  `UPDATE heliograph.contact SET heard_at = now() WHERE heard_at > now() + interval '1 minute'`,
  `DELETE FROM heliograph.traffic WHERE day < ${TODAY} - 60`,
];
/**
 * Of each hub and class the newest receipts stay, that the chain of its next batch is recognised. Found by their age, which old
 * ones alone have; what is beyond the limit goes the next time.
 */
const TIDY_RECEIPTS = `
  DELETE FROM heliograph.receipt WHERE ctid = ANY (ARRAY(
    SELECT r.ctid FROM heliograph.receipt r
    WHERE r.stored_at < $1::timestamptz AND EXISTS (
      SELECT FROM heliograph.receipt n
      WHERE n.site_id = r.site_id AND n.hub = r.hub AND n.class = r.class AND n.number > r.number OFFSET 3)
    LIMIT 50000))`;
const TIDY_MS = 3_600_000;
const DAY_MS = 86_400_000;

export class PgStorage implements RegionStorage {
  readonly #options: PgStorageOptions;
  readonly #limits: RegionalLimits;
  readonly #retention: RetentionClock;
  readonly #partitions: Partitions;
  readonly contents: PgContents;
  /** Numbers of the sites that are open. */
  readonly #idByName = new Map<string, number>();
  #cancelTidy: Cancel = () => undefined;

  private constructor(options: PgStorageOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_REGIONAL_LIMITS, ...options.limits };
    this.#retention = new RetentionClock(options.clock);
    this.#partitions = new Partitions(options.database, this.#retention, options.keepDays);
    this.contents = new PgContents(options.database, options.log);
  }

  /** Waits for the server, and brings its tables up to date. */
  static async open(options: PgStorageOptions): Promise<PgStorage> {
    const { database, publicKey, timers } = options;
    await database.patiently(() => migrate(database, publicKey));
    const storage = new PgStorage(options);
    storage.#cancelTidy = timers.every(TIDY_MS, () => void storage.#tidyQuietly());
    return storage;
  }

  get database(): Database {
    return this.#options.database;
  }

  /** Throws `region.set-back` where a site that is open is not there any more: what is open writes under a number that is another's. */
  async sites(): Promise<string[]> {
    const rows = await this.#options.database.patiently(() => this.database.query(SITES));
    const ids = new Map(rows.map(({ id, name }) => [name as string, id as number]));
    for (const [name, id] of this.#idByName) {
      if (ids.get(name) === id) continue;
      throw new HubError('region.set-back', `the database does not know site ${name} as it did`);
    }
    return [...ids.keys()];
  }

  async openSite(name: string, keeper: SiteKeeper): Promise<SiteStorage> {
    const { database, timers } = this.#options;
    const siteId = await database.patiently(() => this.#siteId(name));
    this.#idByName.set(name, siteId);
    const fillings = [siteOpsFilling(siteId), contentsFilling(siteId, this.contents)];
    for (const filling of fillings) {
      await database.patiently(() => fillFromBatches(database, siteId, keeper, filling));
    }
    const pause = (): Promise<void> => turn(timers);
    const place = {
      database,
      siteId,
      keys: new KeyBook(database, siteId),
      partitions: this.#partitions,
      retention: this.#retention,
      contents: this.contents,
      receiptFor: keeper.receiptFor,
      limits: this.#limits,
      pause,
    };
    const heal = new Healer(new PgShelf(database, siteId, keeper.reopen), pause);
    return new PgSite(place, heal);
  }

  async close(): Promise<void> {
    this.#cancelTidy();
    await this.contents.idle();
    await this.#options.database.close();
  }

  /** Lets go of what is too old; any worker may, at any time. */
  async tidy(): Promise<void> {
    const { database, keepDays } = this.#options;
    for (const statement of TIDY) await database.query(statement);
    await this.#partitions.tidy();
    const nowMs = this.#retention.nowMs();
    if (nowMs === undefined) return;
    await database.query(TIDY_RECEIPTS, [isoTime(nowMs - keepDays.batches * DAY_MS)]);
  }

  async #siteId(name: string): Promise<number> {
    const { database } = this.#options;
    const find = async (): Promise<number | undefined> => {
      const [row] = await database.query(SITE, [name]);
      return row?.['id'] as number | undefined;
    };
    const known = await find();
    if (known !== undefined) return known;
    await database.query(MAKE_SITE, [name, this.#limits.sitesMax]);
    const made = await find();
    if (made !== undefined) return made;
    throw new HubError('database.foreign', `more than ${this.#limits.sitesMax} sites`);
  }

  async #tidyQuietly(): Promise<void> {
    try {
      await this.tidy();
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      this.#options.log.warn('regional.tidy', { reason: error.message });
    }
  }
}
