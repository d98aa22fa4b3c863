/**
 * What comes down from the region (BATCH.md §11): chunks of one batch at a time, put together in memory, kept over
 * sessions, opened under the region's key, handed to the journal, and answered with a signed receipt once it is durable.
 *
 * Whoever can publish at the broker can waste what has come of a batch, by a chunk of another; the region sends it again
 * at the next hello. Nothing is believed that the region did not sign.
 */
import type { Clock } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { BatchId } from '../../batch/batch-id.ts';
import { type Chunk, ChunkBitmap, type ChunkLayout, chunkSpan } from '../../batch/wire/chunks.ts';
import type { Compressor } from '../../batch/compression.ts';
import { encodeDownReceipt, type Heals } from '../../batch/wire/down-messages.ts';
import { DOWN_BATCH_BYTES_MAX } from '../../batch/limits.ts';
import type { Signer } from '../../batch/manifest.ts';
import type { DownWish } from '../../batch/wire/down-wish.ts';
import { openBatch } from '../../batch/open-batch.ts';
import type { Pause } from '../../base/steps.ts';
import type { PayloadOpener } from '../../batch/payload-seal.ts';
import type { LaneRange } from '../../batch/ranges.ts';
import type { Verify } from '../../codec/cose.ts';
import { originOfPublicKey } from '../../hashes.ts';
import type { OpClass } from '../../model/class.ts';
import type { Op, StampedOp } from '../../model/op.ts';
import { laneOf } from '../../model/origin.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';

/** The hub behind the downlink. */
export interface DownlinkPort {
  /** How far every lane is journaled. */
  vector(): VersionVector;
  /** Journals ops of the region; resolves when those taken are durable. */
  take(ops: readonly StampedOp[]): Promise<TakenDown>;
  /** What the card has lost, and the region may have. */
  readonly healing?: HealingPort | undefined;
}

/** What of a batch the hub did not take. */
export interface TakenDown {
  /** For which some ops were refused. */
  readonly reasons: readonly string[];
  /** Some do not follow on what is here; the next hello mends that. */
  readonly hasGap: boolean;
}

/** Losses of the journal that are to be mended. */
export interface HealingPort {
  /** In canonical form. */
  lacks(): readonly LaneRange[];
  /** It is time to ask, were it the only reason for a session. */
  readonly isDue: boolean;
  /** What the region says of losses that were named to it; undefined: it does not know how to mend. */
  told(asked: readonly LaneRange[], heals: Heals | undefined): void;
}

interface DownlinkOptions {
  readonly port: DownlinkPort;
  readonly site: string;
  readonly signer: Signer;
  readonly verify: Verify;
  readonly compressor: Compressor;
  readonly pause: Pause;
  readonly clock: Clock;
  readonly log: Log;
  readonly recipient?: PayloadOpener | undefined;
  /** Says it in the power-aware log. */
  readonly tell: (why: string) => void;
}

/** What became of a batch that was complete. */
interface DownOutcome {
  readonly batch: BatchId;
  /** In the journal now. */
  readonly ops: number;
  /** All of it is there. */
  readonly isWhole: boolean;
  readonly bytes: number;
  /** Undefined where there is nothing to say: it was not what the region signed. */
  readonly receipt: Uint8Array | undefined;
}

interface Part extends ChunkLayout {
  readonly batch: BatchId;
  readonly bytes: Uint8Array;
  readonly chunks: ChunkBitmap;
}

type OpName = Pick<Op, 'origin' | 'class' | 'seq'>;

const NOTHING = { ops: 0, isWhole: false } as const;
const REASON_CHARS_MAX = 200;

export class Downlink {
  readonly #options: DownlinkOptions;
  #part: Part | undefined;
  /** Of the batch that was refused last, with what of it was left out. */
  #refused: { readonly reason: string; readonly ops: readonly OpName[] } | undefined;

  constructor(options: DownlinkOptions) {
    this.#options = options;
  }

