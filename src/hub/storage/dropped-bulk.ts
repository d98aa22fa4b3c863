/**
 * With `on_full = "drop-bulk"`: what a nearly full journal lets go of without a receipt, and how that is told. The count stays in
 * the file `dropped` of the data directory, `<ops> <bytes>`, because the region lacks those ops for ever.
 */
import { textOf, utf8 } from '../../base/bytes.ts';
import { HubError, messageOf, systemCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { BULK, LOG } from '../../model/class.ts';
import type { Files } from '../../platform/files/files.ts';
import type { HubPower } from '../power/power.ts';
import type { Uplink } from '../../uplink/uplink.ts';
import { type Droppable, FULL_RATIO } from './retention.ts';

interface Dropped {
  readonly ops: number;
  readonly bytes: number;
}

interface DroppedBulkParts {
  readonly files: Pick<Files, 'read' | 'replace'>;
  readonly path: string;
  readonly log: Log;
}

/** The hub's own log lines wait behind bulk, and were promised to nobody. */
const CLASSES = [BULK, LOG] as const;

export class DroppedBulk {
  readonly #parts: DroppedBulkParts;
  #total: Dropped;

  private constructor(parts: DroppedBulkParts, total: Dropped) {
    this.#parts = parts;
    this.#total = total;
  }

  static open(parts: DroppedBulkParts): DroppedBulk {
    return new DroppedBulk(parts, droppedIn(parts.files.read(parts.path)));
  }

  /** Of class bulk, in the life of the hub. */
  get total(): Dropped {
    return this.#total;
  }

  /** As long as the journal is that full, whoever looks should know. */
  fault(fillRatio: number): HubError | undefined {
    const { ops, bytes } = this.#total;
    if (ops === 0 || fillRatio < FULL_RATIO) return undefined;
    return new HubError('journal.bulk-dropped', `${ops} ops of class bulk dropped, ${mbOf(bytes)}`);
  }

  /** What retention may drop. */
  droppable(waiting: Uplink['waiting'], { monitor }: Pick<HubPower, 'monitor'>): Droppable {
    return {
      othersReceiptedLsn: () => waiting.receiptedLsnBut(CLASSES),
      giveUp: async (throughLsn, release) => {
        const dropped = await waiting.giveUp(CLASSES, throughLsn, release);
        if (dropped === undefined) return false;
        if (dropped.ops > 0) this.#count(throughLsn, dropped, monitor);
        return true;
      },
    };
  }

  #count(throughLsn: number, { ops, bytes }: Dropped, monitor: HubPower['monitor']): void {
    const { files, path, log } = this.#parts;
    this.#total = { ops: this.#total.ops + ops, bytes: this.#total.bytes + bytes };
    log.warn('journal.bulk-dropped', { throughLsn, ops, bytes });
    const why = `the journal is nearly full: ${ops} ops of class bulk without a receipt (${mbOf(bytes)}) were dropped, as journal.on_full says`;
    monitor.append({ event: 'shed', ops, bytes, why });
    try {
      files.replace(path, utf8(`${this.#total.ops} ${this.#total.bytes}\n`));
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      log.warn('journal.dropped-unwritten', { file: path, reason: messageOf(error) });
    }
  }
}

function mbOf(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Nothing where the file says nothing. */
export function droppedIn(bytes: Uint8Array | undefined): Dropped {
  const text = bytes === undefined ? '' : (textOf(bytes) ?? '');
  const [, ops, size] = /^([0-9]{1,15}) ([0-9]{1,15})\n$/.exec(text) ?? [];
  return { ops: Number(ops ?? 0), bytes: Number(size ?? 0) };
}
