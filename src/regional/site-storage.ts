/**
 * What a regional node asks of the storage behind it, whichever it is: files and SQLite in one process
 * (embedded/), or a PostgreSQL database that any number of workers share (postgres/). What is said to hubs, and
 * what is believed of them, is the business of site.ts alone; here lies only what must be remembered.
 *
 * Whatever implements this must pass test/contract/site-storage.test.ts:
 * - Chunks may come in any order, any number of times, through any worker.
 * - A complete batch is worked on by one at a time (`claim`), and of one hub one batch is kept at a time.
 * - `keep` is one step: batch, history, folded state and receipt are all there, or nothing of them.
 * - An op counts once, however often it comes; states folded from the same ops have the same digest.
 */
import type { BatchId } from '../batch/batch-id.ts';
import type { Chunk, ChunkBitmap } from '../batch/wire/chunks.ts';
import type { Manifest, TreeHead } from '../batch/manifest.ts';
import type { BatchRef, NamedBatch } from '../batch/wire/short-chunk.ts';
import type { Hello } from '../batch/wire/messages.ts';
import type { BatchOutcome } from '../batch/open-batch.ts';
import type { OpClass } from '../model/class.ts';
import type { StampedOp } from '../model/op.ts';
import type { Origin } from '../model/origin.ts';
import type { ReadingsPage, ReadingsQuery } from '../store/readings/readings.ts';
import type { DownSource } from './downlink/down-source.ts';
import type { HealSource } from './healing/healer.ts';
import type { HistoryOutcome } from './history/history-watch.ts';
import type { SiteDigest } from './embedded/site-store.ts';

/** `quota`: what is left is for alarms and commands; `all`: that is gone, too. */
export type Spent = 'no' | 'quota' | 'all';

/** `known` and `new`: this is the hub's key. `other`: it has another one. `full`: too many hubs. */
export type Met = 'known' | 'new' | 'other' | 'full';

export type PutOutcome =
  | {
      readonly kind: 'kept';
      readonly isComplete: boolean;
      /** Batches that had to make room. */
      readonly evicted: readonly BatchId[];
      /** What was there of this batch had another layout, and is gone: the hub has cut it anew, or one is not from the hub. */
      readonly isContradiction: boolean;
    }
  /** The batch is stored already. */
  | { readonly kind: 'stored'; readonly receipt: Uint8Array }
  /** Nobody has met this hub. */
  | { readonly kind: 'stranger' }
  /** The quota of the hub or its site is spent. */
  | { readonly kind: 'over-quota' };

/** A verified batch. */
export interface OpenedBatch {
  readonly manifest: Manifest;
  readonly entries: readonly StampedOp[];
  /** Leaf hashes of the entries. */
  readonly leaves: readonly Uint8Array[];
}

/** What a receipt says beside the manifest. */
export interface KeptFacts {
  readonly history: HistoryOutcome;
  /** All that is known of the hub's tree of this class. */
  readonly head: TreeHead;
  /** The batch before is not known here. */
  readonly isLoose: boolean;
}

export type KeepOutcome =
  | {
      readonly kind: 'kept';
      readonly receipt: Uint8Array;
      readonly facts: KeptFacts;
      /** Batches of the hub that waited for this one. */
      readonly freed: readonly BatchId[];
      /** Old batches that were let go. */
      readonly pruned: number;
    }
  /** The hub told another history before; nothing was kept. `known` leaves are. */
  | { readonly kind: 'forked'; readonly known: number }
  /** The batch before it is on its way and goes first; nothing was kept. */
  | { readonly kind: 'later' };

/** Signs the receipt of a batch that is about to be kept. */
export type ReceiptFor = (id: BatchId, manifest: Manifest, facts: KeptFacts) => Uint8Array;