  /** For the hello: what is here, what is taken, and what has come of a batch. */
  wish(takes: readonly OpClass[]): DownWish {
    const vector = this.#options.port.vector();
    if (this.#part === undefined) return { vector, takes };
    const { batch, chunks } = this.#part;
    return { vector, takes, part: { batch, chunks } };
  }

  /** Keeps a chunk; the outcome where that makes the batch complete. */
  async take(
    batch: BatchId,
    chunk: Chunk,
    regionKey: Uint8Array,
  ): Promise<DownOutcome | undefined> {
    if (chunk.batchBytes > DOWN_BATCH_BYTES_MAX) return undefined;
    const part = this.#partFor(batch, chunk);
    part.bytes.set(chunk.data, chunkSpan(part, chunk.index).from);
    part.chunks.add(chunk.index);
    if (!part.chunks.isFull) return undefined;
    this.#part = undefined;
    return this.#open(part, regionKey);
  }

  #partFor(batch: BatchId, { total, batchBytes }: ChunkLayout): Part {
    const known = this.#part;
    const isSame = known?.batch === batch && known.total === total;
    if (known !== undefined && isSame && known.batchBytes === batchBytes) return known;
    const bytes = new Uint8Array(batchBytes);
    const part = { batch, total, batchBytes, bytes, chunks: new ChunkBitmap(total) };
    this.#part = part;
    return part;
  }

  async #open({ batch, bytes }: Part, regionKey: Uint8Array): Promise<DownOutcome> {
    const { site, verify, compressor, pause, port, log, recipient: opener } = this.#options;
    const region = originOfPublicKey(regionKey);
    const expected = { id: batch, site, hub: region, publicKey: regionKey };
    const outcome = await openBatch(bytes, expected, { verify, compressor, pause, opener });
    const size = { batch, bytes: bytes.length };
    if (outcome.kind === 'damaged') {
      log.warn('uplink.down.damaged', { batch, reason: outcome.reason });
      return { ...size, ...NOTHING, receipt: undefined };
    }
    if (outcome.kind === 'refused') {
      const { reason, manifest } = outcome;
      log.error('uplink.down.refused', { batch, reason });
      this.#refuse(reason, manifest?.ranges.map(({ to, ...lane }) => ({ ...lane, seq: to })) ?? []);
      return { ...size, ...NOTHING, receipt: this.#receipt(batch, reason) };
    }
    const { reasons, hasGap } = await port.take(outcome.entries);
    const all = hasGap ? [...reasons, 'does not follow on what is here'] : reasons;
    if (all.length > 0) log.warn('uplink.down.not-taken', { batch, reasons: all });
    const isWhole = all.length === 0;
    const left = isWhole ? [] : this.#beyond(outcome.entries.map(({ op }) => op));
    if (reasons.length > 0) this.#refuse(reasons.join('; '), left);
    const ops = outcome.entries.length - left.length;
    log.info('uplink.down.taken', { batch, ops });
    // What does not follow on a refused op says nothing.
    const told = reasons.length > 0 ? reasons : all;
    return { ...size, ops, isWhole, receipt: this.#receipt(batch, told.join('; ')) };
  }

  /** While something of what the region has sent is not taken. */
  get refusal(): HubError | undefined {
    if (this.#refused === undefined) return undefined;
    const { reason, ops } = this.#refused;
    if (this.#beyond(ops).length === 0) return undefined;
    return new HubError('downlink.refused', `from the region, not taken: ${reason}`);
  }

  /** Told once, however often the region offers it. */
  #refuse(reason: string, ops: readonly OpName[]): void {
    const isKnown = this.refusal !== undefined && this.#refused?.reason === reason;
    const names = ops.map(({ origin, class: opClass, seq }) => ({ origin, class: opClass, seq }));
    this.#refused = { reason, ops: names };
    if (!isKnown) this.#options.tell(`from the region, not taken: ${reason}`);
  }

  /** Those that are not in the journal. */
  #beyond(ops: readonly OpName[]): OpName[] {
    const vector = this.#options.port.vector();
    return ops.filter((op) => seqIn(vector, laneOf(op.origin, op.class)) < op.seq);
  }

  /** `refusal`: empty where all was taken. */
  #receipt(batch: BatchId, refusal: string): Uint8Array {
    const { signer, clock } = this.#options;
    const outcome = refusal === '' ? 'taken' : 'refused';
    const reason = refusal.slice(0, REASON_CHARS_MAX);
    const hub = originOfPublicKey(signer.publicKey);
    const atMs = Math.max(0, Math.floor(clock.wallMs()));
    return encodeDownReceipt({ hub, batch, outcome, reason, atMs }, signer);
  }
}
