/**
 * A device's log and state in IndexedDB (KEPT.md). One database holds several boxes, each the outbox of one tab. A box
 * is claimed by a lease in the same database; every append checks in its own transaction that the lease is still
 * ours, so two tabs never write one box, whatever their timers do. Free boxes with unsent ops are claimed first.
 *
 *   leases   box → { owner, beatMs, waits }
 *   log      [box, number] → entry
 *   states   box → state
 */
import type { Cancel, Timers } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import { must } from '../../base/assert.ts';
import { hexOf } from '../../base/bytes.ts';
import type { Random } from '../../base/random.ts';
import type { DeviceStorage } from './storage.ts';

interface Lease {
  readonly box: number;
  readonly owner: string;
  readonly beatMs: number;
  /** Whether the box has entries beyond its head. */
  readonly waits: boolean;
}

const BEAT_MS = 2_000;
/** A lease that was not renewed for so long is free. Browsers wake sleeping tabs once a minute. */
const DEAD_MS = 75_000;
/** For so long after a look at it nobody else can have the lease. */
const SURE_MS = DEAD_MS - 15_000;
const BOXES_MAX = 64;

export class IndexedDbStorage implements DeviceStorage {
  readonly entries: readonly Uint8Array[];
  readonly state: Uint8Array | undefined;
  readonly #name: string;
  /** Undefined where the browser has closed it: it does so where its disk is full. */
  #db: IDBDatabase | undefined;
  readonly #box: number;
  readonly #owner: string;
  readonly #timers: Timers;
  #stopBeating: Cancel;
  #next: number;
  #isLeaving = false;
  /** Writes that look whose the box is. */
  readonly #asking = new Set<(log: IDBObjectStore) => void>();
  /** Whether the box has entries beyond its head, and when the lease was ours for certain. */
  #waits = true;
  #held = { wallMs: -Infinity, monotonicMs: -Infinity };
  /** Why nothing is written any more. */
  #ended: string | undefined;

  private constructor(
    name: string,
    db: IDBDatabase,
    claimed: Claimed,
    owner: string,
    timers: Timers,
  ) {
    this.#name = name;
    this.#box = claimed.box;
    this.#owner = owner;
    this.entries = claimed.entries;
    this.state = claimed.state;
    this.#next = claimed.next;
    this.#timers = timers;
    this.#stopBeating = this.#beatOn();
    this.#hold(db);
  }

  static async open(name: string, random: Random, timers: Timers): Promise<IndexedDbStorage> {
    const db = await openDatabase(name);
    const owner = hexOf(random.bytes(8));
    return new IndexedDbStorage(name, db, await claim(db, owner), owner, timers);
  }

  append(entries: readonly Uint8Array[]): Promise<void> {
    return this.#write((log) => {
      for (const entry of entries) log.put(entry, [this.#box, this.#next++]);
    });
  }

