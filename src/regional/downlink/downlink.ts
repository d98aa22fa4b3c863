/**
 * The way down (BATCH.md §11): for every hub that says what it has, one batch at a time of what it lacks, in chunks, and
 * the next one when its receipt is there. Where a hub stands, its hello and its receipts say, to whichever worker they come
 * (receivers.ts). What is kept is sent after that: of a worker that dies in between, the hub misses chunks, waits its reply
 * time and greets anew, and the next one goes on. A hub that is away gets nothing and loses nothing.
 */
import { type Clock, type Timers, turn } from '../../base/clock.ts';
import { bytesEqual } from '../../base/bytes.ts';
import type { Log } from '../../base/log.ts';
import { type ChunkBitmap, chunkSpan, encodeChunk, layoutOf } from '../../batch/wire/chunks.ts';
import type { Compressor } from '../../batch/compression.ts';
import type { PayloadSealer } from '../../batch/payload-seal.ts';
import { type DownReceipt, LACKS_MAX } from '../../batch/wire/down-messages.ts';
import { DOWN_CHUNK_BYTES, DOWN_SEAL_LIMITS } from '../../batch/limits.ts';
import type { Signer } from '../../batch/manifest.ts';
import type { DownWish } from '../../batch/wire/down-wish.ts';
import type { DownHello, Hello } from '../../batch/wire/messages.ts';
import { headOf } from '../../batch/open-batch.ts';
import { canonicalRanges, type LaneRange, overlaps, subtractRanges } from '../../batch/ranges.ts';
import { BatchBuilder, type SealedBatch } from '../../batch/seal-batch.ts';
import { downChunkTopic } from '../../batch/wire/topics.ts';
import type { OpId } from '../../merge/op-id.ts';
import { laneOf, type Origin } from '../../model/origin.ts';
import { covers, joinVectors, seqIn, type VersionVector } from '../../model/version-vector.ts';
import type { HealSource } from '../healing/healer.ts';
import type { DownOps, DownSource } from './down-source.ts';
import type { Receiver, ReceiverChange, Underway } from './receivers.ts';
import { passingOver, refusing, stillRefused } from './refused.ts';

export interface DownlinkOptions {
  readonly site: string;
  readonly source: DownSource;
  readonly heal: HealSource;
  readonly signer: Signer;
  readonly compressor: Compressor;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Encrypts to a hub's key; undefined where it is none. */
  readonly sealerTo?: (sealKey: Uint8Array) => PayloadSealer | undefined;
  readonly publish: (topic: string, payload: Uint8Array) => void;
}

/** A batch to send, and what of it is there already. */
interface Sending {
  readonly underway: Underway;
  readonly there?: ChunkBitmap | undefined;
}

export class RegionDownlink {
  readonly #options: DownlinkOptions;

  constructor(options: DownlinkOptions) {
    this.#options = options;
  }

