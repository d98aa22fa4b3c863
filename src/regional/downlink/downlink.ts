/**
 * The way down (BATCH.md §11): for every hub that says what it has, one batch at a time of what it lacks, in chunks, and
 * the next one when its receipt is there. Nothing of it is remembered: a node that restarts learns from the next hello
 * where the hub stands. A hub that is away gets nothing and loses nothing.
 */
import { type Clock, type Timers, turn } from '../../base/clock.ts';
import { hexOf } from '../../base/bytes.ts';
import type { Log } from '../../base/log.ts';

import { type ChunkBitmap, chunkSpan, encodeChunk, layoutOf } from '../../batch/chunks.ts';
import type { Compressor } from '../../batch/compression.ts';
import type { DownReceipt } from '../../batch/down-messages.ts';
import { DOWN_CHUNK_BYTES, DOWN_SEAL_LIMITS } from '../../batch/limits.ts';
import type { Signer } from '../../batch/manifest.ts';
import type { DownWish, Hello } from '../../batch/messages.ts';
import { BatchBuilder, type SealedBatch } from '../../batch/seal-batch.ts';
import { downChunkTopic } from '../../batch/topics.ts';
import type { OpClass } from '../../model/class.ts';
import { type Lane, laneOf, type Origin } from '../../model/origin.ts';
import { seqIn } from '../../model/version-vector.ts';
import type { DownOps } from './down-index.ts';
import type { DownSource } from './down-source.ts';

export interface DownlinkOptions {
  readonly site: string;
  readonly source: DownSource;
  readonly signer: Signer;
  readonly compressor: Compressor;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly publish: (topic: string, payload: Uint8Array) => void;
}

/** A hub as its newest hello and its receipts since show it. */
interface Receiver {
  readonly nonce: string;
  readonly takes: readonly OpClass[];
  readonly vector: Map<Lane, number>;
  underway: { readonly sealed: SealedBatch; readonly ops: DownOps } | undefined;
}

const RECEIVERS_MAX = 1_000;

export class RegionDownlink {
  readonly #options: DownlinkOptions;
  readonly #receivers = new Map<Origin, Receiver>();

  constructor(options: DownlinkOptions) {
    this.#options = options;
  }

  /** Takes note of what a hub has; how many ops wait for it. */
  async heard(hub: Origin, { down, nonce }: Hello): Promise<number | undefined> {
    if (down === undefined) return undefined;
    const before = this.#receivers.get(hub);
    this.#receivers.delete(hub);
    if (this.#receivers.size >= RECEIVERS_MAX) {
      const [oldest] = this.#receivers.keys();
      if (oldest !== undefined) this.#receivers.delete(oldest);
    }
    const { takes, vector } = down;
    const receiver = { nonce: hexOf(nonce), takes, vector: new Map(vector), underway: undefined };
    this.#receivers.set(hub, receiver);
    this.#resume(receiver, before, down);
    return this.#options.source.waiting({ hub, vector, classes: takes });
  }

  /** Begins to send, or goes on with the chunks that are missing; after the greeting. */
  async begin(hub: Origin, { down }: Hello): Promise<void> {
    const receiver = this.#receivers.get(hub);
    if (receiver === undefined) return;
    if (receiver.underway === undefined) return this.#sendNext(hub, receiver);
    this.#send(hub, receiver.underway.sealed, down?.part?.chunks);
  }

  /** Something new is there: hubs that listen get it now. */
  async push(): Promise<void> {
    for (const [hub, receiver] of this.#receivers) {
      if (receiver.underway === undefined) await this.#sendNext(hub, receiver);
    }
  }

  /** What a hub says of a batch, under its signature. */
  async receipt({ hub, batch, outcome, reason }: DownReceipt): Promise<void> {
    const { site, log } = this.#options;
    const receiver = this.#receivers.get(hub);
    if (receiver?.underway?.sealed.id !== batch) return;
    const { ops } = receiver.underway;
    receiver.underway = undefined;
    if (outcome === 'refused') {
      log.error('regional.down.refused', { site, hub, batch, reason });
      return;
    }
    for (const { op } of ops.ops) {
      const lane = laneOf(op.origin, op.class);
      receiver.vector.set(lane, Math.max(op.seq, seqIn(receiver.vector, lane)));
    }
    log.info('regional.down.delivered', { site, hub, batch, ops: ops.ops.length });
    await this.#sendNext(hub, receiver);
  }

  /** How far a hub is known to have come. */
  vectorOf(hub: Origin): ReadonlyMap<Lane, number> | undefined {
    return this.#receivers.get(hub)?.vector;
  }

  /** The batch of which the hub has a part goes on where it is still the same. */
  #resume(receiver: Receiver, before: Receiver | undefined, { part }: DownWish): void {
    const sent = before?.underway;
    if (sent === undefined || part?.batch !== sent.sealed.id) return;
    const isNeeded = sent.ops.ops.some(
      ({ op }) => op.seq > seqIn(receiver.vector, laneOf(op.origin, op.class)),
    );
    const isTaken = receiver.takes.includes(sent.ops.class);
    if (isNeeded && isTaken) receiver.underway = sent;
  }

  async #sendNext(hub: Origin, receiver: Receiver): Promise<void> {
    const { source } = this.#options;
    const { vector, takes } = receiver;
    const ops = await source.next({ hub, vector, classes: takes });
    if (ops === undefined || this.#receivers.get(hub) !== receiver) return;
    const sealed = await this.#seal(ops);
    receiver.underway = { sealed, ops };
    this.#send(hub, sealed, undefined);
  }

  async #seal({ class: opClass, ops }: DownOps): Promise<SealedBatch> {
    const { site, signer, compressor, clock, timers } = this.#options;
    const builder = new BatchBuilder(opClass, DOWN_SEAL_LIMITS, 'rows');
    for (const op of ops) builder.add(op);
    const createdMs = Math.max(0, Math.floor(clock.wallMs()));
    const place = { site, previous: undefined, fromLsn: 1, throughLsn: ops.length };
    const pause = (): Promise<void> => turn(timers);
    const context = { ...place, createdMs, quality: clock.quality() };
    return builder.seal(context, { signer, compressor, pause });
  }

  #send(hub: Origin, { id, bytes }: SealedBatch, there: ChunkBitmap | undefined): void {
    const { site, publish } = this.#options;
    const layout = layoutOf(bytes.length, DOWN_CHUNK_BYTES);
    for (let index = 0; index < layout.total; index++) {
      if (there?.total === layout.total && there.has(index)) continue;
      const { from, to } = chunkSpan(layout, index);
      const chunk = encodeChunk(bytes.subarray(from, to), layout, index);
      publish(downChunkTopic({ site, hub }, id, index), chunk);
    }
  }
}

/** Whether a hub has an op. */
export function hasOp(
  vector: ReadonlyMap<Lane, number> | undefined,
  op: { readonly origin: Origin; readonly class: OpClass; readonly seq: number },
): boolean {
  return vector !== undefined && seqIn(vector, laneOf(op.origin, op.class)) >= op.seq;
}
