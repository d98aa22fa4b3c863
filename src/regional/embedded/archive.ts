/**
 * Batches as they came, with the receipts that were given for them: the audit trail of a site, what makes a repeated
 * batch cheap to answer, and what the store is rebuilt from.
 *
 *   batches/<number>-<hub>-<class>-<batch>.batch      numbered 1, 2, 3 … as they were taken
 *   batches/<number>-<hub>-<class>-<batch>.receipt    written when the store has them
 *   parked/…  .batch and .reason                      what a hub signed and still cannot be taken
 *
 * A batch without its receipt was taken and perhaps not stored; whoever opens the archive stores it again.
 */
import { utf8 } from '../../base/bytes.ts';
import { type BatchId, batchIdOfText } from '../../batch/batch-id.ts';
import { BATCH_HEAD_BYTES } from '../../batch/limits.ts';
import { isOpClass, type OpClass } from '../../model/class.ts';
import type { BatchRef, NamedBatch } from '../../batch/wire/short-chunk.ts';
import { type Origin, originOfText } from '../../model/origin.ts';
import { type Files, textIn } from '../../platform/files/files.ts';
import type { RegionalLimits } from '../limits.ts';

export interface ArchivedBatch {
  /** 1, 2, 3 … in the order of arrival. */
  readonly number: number;
  readonly hub: Origin;
  readonly class: OpClass;
  readonly id: BatchId;
  readonly bytes: number;
}

interface Kept extends ArchivedBatch {
  hasReceipt: boolean;
}

interface Parked {
  readonly name: string;
  readonly hub: Origin;
  readonly reason: string;
}

const NAME = /^([0-9]{12})-([0-9a-f]{16})-([0-6])-([0-9a-f]{32})\.(batch|receipt|reason)$/;
/** Of each hub and class, so many of the newest stay, that the chain of its next batch is recognised. */
const NEWEST_KEPT = 4;

export class Archive {
  readonly #files: Files;
  readonly #dir: string;
  readonly #parkedDir: string;
  readonly #limits: RegionalLimits;
  readonly #batches = new Map<BatchId, Kept>();
  readonly #parked = new Map<BatchId, Parked>();
  #lastNumber = 0;
  #lastParked = 0;
  #bytes = 0;

