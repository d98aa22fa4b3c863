/**
 * The region as a maker of ops: work orders, records, what it asks of hubs. Its ops of a site are numbered in lanes of the
 * site, sealed in a batch under the region's key like any hub's, kept and folded; they flow down from there.
 *
 * The origin is the region's id. A region that was restored from a backup may have lost ops that hubs know already: their
 * numbers must not be given twice, so it goes on under another origin, made from its key and a count, and says so.
 */
import { must } from '../../base/assert.ts';
import { turn, type Clock, type Timers } from '../../base/clock.ts';
import { concatBytes, utf8 } from '../../base/bytes.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { Compressor } from '../../batch/compression.ts';
import { DEFAULT_SEAL_LIMITS } from '../../batch/limits.ts';
import type { Signer } from '../../batch/manifest.ts';
import { BatchBuilder } from '../../batch/seal-batch.ts';
import { originOfPublicKey, sha256 } from '../../hashes.ts';
import { HlcClock } from '../../model/hlc.ts';
import { encodeOp, type Op, type StampedOp } from '../../model/op.ts';
import { type Origin, ORIGIN_BYTES, originOfBytes, splitLane } from '../../model/origin.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';
import type { AuthoredBatch, AuthorPlace, DownSource, RegionWrite } from './down-source.ts';

interface AuthorOptions {
  readonly site: string;
  readonly source: DownSource;
  readonly signer: Signer;
  readonly compressor: Compressor;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
}

/** Origins that a region may go through at a site. */
const INCARNATIONS_MAX = 1_000;

export class Author {
  readonly #options: AuthorOptions;
  readonly #hlc: HlcClock;
  readonly #bootId: number;

  constructor(options: AuthorOptions) {
    this.#options = options;
    this.#hlc = new HlcClock(options.clock);
    this.#bootId = new DataView(options.random.bytes(4).buffer).getUint32(0);
  }

  /** Makes an op and keeps it; it is stored when this resolves. */
  async write(wish: RegionWrite): Promise<Op> {
    const { source, signer } = this.#options;
    let made: Op | undefined;
    await source.author({
      class: wish.class,
      originOf: (incarnation) => originOf(signer.publicKey, incarnation),
      make: async (place) => {
        const batch = await this.#make(wish, place);
        made = batch.entries[0]?.op;
        return batch;
      },
    });
    return must(made, 'what was kept was made');
  }

  async #make(wish: RegionWrite, { origin, seq, newest }: AuthorPlace): Promise<AuthoredBatch> {
    const { signer, site, compressor, timers, clock } = this.#options;
    const region = originOfPublicKey(signer.publicKey);
    const monotonicMs = Math.max(0, Math.floor(clock.monotonicMs()));
    const { class: opClass, key, kind, body, authority } = wish;
    const quality = clock.quality();
    if (newest !== undefined) this.#hlc.observe(newest);
    const hlc = this.#hlc.next();
    const opClock = { quality, bootId: this.#bootId, monotonicMs };
    const op: Op = { origin, class: opClass, seq, hlc, clock: opClock, kind, key, body };
    const stamp = { hub: region, hlc, authority, rosterEpoch: 0 };
    const entry: StampedOp = { bytes: encodeOp(op), op, stamp };
    const builder = new BatchBuilder(opClass, DEFAULT_SEAL_LIMITS, 'rows');
    builder.add(entry);
    const created = { createdMs: Math.max(0, Math.floor(clock.wallMs())), quality };
    const place = { site, previous: undefined, fromLsn: seq, throughLsn: seq };
    const pause = (): Promise<void> => turn(timers);
    const sealed = await builder.seal({ ...place, ...created }, { signer, compressor, pause });
    return { region, publicKey: signer.publicKey, sealed, entries: [entry] };
  }

  /** Looks at what a hub knows of the region's own ops; begins a new origin where that is more than the region knows. */
  async compare(hub: Origin, told: VersionVector): Promise<void> {
    const { source, signer, site, log } = this.#options;
    const now = await source.incarnation();
    for (let number = now; number < INCARNATIONS_MAX; number++) {
      const origin = originOf(signer.publicKey, number);
      const known = await source.known(origin);
      const ahead = [...told].filter(
        ([lane, seq]) => splitLane(lane).origin === origin && seq > seqIn(known, lane),
      );
      if (ahead.length === 0) {
        if (number > now) await source.beginIncarnation(number);
        return;
      }
      for (const [lane, seq] of ahead) {
        const { class: opClass } = splitLane(lane);
        const lost = { fromSeq: seqIn(known, lane) + 1, toSeq: seq, class: opClass };
        const means = 'this region was restored from an older state; hubs keep what they have';
        log.error('regional.own-ops-lost', { site, hub, origin, ...lost, means });
      }
    }
  }
}

/** Of the first incarnation the region's id; of later ones the start of SHA-256 over the key and the number. */
function originOf(publicKey: Uint8Array, incarnation: number): Origin {
  if (incarnation === 0) return originOfPublicKey(publicKey);
  const digest = sha256(concatBytes([publicKey, utf8(`incarnation ${incarnation}`)]));
  return originOfBytes(digest.subarray(0, ORIGIN_BYTES)) as Origin;
}
