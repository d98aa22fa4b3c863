/**
 * A device's log and state in IndexedDB (KEPT.md). One database holds several boxes, each the outbox of one tab. A box
 * is claimed by a lease in the same database; every append checks in its own transaction that the lease is still
 * ours, so two tabs never write one box, whatever their timers do. Free boxes with unsent ops are claimed first.
 *
 *   leases   box → { owner, beatMs, waits }
 *   log      [box, number] → entry
 *   states   box → state
 *
 * A page that goes leaves its last writes elsewhere, for whoever claims the box: last-writes.ts.
 */
import type { Cancel, Timers } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import { must } from '../../base/assert.ts';
import { hexOf } from '../../base/bytes.ts';
import type { Random } from '../../base/random.ts';
import { forgetLeft, leave, type Left, leftAt, type Write } from './last-writes.ts';
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
const BOXES_MAX = 64;

export class IndexedDbStorage implements DeviceStorage {
  readonly entries: readonly Uint8Array[];
  readonly state: Uint8Array | undefined;
  /** Browsers look after their databases themselves, and give nothing of a damaged one. */
  readonly damage = undefined;
  readonly #name: string;
  /** Undefined where the browser has closed it: it does so where its disk is full. */
  #db: IDBDatabase | undefined;
  readonly #box: number;
  readonly #owner: string;
  readonly #timers: Timers;
  #stopBeating: Cancel;
  #next: number;
  /** Writes that look whose the box is. */
  readonly #asking = new Set<Write>();
  /** The last ones of a page that goes. */
  #leaving: Write[] | undefined;
  /** Whether the box has entries beyond its head. */
  #waits = true;
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
    const db = await openDatabase(name).catch(refusal);
    const owner = hexOf(random.bytes(8));
    return new IndexedDbStorage(name, db, await claim(name, db, owner), owner, timers);
  }

  append(entries: readonly Uint8Array[]): Promise<void> {
    return this.#write({ entries, anew: false }, true);
  }

  replace(entries: readonly Uint8Array[]): Promise<void> {
    return this.#write({ entries, anew: true }, entries.length > 1);
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

  /** The page goes: the next one may have the box at once. */
  letGo(): void {
    this.#stopBeating();
    this.#leaving = [...this.#asking];
    // Where that fails, the lease ends by itself.
    this.#leave();
  }

  #leave(): boolean {
    if (this.#ended !== undefined) return false;
    const writes = this.#leaving ?? [];
    const waits = this.#waits || writes.length > 0;
    return leave(placeOf(this.#name, this.#box), { owner: this.#owner, waits, writes });
  }

  /** The page was left, kept by the browser, and is back: it goes on where nobody has taken the box meanwhile. */
  async comeBack(): Promise<void> {
    if (this.#ended !== undefined) return;
    const writes = this.#leaving ?? [];
    this.#leaving = undefined;
    forgetLeft(placeOf(this.#name, this.#box));
    const transaction = await this.#begin(['leases', 'log']);
    const leases = transaction.objectStore('leases');
    const lease = await result<Lease | undefined>(leases.get(this.#box));
    if (lease?.owner !== this.#owner) return this.#end(TAKEN_OVER);
    leases.put({ ...lease, beatMs: Date.now() });
    // Some of it may be written twice, which says nothing more.
    for (const write of writes) this.#put(transaction, write);
    await done(transaction);
    this.#stopBeating();
    this.#stopBeating = this.#beatOn();
  }

  #beatOn(): Cancel {
    // Where a beat fails, the next write says why.
    return this.#timers.every(BEAT_MS, () => void this.#beat().catch(noop));
  }

  /** Writes where the box is still ours. */
  async #write(write: Write, waits: boolean): Promise<void> {
    if (this.#leaving !== undefined) {
      this.#leaving.push(write);
      if (this.#leave()) return;
      throw new HubError('client.storage-full', GONE);
    }
    this.#asking.add(write);
    try {
      await this.#writeIfOurs(write, waits);
    } finally {
      this.#asking.delete(write);
    }
  }

  async #writeIfOurs(write: Write, waits: boolean): Promise<void> {
    const transaction = await this.#begin(['leases', 'log'], { durability: 'strict' });
    const leases = transaction.objectStore('leases');
    const lease = await result<Lease | undefined>(leases.get(this.#box));
    if (lease?.owner !== this.#owner) {
      transaction.abort();
      throw new HubError('client.storage', TAKEN_OVER);
    }
    this.#waits = waits;
    leases.put({ ...lease, waits, beatMs: Date.now() });
    this.#put(transaction, write);
    // What is not committed when its page goes, is not written.
    transaction.commit();
    await done(transaction);
  }

  #put(transaction: IDBTransaction, write: Write): void {
    this.#next = putInto(transaction.objectStore('log'), this.#box, write, this.#next);
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
const GONE = 'the page went before this was kept';
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

/** Takes a free box, with what its last page left, or begins a new one, in one transaction. */
async function claim(name: string, db: IDBDatabase, owner: string): Promise<Claimed> {
  const transaction = db.transaction(['leases', 'log', 'states'], 'readwrite');
  const leases = transaction.objectStore('leases');
  const log = transaction.objectStore('log');
  const all = await result<Lease[]>(leases.getAll());
  const free = all.flatMap((lease) => freed(name, lease));
  const lease = free.find(({ waits }) => waits) ?? free[0];
  if (lease === undefined && all.length >= BOXES_MAX) {
    transaction.abort();
    throw new HubError('client.storage', `${BOXES_MAX} tabs are open`);
  }
  const box = lease?.box ?? Math.max(0, ...all.map((each) => each.box)) + 1;
  leases.put({ box, owner, beatMs: Date.now(), waits: lease?.waits ?? false });
  const keys = await result<IDBValidKey[]>(log.getAllKeys(rangeOf(box)));
  const last = keys.at(-1) as readonly [number, number] | undefined;
  let next = (last?.[1] ?? 0) + 1;
  for (const write of lease?.writes ?? []) next = putInto(log, box, write, next);
  const entries = await result<Uint8Array[]>(log.getAll(rangeOf(box)));
  const state = await result<Uint8Array | undefined>(transaction.objectStore('states').get(box));
  await done(transaction);
  forgetLeft(placeOf(name, box));
  return { box, entries, state, next };
}

/** The box of a lease, where it was given back or not renewed for long, and what its last page left for its log. */
function freed(
  name: string,
  { box, owner, beatMs, waits }: Lease,
): (Omit<Left, 'owner'> & { box: number })[] {
  const left = leftAt(placeOf(name, box));
  if (left?.owner === owner) return [{ ...left, box }];
  const silentMs = Date.now() - beatMs;
  return Math.abs(silentMs) > DEAD_MS ? [{ box, waits, writes: [] }] : [];
}

/** Where the last page of a box leaves what it had. */
function placeOf(name: string, box: number): string {
  return `${name}/${box}`;
}

/** Writes entries into a log, numbered from `next` on; returns the number behind them. */
function putInto(log: IDBObjectStore, box: number, { entries, anew }: Write, next: number): number {
  if (anew) log.delete(rangeOf(box));
  for (const [at, entry] of entries.entries()) log.put(entry, [box, next + at]);
  return next + entries.length;
}

function rangeOf(box: number): IDBKeyRange {
  return IDBKeyRange.bound([box, 0], [box, Number.MAX_SAFE_INTEGER]);
}

async function openDatabase(name: string): Promise<IDBDatabase> {
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

/** Private windows of some browsers have no database; others refuse it, each in words of its own. */
function refusal(error: unknown): never {
  if (error instanceof HubError && wordFor(error.cause) !== undefined) throw error;
  throw new HubError('client.storage', 'this browser keeps nothing for this page', error);
}

function wordFor(error: unknown): string | undefined {
  if (!(error instanceof DOMException)) return undefined;
  return WORDS.get(NO_SPACE.test(error.message) ? QUOTA : error.name);
}

function failure(error: DOMException | null): HubError {
  const reason =
    wordFor(error) ?? `the browser refused: ${error?.message ?? 'it does not say why'}`;
  // Of a transaction all is kept, or nothing: another one may have more luck. What came after a later version never has.
  const isFinal = error?.name === VERSION;
  return new HubError(isFinal ? 'client.storage' : 'client.storage-full', reason, error);
}

function noop(): void {
  // Told elsewhere.
}