  /** Takes note of what a hub has and lacks; how many ops wait for it. */
  async heard(
    hub: Origin,
    { down, lacks: told = [], sealKey }: Hello,
  ): Promise<Pick<DownHello, 'waiting' | 'heals'> | undefined> {
    if (down === undefined) return undefined;
    const { source, heal } = this.#options;
    const { takes, vector } = down;
    const ends = told.length === 0 ? [] : await heal.ends({ hub, vector, classes: takes });
    const lacks = canonicalRanges([...told, ...ends]).slice(0, LACKS_MAX);
    const refused = await source.receivers.change(hub, async (before) => {
      const isSameKey = isSame(before?.sealKey, sealKey);
      const underway = isSameKey ? resumed(before?.underway, down, lacks) : undefined;
      const result = stillRefused(before?.refused, vector);
      return { receiver: { takes, vector, lacks, sealKey, underway, refused: result }, result };
    });
    const wanted = passingOver(refused, vector, this.#nowMs);
    const waiting = await source.waiting({ hub, vector: wanted, classes: takes });
    return lacks.length === 0 ? { waiting } : { waiting, heals: await heal.answer({ hub, lacks }) };
  }

  /** Begins to send, or goes on with the chunks that are missing; after the greeting. */
  async begin(hub: Origin, { down }: Hello): Promise<void> {
    const underway = (await this.#options.source.receivers.get(hub))?.underway;
    if (underway === undefined) return this.#sendNext(hub);
    this.#send(hub, { underway, there: down?.part?.chunks });
  }

  /** Something new is there: hubs that listen get it now. */
  async push(): Promise<void> {
    for (const hub of await this.#options.source.receivers.idle()) await this.#sendNext(hub);
  }

  /** What a hub says of a batch, under its signature. */
  async receipt({ hub, batch, outcome, reason }: DownReceipt): Promise<void> {
    const { site, log, source } = this.#options;
    const sending = await source.receivers.change<Sending | undefined>(hub, async (known) => {
      if (known?.underway?.batch !== batch) return { result: undefined };
      const { reaches, ops } = known.underway;
      if (outcome === 'refused') {
        log.error('regional.down.refused', { site, hub, batch, reason });
        const stands = { vector: known.vector, reaches };
        const refused = refusing(known.refused, stands, reason, this.#nowMs);
        const receiver = { ...known, refused, underway: undefined };
        // What should have mended a hole is no lane's next: nothing else comes before the next hello.
        return reaches.size === 0 ? { receiver, result: undefined } : this.#next(hub, receiver);
      }
      log.info('regional.down.delivered', { site, hub, batch, ops });
      const vector = joinVectors(known.vector, reaches);
      const refused = stillRefused(known.refused, vector);
      const lacks = subtractRanges(known.lacks ?? [], rangesIn(known.underway.bytes));
      return this.#next(hub, { ...known, vector, lacks, refused, underway: undefined });
    });
    if (sending !== undefined) this.#send(hub, sending);
  }

  /** How far a hub is known to have come. */
  async vectorOf(hub: Origin): Promise<VersionVector | undefined> {
    return (await this.#options.source.receivers.get(hub))?.vector;
  }

  async #sendNext(hub: Origin): Promise<void> {
    const { receivers } = this.#options.source;
    const sending = await receivers.change<Sending | undefined>(hub, async (known) =>
      known === undefined || known.underway !== undefined
        ? { result: undefined }
        : this.#next(hub, known),
    );
    if (sending !== undefined) this.#send(hub, sending);
  }

  get #nowMs(): number {
    return Math.max(0, Math.floor(this.#options.clock.wallMs()));
  }

  /** What the hub gets next, as what is known of it then. */
  async #next(hub: Origin, receiver: Receiver): Promise<ReceiverChange<Sending | undefined>> {
    const { takes, lacks = [], sealKey, refused } = receiver;
    const vector = passingOver(refused, receiver.vector, this.#nowMs);
    const sealer = sealKey && this.#options.sealerTo?.(sealKey);
    if (sealKey !== undefined && sealer === undefined) {
      this.#options.log.warn('regional.down.no-key', { site: this.#options.site, hub });
      return { receiver, result: undefined };
    }
    const { source, heal } = this.#options;
    const next = await source.next({ hub, vector, classes: takes });
    const ops = next ?? (lacks.length === 0 ? undefined : await heal.next({ hub, lacks }));
    if (ops === undefined) return { receiver, result: undefined };
    const { id, bytes } = await this.#seal(ops, sealer);
    // What fills a hole takes no lane further.
    const reaches = new Map(
      next?.ops.map(({ op }) => [laneOf(op.origin, op.class), op.seq] as const),
    );
    const underway = { batch: id, class: ops.class, ops: ops.ops.length, reaches, bytes };
    return { receiver: { ...receiver, underway }, result: { underway } };
  }

  async #seal(
    { class: opClass, ops }: DownOps,
    sealer: PayloadSealer | undefined,
  ): Promise<SealedBatch> {
    const { site, signer, compressor, clock, timers } = this.#options;
    const builder = new BatchBuilder(opClass, DOWN_SEAL_LIMITS, 'rows');
    for (const op of ops) builder.add(op);
    const place = { site, previous: undefined, fromLsn: 1, throughLsn: ops.length };
    const pause = (): Promise<void> => turn(timers);
    const context = { ...place, createdMs: this.#nowMs, quality: clock.quality() };
    return builder.seal(context, { signer, compressor, pause, sealer });
  }

  #send(hub: Origin, { underway: { batch, bytes }, there }: Sending): void {
    const { site, publish } = this.#options;
    const layout = layoutOf(bytes.length, DOWN_CHUNK_BYTES);
    for (let index = 0; index < layout.total; index++) {
      if (there?.total === layout.total && there.has(index)) continue;
      const { from, to } = chunkSpan(layout, index);
      const chunk = encodeChunk(bytes.subarray(from, to), layout, index);
      publish(downChunkTopic({ site, hub }, batch, index), chunk);
    }
  }
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : bytesEqual(a, b);
}

/** The batch of which the hub has a part goes on where it is still the same, and still needed. */
function resumed(
  sent: Underway | undefined,
  { vector, takes, part }: DownWish,
  lacks: readonly LaneRange[],
): Underway | undefined {
  if (sent === undefined || part?.batch !== sent.batch) return undefined;
  if (lacks.length > 0 && overlaps(rangesIn(sent.bytes), lacks)) return sent;
  return !covers(vector, sent.reaches) && takes.includes(sent.class) ? sent : undefined;
}

/** Which ops a batch holds that we sealed. */
function rangesIn(bytes: Uint8Array): readonly LaneRange[] {
  return headOf(bytes)?.ranges ?? [];
}

/** Whether a hub has an op. */
export function hasOp(vector: VersionVector | undefined, op: OpId): boolean {
  return vector !== undefined && seqIn(vector, laneOf(op.origin, op.class)) >= op.seq;
}
