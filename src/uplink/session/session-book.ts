/**
 * What a session moved and cost: the lines of the power-aware sync log for opening, batches and closing, and
 * the figures for the status page.
 */
import type { Clock } from '../../base/clock.ts';
import type { BatchId } from '../../batch/batch-id.ts';
import { CLASS_NAMES, type OpClass } from '../../model/class.ts';
import type { EnergyBook, SyncLogWriter, UplinkDecision } from '../ports.ts';
import type { SpooledBatch } from '../spool.ts';

interface SessionBookOptions {
  readonly syncLog: SyncLogWriter;
  readonly energy: EnergyBook;
  readonly clock: Clock;
  readonly link: () => string;
}

/** What sessions took of a link. */
export interface LinkUse {
  readonly sessions: number;
  /**
   * Handed to the system, and received. Of a link that dies, what still lay in buffers counts as well, four of the largest chunks a
   * session at most: nobody tells how much of it went, and a quota had better be full too early.
   */
  readonly bytes: number;
  /** From the attempt to the end. */
  readonly onMs: number;
  /** Sessions whose TLS went on with the keys of an earlier one. */
  readonly resumed: number;
}

const NO_USE: LinkUse = { sessions: 0, bytes: 0, onMs: 0, resumed: 0 };

export class SessionBook {
  readonly #options: SessionBookOptions;
  #bytesByClass: Partial<Record<OpClass, number>> = {};
  /** Chunks the broker took in this session, of batches that are not complete. */
  readonly #chunksById = new Map<BatchId, number>();
  #ops = 0;
  #vainBytes = 0;
  #isIdle = true;
  #lastReceiptMs: number | undefined;
  readonly #byLink = new Map<string, LinkUse>();
  /** The link that the session began on, and when. */
  #opened = { link: '', atMs: 0 };

  constructor(options: SessionBookOptions) {
    this.#options = options;
  }

  get lastReceiptMs(): number | undefined {
    return this.#lastReceiptMs;
  }

  /** Nothing has gone in this session, in either direction, but questions and answers. */
  get isIdle(): boolean {
    return this.#isIdle;
  }

  /** Since the start, by kind of link; what a session took counts at its end. */
  byLink(): Readonly<Record<string, LinkUse>> {
    return Object.fromEntries(this.#byLink);
  }

  opened(decision: Pick<UplinkDecision, 'allowed'>, why: string): void {
    const { clock } = this.#options;
    this.#opened = { link: this.#options.link(), atMs: clock.monotonicMs() };
    this.#bytesByClass = {};
    this.#chunksById.clear();
    this.#ops = 0;
    this.#vainBytes = 0;
    this.#isIdle = true;
    const allowed = decision.allowed.map((opClass) => CLASS_NAMES[opClass]);
    const { syncLog, link } = this.#options;
    syncLog.append({ event: 'session.open', link: link(), allowed, why });
  }

  /** A chunk is with the broker; the last one of a batch makes a line. */
  chunkSent({ id, manifest, layout }: SpooledBatch, bytes: number): void {
    const { class: opClass, ops } = manifest;
    this.#isIdle = false;
    this.#bytesByClass[opClass] = (this.#bytesByClass[opClass] ?? 0) + bytes;
    const chunks = (this.#chunksById.get(id) ?? 0) + 1;
    this.#chunksById.set(id, chunks);
    if (chunks !== layout.total) return;
    const { syncLog, energy, link } = this.#options;
    const energyWh = energy.transferWh(layout.batchBytes);
    syncLog.append({
      event: 'batch.sent',
      link: link(),
      bytes: layout.batchBytes,
      ops,
      energyWh,
      whByClass: { [CLASS_NAMES[opClass]]: energyWh },
      why: `${CLASS_NAMES[opClass]}: ${opsText(ops)} on the way, the receipt decides`,
    });
  }

  receipted({ id, manifest, layout }: SpooledBatch): void {
    this.#chunksById.delete(id);
    this.#ops += manifest.ops;
    this.#lastReceiptMs = this.#options.clock.wallMs();
    this.#options.syncLog.append({
      event: 'batch.received',
      link: this.#options.link(),
      bytes: layout.batchBytes,
      ops: manifest.ops,
      why: `${CLASS_NAMES[manifest.class]}: the regional node has stored ${opsText(manifest.ops)}`,
    });
  }

  /** A batch of the region is in the journal. */
  cameDown({ ops, bytes }: { readonly ops: number; readonly bytes: number }): void {
    this.#isIdle = false;
    const why = `from the region: ${opsText(ops)} are in the journal`;
    this.#options.syncLog.append({
      event: 'batch.received',
      link: this.#options.link(),
      bytes,
      ops,
      why: ops === 1 ? 'from the region: 1 op is in the journal' : why,
    });
  }

  /** The attempt failed, and took so much of the link: a metered contract asks for that as well. */
  vain(lineBytes: number): void {
    this.#vainBytes += lineBytes;
  }

  /** `sessionBytes`: both directions, MQTT included; 0 where the attempt failed. */
  closed(why: string, sessionBytes: number, isResumed = false): void {
    const linkBytes = sessionBytes + this.#vainBytes;
    const { syncLog, energy, clock } = this.#options;
    const { link, atMs } = this.#opened;
    const onMs = Math.max(0, clock.monotonicMs() - atMs);
    const before = this.#byLink.get(link) ?? NO_USE;
    this.#byLink.set(link, {
      sessions: before.sessions + 1,
      bytes: before.bytes + linkBytes,
      onMs: before.onMs + onMs,
      resumed: before.resumed + Number(isResumed),
    });
    const energyWh = energy.sessionWh(this.#bytesByClass, { link, linkBytes });
    const linkOnS = Math.round(onMs / 100) / 10;
    const figures = { bytes: linkBytes, ops: this.#ops, energyWh, linkOnS };
    syncLog.append({ event: 'session.close', link, ...figures, why });
  }
}

function opsText(ops: number): string {
  return ops === 1 ? '1 op' : `${ops} ops`;
}
