/**
 * What the regional node says of our batches, and what follows: parts that are there are not sent again, receipts move the
 * outbox on, a refusal puts a batch aside.
 */
import type { Timers } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type { BatchId } from '../../batch/batch-id.ts';
import { FORKED } from '../../batch/open-batch.ts';
import type { ChunkBitmap } from '../../batch/wire/chunks.ts';
import type { DownHello, Have } from '../../batch/wire/messages.ts';
import type { Receipt } from '../../batch/wire/receipt.ts';
import type { Resumed } from '../../batch/wire/resume.ts';
import { refOf } from '../../batch/wire/short-chunk.ts';
import { CLASS_NAMES, type OpClass } from '../../model/class.ts';
import type { Outbox } from '../outbox.ts';
import type { SyncLogWriter } from '../ports.ts';
import type { SpooledBatch } from '../spool.ts';
import { ForgottenBook, type ForgottenOptions } from '../waiting/forgotten.ts';
import type { ChunkSize } from './chunk-size.ts';
import { confirms } from './confirms.ts';
import type { Counterpart } from './counterpart.ts';
import type { Resumption } from './resumption.ts';
import type { SessionBook } from './session-book.ts';
import type { SessionEvent } from './session.ts';

interface ArrivalsOptions extends Omit<ForgottenOptions, 'timers' | 'tell'> {
  readonly linkTimers: Timers;
  readonly syncLog: SyncLogWriter;
  readonly link: () => string;
  readonly outbox: Outbox;
  readonly chunkSize: ChunkSize;
  readonly resumption: Resumption;
  readonly counterpart: Counterpart;
  readonly book: SessionBook;
  readonly dispatch: (event: SessionEvent) => void;
  /** A class begins anew: what waits is to be counted. */
  readonly onStartedOver: () => void;
}

export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #forgotten: ForgottenBook;
  #refusal: HubError | undefined;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
    const { linkTimers: timers, syncLog, link } = options;
    const tell = (why: string): void => syncLog.append({ event: 'fault', link: link(), why });
    this.#forgotten = new ForgottenBook({ ...options, timers, tell });
  }

  /** While a batch is refused, the region remembers another history, or none can be written; and what the region has lost for good. */
  get faults(): readonly (HubError | undefined)[] {
    return [this.#refusal ?? this.#options.outbox.fault, this.#forgotten.fault];
  }

  close(): void {
    this.#forgotten.close();
  }

  have(have: Have): void {
    this.#options.counterpart.wait.heed(have);
    this.#parts(have.batch, have.chunks);
  }

  resumed(found: readonly Resumed[]): void {
    for (const { id } of this.#options.outbox.sendable()) {
      const chunks = found.find(({ ref }) => ref === refOf(id))?.chunks;
      if (chunks !== undefined) this.#parts(id, chunks);
    }
  }

  receipt(receipt: Receipt): void {
    const { log, outbox, dispatch } = this.#options;
    const batch = outbox.get(receipt.batch);
    if (batch === undefined) return; // Told twice.
    const { manifest, id } = batch;
    if (receipt.outcome === 'stored' && !confirms(receipt, manifest)) {
      log.error('uplink.receipt.mismatch', { batch: id });
      return;
    }
    if (receipt.outcome === 'refused') {
      const reason = receipt.reason ?? 'no reason given';
      const code = reason === FORKED ? 'ledger.forked' : 'batch.rejected';
      this.#refusal = new HubError(code, `batch ${id}: ${reason}`);
      log.error('batch.rejected', { batch: id, class: CLASS_NAMES[manifest.class], reason });
      outbox.refused(id, reason);
    } else this.#stored(receipt, batch);
    dispatch({ type: 'receipt' });
  }

  /** Classes whose newest receipted batch the region has lost begin anew. */
  greeted(answer: DownHello): void {
    const { outbox, resumption } = this.#options;
    resumption.greeted(answer);
    const tips = outbox.tips();
    for (const batch of answer.forgot ?? []) {
      const opClass = tips.get(batch);
      if (opClass !== undefined) this.#startOver(opClass, batch);
    }
  }

  #stored(receipt: Receipt, batch: SpooledBatch): void {
    const { outbox, chunkSize, resumption, counterpart, book } = this.#options;
    const { manifest, id } = batch;
    chunkSize.arrived(id, batch.layout.batchBytes);
    outbox.receipted(id);
    resumption.stored(id);
    if (manifest.tree !== undefined) {
      outbox.lacking.placed(manifest.class, receipt.witnessed !== undefined);
    }
    if (outbox.refusedCount === 0) this.#refusal = undefined;
    book.receipted(batch);
    this.#refusal = counterpart.take(receipt) ?? this.#refusal;
    const { awaits } = receipt;
    if (awaits === undefined || awaits !== manifest.previous || outbox.get(awaits)) return;
    this.#startOver(manifest.class, awaits);
  }

  #startOver(opClass: OpClass, batch: BatchId): void {
    const { log, outbox, journal, onStartedOver } = this.#options;
    const { firstLsn } = journal;
    log.warn('uplink.region.forgot', { class: CLASS_NAMES[opClass], batch, firstLsn });
    this.#forgotten.startsOver(opClass);
    outbox.startOver(opClass);
    onStartedOver();
  }

  #parts(id: BatchId, arrived: ChunkBitmap): void {
    const { outbox, chunkSize, resumption, dispatch } = this.#options;
    resumption.told(id, arrived);
    const bytes = outbox.get(id)?.layout.batchBytes;
    if (bytes === undefined) return;
    chunkSize.arrived(id, (bytes * arrived.count) / arrived.total);
    const isWorthIt = chunkSize.isWorthGoingOn(bytes, arrived);
    if (outbox.goOn(id, arrived, isWorthIt) === undefined) return;
    dispatch({ type: 'lacks', batch: id, chunks: arrived.missing() });
  }
}