/** A complete batch that nobody else works on until `release`. */
export interface Claim {
  readonly bytes: Uint8Array;
  readonly publicKey: Uint8Array;
  keep(opened: OpenedBatch): Promise<KeepOutcome>;
  /** Puts the batch aside with the reason and these bytes, for a person to look at; resolves to the batches of the hub that waited for it. */
  park(opClass: OpClass, reason: string, bytes: Uint8Array): Promise<readonly BatchId[]>;
  /** Drops the chunks; how many there were. */
  drop(): Promise<number>;
  /** Gives up what was neither kept, parked nor dropped. */
  release(): Promise<void>;
}

/** A hub that was met. */
export interface HubContact {
  readonly hub: Origin;
  /** Program version, from its newest hello. */
  readonly software: string | undefined;
  /** When it was last heard, by the node's clock; undefined where only an old hello that the broker kept is known. */
  readonly heardMs: number | undefined;
  /** Why batches of it were put aside and are not stored to this day; each reason once. */
  readonly parked: readonly string[];
  /** Why it sends nothing here, by its newest hello. */
  readonly hindrance: string | undefined;
  /** Why it does not take what goes down to it. */
  readonly refusal: string | undefined;
}

export interface SiteFigures {
  readonly batches: number;
  /** Batches on their way, and those of them that are complete. */
  readonly underway: number;
  readonly complete: number;
  /** Batches put aside that are kept. */
  readonly parked: number;
}

export interface SiteStorage {
  readonly down: DownSource;
  readonly heal: HealSource;
  /** The key of a hub that was met. */
  keyOf(hub: Origin): Promise<Uint8Array | undefined>;
  /** In order of their ids. */
  hubs(): Promise<HubContact[]>;
  /** Takes note of a hub that has proved its key. */
  meet(hub: Origin, publicKey: Uint8Array): Promise<Met>;
  /** Drops what the hub has given up, and says which batches are on their way. */
  heard(hello: Hello, hindrance?: string): Promise<BatchId[]>;
  put(hub: Origin, batch: BatchId, chunk: Chunk): Promise<PutOutcome>;
  /** The batch whose id begins so, of those that have begun to come or are stored. */
  named(hub: Origin, ref: BatchRef): Promise<NamedBatch | undefined>;
  /** How far today's quota of the hub or its site is spent, or all but. */
  spent(hub: Origin): Promise<Spent>;
  /** Which chunks of a batch are here; undefined where none is. */
  have(hub: Origin, batch: BatchId): Promise<ChunkBitmap | undefined>;
  /** The receipt of a batch that is stored. */
  receipt(hub: Origin, batch: BatchId): Promise<Uint8Array | undefined>;
  /** Batches that are all here, not stored, and worked on by nobody as far as one can see. */
  complete(): Promise<{ hub: Origin; batch: BatchId }[]>;
  /** Undefined where the batch is not complete, or another worker has it. */
  claim(hub: Origin, batch: BatchId): Promise<Claim | undefined>;
  /** Batches stored, ever. */
  batches(): Promise<number>;
  figures(): Promise<SiteFigures>;
  digest(): Promise<SiteDigest>;
  readings(query: ReadingsQuery): Promise<ReadingsPage>;
  close(): Promise<void>;
}

/** What the storage of a site is given by its site. */
export interface SiteKeeper {
  readonly receiptFor: ReceiptFor;
  /** Verifies a batch that was taken earlier. */
  readonly reopen: (
    hub: Origin,
    id: BatchId,
    bytes: Uint8Array,
    publicKey: Uint8Array,
  ) => Promise<BatchOutcome>;
  /** Tells what history says of a batch. */
  readonly tell: (manifest: Manifest, outcome: HistoryOutcome, known: number) => void;
}

/** The storage of a whole regional node. */
export interface RegionStorage {
  /** Names of the sites that are there. */
  sites(): Promise<string[]>;
  openSite(name: string, keeper: SiteKeeper): Promise<SiteStorage>;
  close(): Promise<void>;
}