  constructor(files: Files, siteDir: string, limits: RegionalLimits) {
    this.#files = files;
    this.#dir = `${siteDir}/batches`;
    this.#parkedDir = `${siteDir}/parked`;
    this.#limits = limits;
    files.makeDir(this.#dir);
    files.makeDir(this.#parkedDir);
    for (const name of files.list(this.#dir)) this.#adopt(name);
    for (const name of files.list(this.#parkedDir)) this.#adoptParked(name);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Refused batches that are kept. */
  get parked(): number {
    return this.#parked.size;
  }

  /** Why batches of the hub were put aside that did not come right later. */
  reasonsOf(hub: Origin): string[] {
    const reasons = [...this.#parked]
      .filter(([id, parked]) => parked.hub === hub && !this.#batches.has(id))
      .map(([, { reason }]) => reason);
    return [...new Set(reasons)].toSorted();
  }

  /** Number of the first batch that is still kept; undefined where there is none. */
  get firstNumber(): number | undefined {
    return this.list()[0]?.number;
  }

  /** All batches, in the order of arrival. */
  list(): ArchivedBatch[] {
    return [...this.#batches.values()].toSorted((a, b) => a.number - b.number);
  }

  /** True for a batch that was taken or refused here, and is remembered. */
  knows(id: BatchId): boolean {
    return this.#batches.has(id) || this.#parked.has(id);
  }

  get(id: BatchId): ArchivedBatch | undefined {
    return this.#batches.get(id);
  }

  /** The receipt that was given for a batch. */
  receipt(id: BatchId): Uint8Array | undefined {
    const kept = this.#batches.get(id);
    return kept?.hasReceipt === true ? this.#files.read(this.#path(kept, 'receipt')) : undefined;
  }

  /** The batch of a hub whose id begins so. */
  named(hub: Origin, ref: BatchRef): NamedBatch | undefined {
    for (const { id, hub: from, bytes } of this.#batches.values()) {
      if (from === hub && id.startsWith(ref)) return { batch: id, batchBytes: bytes };
    }
    return undefined;
  }

  read(id: BatchId): Uint8Array | undefined {
    const kept = this.#batches.get(id);
    return kept === undefined ? undefined : this.#files.read(this.#path(kept, 'batch'));
  }

  /** The first bytes of a batch, at least its manifest; undefined where its file is gone. */
  head(id: BatchId): Uint8Array | undefined {
    const kept = this.#batches.get(id);
    if (kept === undefined || !this.#files.exists(this.#path(kept, 'batch'))) return undefined;
    const file = this.#files.open(this.#path(kept, 'batch'), 'read');
    try {
      const bytes = new Uint8Array(Math.min(BATCH_HEAD_BYTES, kept.bytes));
      return bytes.subarray(0, file.readAt(bytes, 0));
    } finally {
      file.close();
    }
  }

  /** Keeps a batch; it is on the medium when this returns. One that is here already stays as it is. */
  add(hub: Origin, opClass: OpClass, id: BatchId, bytes: Uint8Array): ArchivedBatch {
    const known = this.#batches.get(id);
    if (known !== undefined) return known;
    const number = this.#lastNumber + 1;
    const kept = { number, hub, class: opClass, id, bytes: bytes.length, hasReceipt: false };
    this.#files.replace(this.#path(kept, 'batch'), bytes);
    this.#lastNumber = number;
    this.#bytes += bytes.length;
    this.#batches.set(id, kept);
    return kept;
  }

  /** Keeps the receipt, and lets the oldest batches go where there are too many; says which. */
  confirm(id: BatchId, receipt: Uint8Array): BatchId[] {
    const kept = this.#batches.get(id);
    if (kept === undefined) return [];
    this.#files.replace(this.#path(kept, 'receipt'), receipt);
    kept.hasReceipt = true;
    return this.#prune();
  }

  /** Removes a batch whose file has turned out to be damaged. */
  discard(id: BatchId): void {
    const kept = this.#batches.get(id);
    if (kept === undefined) return;
    this.#batches.delete(id);
    this.#bytes -= kept.bytes;
    this.#files.remove(this.#path(kept, 'receipt'));
    this.#files.remove(this.#path(kept, 'batch'));
  }

  /** Keeps a refused batch and its reason for a person to look at. */
  park(hub: Origin, opClass: OpClass, id: BatchId, bytes: Uint8Array, reason: string): void {
    if (this.#parked.has(id)) return;
    this.#lastParked += 1;
    const name = nameOf({ number: this.#lastParked, hub, class: opClass, id });
    this.#files.replace(`${this.#parkedDir}/${name}.batch`, bytes);
    this.#files.replace(`${this.#parkedDir}/${name}.reason`, utf8(`${reason}\n`));
    this.#parked.set(id, { name, hub, reason });
    for (const [oldId, { name: oldName }] of this.#parked) {
      if (this.#parked.size <= this.#limits.parkedMax) break;
      this.#parked.delete(oldId);
      this.#files.remove(`${this.#parkedDir}/${oldName}.batch`);
      this.#files.remove(`${this.#parkedDir}/${oldName}.reason`);
    }
  }

  #prune(): BatchId[] {
    const { archiveBytesMax, archiveBatchesMax } = this.#limits;
    const isOver = (): boolean =>
      this.#bytes > archiveBytesMax || this.#batches.size > archiveBatchesMax;
    if (!isOver()) return [];
    const newerCount = new Map<string, number>();
    const mayGo = this.list()
      .toReversed()
      .filter(({ hub, class: opClass, id }) => {
        const lane = `${hub}/${opClass}`;
        const newer = newerCount.get(lane) ?? 0;
        newerCount.set(lane, newer + 1);
        return newer >= NEWEST_KEPT && this.#batches.get(id)?.hasReceipt === true;
      })
      .toReversed();
    const gone: BatchId[] = [];
    for (const { id } of mayGo) {
      if (!isOver()) break;
      this.discard(id);
      gone.push(id);
    }
    return gone;
  }

  #path(batch: ArchivedBatch, kind: 'batch' | 'receipt'): string {
    return `${this.#dir}/${nameOf(batch)}.${kind}`;
  }

  #adopt(name: string): void {
    const parsed = parseName(name);
    if (parsed === undefined) return;
    this.#lastNumber = Math.max(this.#lastNumber, parsed.number);
    if (parsed.kind === 'receipt') {
      // `.batch` sorts before `.receipt`.
      const kept = this.#batches.get(parsed.id);
      if (kept !== undefined) kept.hasReceipt = true;
      return;
    }
    const file = this.#files.open(`${this.#dir}/${name}`, 'read');
    const bytes = file.size();
    file.close();
    this.#bytes += bytes;
    this.#batches.set(parsed.id, { ...parsed, bytes, hasReceipt: false });
  }

  #adoptParked(file: string): void {
    const parsed = parseName(file);
    if (parsed === undefined) return;
    this.#lastParked = Math.max(this.#lastParked, parsed.number);
    const name = nameOf(parsed);
    const reason = textIn(this.#files, `${this.#parkedDir}/${name}.reason`);
    this.#parked.set(parsed.id, { name, hub: parsed.hub, reason });
  }
}

function nameOf(batch: Omit<ArchivedBatch, 'bytes'>): string {
  return `${String(batch.number).padStart(12, '0')}-${batch.hub}-${batch.class}-${batch.id}`;
}

function parseName(name: string): (Omit<ArchivedBatch, 'bytes'> & { kind: string }) | undefined {
  const [, number, hubText = '', classText, idText = '', kind = ''] = NAME.exec(name) ?? [];
  const hub = originOfText(hubText);
  const id = batchIdOfText(idText);
  const opClass = Number(classText);
  if (hub === undefined || id === undefined || !isOpClass(opClass)) return undefined;
  return { number: Number(number), hub, class: opClass, id, kind };
}
