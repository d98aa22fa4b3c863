/**
 * The ops that the store has folded last, for devices that are up to date: read from the journal once, kept for a
 * while, and given to each device that follows. Who falls behind what is kept reads the journal by itself; who
 * falls behind the journal has to catch up anew. It runs only while somebody follows.
 */
import { placeOf } from '../base/halving.ts';
import { pause, type Timers } from '../base/clock.ts';
import { HubError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { CborError } from '../codec/reader.ts';
import type { OpId } from '../merge/op-id.ts';
import { againIn } from '../merge/op-again.ts';
import { stampsIn } from '../merge/op-stamps.ts';
import type { StateItem } from '../merge/state/state-item.ts';
import { carriesBytes } from '../model/asset-bytes.ts';
import { LOG } from '../model/class.ts';
import { decodeEntry } from '../model/entry.ts';
import type { StampedOp } from '../model/op.ts';
import { type Lane, laneOf } from '../model/origin.ts';
import { encodeOpItem, encodeStateItem } from '../protocol/delta-message.ts';
import type { Lsn } from './ops-door.ts';

export interface TailOp {
  readonly lsn: Lsn;
  readonly key: string;
  readonly lane: Lane;
  readonly seq: number;
  /** As a page carries it. */
  readonly item: Uint8Array;
}

export interface TailJournal {
  readonly firstLsn: Lsn;
  readonly durableLsn: Lsn;
  onDurable(listener: (durableLsn: Lsn) => void): void;
  cursor(fromLsn: Lsn): {
    next(): { readonly lsn: Lsn; readonly entry: Uint8Array } | undefined;
  };
}

interface OpTailOptions {
  readonly journal: TailJournal;
  /** All of the journal up to here is in the state. */
  readonly appliedLsn: () => Lsn;
  readonly whenApplied: (lsn: Lsn) => Promise<void>;
  /** Who stands before it has to catch up anew: what came there are no ops. */
  readonly joinedLsn: () => Lsn;
  /** An op on a record as it counts now. */
  readonly writeItem: (op: OpId) => StateItem | undefined;
  /** Called when there is more. */
  readonly onGrown: () => void;
  readonly timers: Timers;
  readonly log: Log;
}

type TailLook =
  | { readonly kind: 'ops'; readonly ops: readonly TailOp[]; readonly throughLsn: Lsn }
  /** The journal has let go of what comes next. */
  | { readonly kind: 'released' };

const KEPT_OPS_MAX = 8_000;
const KEPT_BYTES_MAX = 1 << 20;
/** Of each, the part that goes at once: what stays moves up in memory. */
const GOES = 1 / 8;
/** Entries that one look reads at most. */
const ENTRIES_MAX = 500;
/** So far behind the journal, a store is waited for. */
const NEAR_ENTRIES = 500;
const REST_MS = 50;

export class OpTail {
  readonly #options: OpTailOptions;
  readonly #kept: TailOp[] = [];
  #keptBytes = 0;
  /** Ops behind this are kept, up to `#throughLsn`. */
  #sinceLsn: Lsn = 0;
  #throughLsn: Lsn = 0;
  #cursor: ReturnType<TailJournal['cursor']> | undefined;
  #isWaiting = false;

  constructor(options: OpTailOptions) {
    this.#options = options;
    options.journal.onDurable(() => {
      if (this.#cursor !== undefined) void this.#awaitFold();
    });
  }

  /**
   * Begins to read behind `lsn`, where nobody followed before. What the journal has let go of cannot be read: who stands there is
   * told so by `after`.
   */
  follow(lsn: Lsn): void {
    if (this.#cursor !== undefined) return;
    const { journal } = this.#options;
    this.#sinceLsn = this.#throughLsn = Math.max(lsn, journal.firstLsn - 1);
    this.#cursor = journal.cursor(this.#throughLsn + 1);
    void this.#awaitFold();
  }

  /** Nobody follows any more. */
  rest(): void {
    this.#cursor = undefined;
    this.#kept.length = 0;
    this.#keptBytes = 0;
  }

  /** The ops behind `lsn`, as many as one look gives. */
  after(lsn: Lsn): TailLook {
    if (lsn < this.#options.joinedLsn()) return { kind: 'released' };
    // Who asks may be the first to see it: the others wait for a word that would not come any more. It is read on before
    // the question what is kept: what is new takes the place of the oldest, which may be what is asked for.
    if (this.#grow()) this.#options.onGrown();
    if (lsn < this.#sinceLsn) return this.#readJournal(lsn);
    const first = placeOf(this.#kept, (op) => op.lsn <= lsn);
    let end = first + ENTRIES_MAX;
    // An entry that stamps many ops anew is told of as a whole.
    while (this.#kept[end] !== undefined && this.#kept[end]?.lsn === this.#kept[end - 1]?.lsn) {
      end += 1;
    }
    const ops = this.#kept.slice(first, end);
    const isAll = end >= this.#kept.length;
    const throughLsn = isAll ? Math.max(lsn, this.#throughLsn) : (ops.at(-1) as TailOp).lsn;
    return { kind: 'ops', ops, throughLsn };
  }

  async #awaitFold(): Promise<void> {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    const { journal, appliedLsn, whenApplied, onGrown, timers, log } = this.#options;
    try {
      while (this.#cursor !== undefined && this.#throughLsn < journal.durableLsn) {
        const { durableLsn } = journal;
        const isNear = durableLsn - appliedLsn() <= NEAR_ENTRIES;
        // In a flood the store shall not be hurried: it would take the time that acknowledgements need.
        await (isNear ? whenApplied(durableLsn) : pause(timers, REST_MS));
        if (this.#grow()) onGrown();
        else if (isNear) break;
      }
    } catch (error) {
      // The store is being opened anew; the next commit of the journal asks again.
      if (!(error instanceof HubError)) throw error;
      log.warn('sync.tail-waits', { reason: error.message });
    } finally {
      this.#isWaiting = false;
    }
  }

  /** Reads on, as far as the store has folded; false where there was nothing. */
  #grow(): boolean {
    const applied = this.#options.appliedLsn();
    const before = this.#throughLsn;
    for (let count = 0; count < ENTRIES_MAX && this.#throughLsn < applied; count++) {
      const next = this.#cursor?.next();
      if (next === undefined) break;
      for (const op of this.#opsOfNext(next.lsn, next.entry)) this.#keep(op);
      this.#throughLsn = next.lsn;
    }
    return this.#throughLsn > before;
  }

  /** The same entry comes next where the store fails to say what is in it. */
  #opsOfNext(lsn: Lsn, entry: Uint8Array): TailOp[] {
    try {
      return this.#opsOf(lsn, entry);
    } catch (error) {
      this.#cursor = this.#options.journal.cursor(lsn);
      throw error;
    }
  }

  #keep(op: TailOp): void {
    this.#kept.push(op);
    this.#keptBytes += op.item.length;
    if (this.#kept.length <= KEPT_OPS_MAX && this.#keptBytes <= KEPT_BYTES_MAX) return;
    const opsMax = KEPT_OPS_MAX * (1 - GOES);
    const bytesMax = KEPT_BYTES_MAX * (1 - GOES);
    let gone = 0;
    while (this.#kept.length - gone > opsMax || this.#keptBytes > bytesMax) {
      const oldest = this.#kept[gone] as TailOp;
      this.#keptBytes -= oldest.item.length;
      this.#sinceLsn = oldest.lsn;
      gone += 1;
    }
    this.#kept.splice(0, gone);
  }

  #readJournal(lsn: Lsn): TailLook {
    const { journal, appliedLsn } = this.#options;
    if (lsn + 1 < journal.firstLsn) return { kind: 'released' };
    const cursor = journal.cursor(lsn + 1);
    const applied = appliedLsn();
    const ops: TailOp[] = [];
    let throughLsn = lsn;
    let bytes = 0;
    for (let count = 0; count < ENTRIES_MAX && bytes < KEPT_BYTES_MAX; count++) {
      if (throughLsn >= applied) break;
      const next = cursor.next();
      if (next === undefined) break;
      throughLsn = next.lsn;
      for (const op of this.#opsOf(next.lsn, next.entry)) {
        ops.push(op);
        bytes += op.item.length;
      }
    }
    return { kind: 'ops', ops, throughLsn };
  }

  /** What of an entry concerns devices; nothing where nobody can read it. */
  #opsOf(lsn: Lsn, bytes: Uint8Array): TailOp[] {
    try {
      const entry = decodeEntry(bytes);
      if (entry.type === 'op') return tailOps(lsn, entry.stamped);
      const again = againIn(entry.body);
      if (again !== undefined) return tailOps(lsn, again);
      return stampsIn(entry.body).flatMap(({ op }) => this.#stampedAnew(lsn, op));
    } catch (error) {
      if (error instanceof CborError) return [];
      throw error;
    }
  }

  /** An op that counts with another stamp now: devices get it once more. */
  #stampedAnew(lsn: Lsn, op: OpId): TailOp[] {
    const item = this.#options.writeItem(op);
    if (item === undefined || !('key' in item)) return [];
    const lane = laneOf(op.origin, op.class);
    return [{ lsn, key: item.key, seq: op.seq, lane, item: encodeStateItem(item) }];
  }
}

/** Pieces of assets are no state; who wants them asks by their hash. */
function tailOps(lsn: Lsn, stamped: StampedOp): TailOp[] {
  const { op } = stamped;
  if (op.class === LOG || carriesBytes(op)) return [];
  const { origin, class: opClass, seq, key } = op;
  return [{ lsn, key, seq, lane: laneOf(origin, opClass), item: encodeOpItem(stamped) }];
}