  replace(entries: readonly Uint8Array[]): Promise<void> {
    return this.#write((log) => {
      log.delete(rangeOf(this.#box));
      for (const entry of entries) log.put(entry, [this.#box, this.#next++]);
    }, entries.length > 1);
  }

  async saveState(state: Uint8Array): Promise<void> {
    const transaction = await this.#begin('states');
    transaction.objectStore('states').put(state, this.#box);
    await done(transaction);
  }

  async close(): Promise<void> {
    this.#stopBeating();
    // Where that fails, the lease ends by itself.
    await this.#release().catch(noop);
    this.#db?.close();
  }

  /**
   * The page goes: the next one may have the box at once. Nothing answers a page that goes, so what it still writes asks nothing,
   * where the box is surely ours.
   */
  letGo(): void {
    this.#stopBeating();
    this.#isLeaving = true;
    const transaction = this.#blindly(this.#waits || this.#asking.size > 0);
    // Where that fails, the lease ends by itself.
    if (transaction === undefined) return void this.#release().catch(noop);
    // Should the page come back, some of it is written twice, which says nothing more.
    for (const write of this.#asking) write(transaction.objectStore('log'));
    transaction.commit();
  }

  /** A transaction that has given the lease back, without a look at whose it is; undefined where that has to be looked at. */
  #blindly(waits: boolean): IDBTransaction | undefined {
    const [wallMs, monotonicMs] = [
      Date.now() - this.#held.wallMs,
      performance.now() - this.#held.monotonicMs,
    ];
    const isOurs = wallMs >= 0 && wallMs < SURE_MS && monotonicMs < SURE_MS;
    if (!isOurs || this.#db === undefined || this.#ended !== undefined) return undefined;
    try {
      const transaction = this.#db.transaction(['leases', 'log'], 'readwrite');
      transaction.objectStore('leases').put({ box: this.#box, owner: '', beatMs: 0, waits });
      return transaction;
    } catch {
      return undefined; // It is being closed.
    }
  }

  /** The lease was ours at this moment. */
  #hasHeld(waits: boolean): void {
    this.#waits = waits;
    this.#held = { wallMs: Date.now(), monotonicMs: performance.now() };
  }

  /** The page was left, kept by the browser, and is back: it goes on where nobody has taken the box meanwhile. */
  async comeBack(): Promise<void> {
    if (this.#ended !== undefined) return;
    const transaction = await this.#begin('leases');
    const leases = transaction.objectStore('leases');
    const lease = await result<Lease | undefined>(leases.get(this.#box));
    if (lease?.owner !== '' && lease?.owner !== this.#owner) return this.#end(TAKEN_OVER);
    leases.put({ ...lease, owner: this.#owner, beatMs: Date.now() });
    this.#isLeaving = false;
    await done(transaction);
    this.#stopBeating();
    this.#stopBeating = this.#beatOn();
  }

  #beatOn(): Cancel {
    // Where a beat fails, the next write says why.
    return this.#timers.every(BEAT_MS, () => void this.#beat().catch(noop));
  }

  /** Runs `write` where the box is still ours. */
  async #write(write: (log: IDBObjectStore) => void, waits = true): Promise<void> {
    const last = this.#isLeaving ? this.#blindly(waits) : undefined;
    if (last !== undefined) {
      write(last.objectStore('log'));
      last.commit();
      return done(last);
    }
    this.#asking.add(write);
    try {
      await this.#writeIfOurs(write, waits);
    } finally {
      this.#asking.delete(write);
    }
  }

  async #writeIfOurs(write: (log: IDBObjectStore) => void, waits: boolean): Promise<void> {
    const transaction = await this.#begin(['leases', 'log'], { durability: 'strict' });
    const leases = transaction.objectStore('leases');
    const lease = await result<Lease | undefined>(leases.get(this.#box));
    this.#asking.delete(write);
    if (lease?.owner !== this.#owner) {
      transaction.abort();
      throw new HubError('client.storage', TAKEN_OVER);
    }
    this.#hasHeld(waits);
    leases.put({ ...lease, waits, beatMs: Date.now() });
    write(transaction.objectStore('log'));
    // What is not committed when its page goes, is not written.
    transaction.commit();
    await done(transaction);
  }

  /** The database is another's, or gone: nothing is written any more, and who wants to is told why. */
  #end(reason: string): void {
    this.#ended = reason;
    this.#stopBeating();
  }

  #hold(db: IDBDatabase): void {
    this.#db = db;
    // A later version of the page waits until nobody holds the old one open.
    db.addEventListener('versionchange', () => {
      this.#end('another tab has loaded a later version of this page: load it anew');
      db.close();
    });
    db.addEventListener('close', () => {
      this.#db = undefined;
    });
  }

  async #begin(
    stores: string | string[],
    options?: IDBTransactionOptions,
  ): Promise<IDBTransaction> {
    if (this.#ended !== undefined) throw new HubError('client.storage', this.#ended);
    if (this.#db === undefined) this.#hold(await openDatabase(this.#name));
    try {
      return must(this.#db, 'it is held').transaction(stores, 'readwrite', options);
    } catch (error) {
      this.#db = undefined;
      throw failure(error instanceof DOMException ? error : null);
    }
  }

  async #beat(): Promise<void> {
    const transaction = await this.#begin('leases');
    const leases = transaction.objectStore('leases');
    const lease = await result<Lease | undefined>(leases.get(this.#box));
    if (lease?.owner !== this.#owner) return this.#end(TAKEN_OVER);
    this.#hasHeld(lease.waits);
    leases.put({ ...lease, beatMs: Date.now() });
  }

  async #release(): Promise<void> {
    if (this.#ended !== undefined) return;
    const transaction = await this.#begin('leases');
    const leases = transaction.objectStore('leases');
    const lease = await result<Lease | undefined>(leases.get(this.#box));
    if (lease?.owner === this.#owner) leases.put({ ...lease, beatMs: 0, owner: '' });
    await done(transaction);
  }
}

const TAKEN_OVER = 'another tab has taken over what this one had: load this page anew';
const QUOTA = 'QuotaExceededError';
const VERSION = 'VersionError';
/** What browsers say in words of their own. */
const WORDS: ReadonlyMap<string, string> = new Map([
  [QUOTA, 'the browser has no room left for this page'],
  [VERSION, 'a later version of this page has been here: load it anew'],
]);
/** Chromium, of a disk that is full. */
const NO_SPACE = /NO_SPACE|no space/i;

interface Claimed {
  readonly box: number;
  readonly entries: readonly Uint8Array[];
  readonly state: Uint8Array | undefined;
  readonly next: number;
}

/** Takes a free box, or begins a new one, in one transaction. */
async function claim(db: IDBDatabase, owner: string): Promise<Claimed> {
  const transaction = db.transaction(['leases', 'log', 'states'], 'readwrite');
  const leases = transaction.objectStore('leases');
  const all = await result<Lease[]>(leases.getAll());
  const nowMs = Date.now();
  const free = all.filter(({ beatMs }) => nowMs - beatMs > DEAD_MS || beatMs > nowMs + DEAD_MS);
  const lease = free.find(({ waits }) => waits) ?? free[0];
  if (lease === undefined && all.length >= BOXES_MAX) {
    transaction.abort();
    throw new HubError('client.storage', `${BOXES_MAX} tabs are open`);
  }
  const box = lease?.box ?? Math.max(0, ...all.map((each) => each.box)) + 1;
  leases.put({ box, owner, beatMs: nowMs, waits: lease?.waits ?? false });
  const log = transaction.objectStore('log');
  const entries = await result<Uint8Array[]>(log.getAll(rangeOf(box)));
  const keys = await result<IDBValidKey[]>(log.getAllKeys(rangeOf(box)));
  const state = await result<Uint8Array | undefined>(transaction.objectStore('states').get(box));
  await done(transaction);
  const last = keys.at(-1) as readonly [number, number] | undefined;
  return { box, entries, state, next: (last?.[1] ?? 0) + 1 };
}

function rangeOf(box: number): IDBKeyRange {
  return IDBKeyRange.bound([box, 0], [box, Number.MAX_SAFE_INTEGER]);
}

function openDatabase(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.addEventListener('upgradeneeded', () => {
    const db = request.result;
    db.createObjectStore('leases', { keyPath: 'box' });
    db.createObjectStore('log');
    db.createObjectStore('states');
  });
  return result(request);
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(failure(request.error)));
  });
}

function done(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.addEventListener('complete', () => resolve());
    transaction.addEventListener('abort', () => reject(failure(transaction.error)));
  });
}

function failure(error: DOMException | null): HubError {
  const isFull = NO_SPACE.test(error?.message ?? '');
  const word = WORDS.get(isFull ? QUOTA : (error?.name ?? ''));
  const reason = word ?? `the browser refused: ${error?.message ?? 'it does not say why'}`;
  // Of a transaction all is kept, or nothing: another one may have more luck. What came after a later version never has.
  const isFinal = error?.name === VERSION;
  return new HubError(isFinal ? 'client.storage' : 'client.storage-full', reason, error);
}

function noop(): void {
  // Told elsewhere.
}
