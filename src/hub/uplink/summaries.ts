/**
 * Coarse first: while energy or money keep telemetry back and let records go, what waits is summed up by window and
 * journaled as an op of class record, which travels with the next session; the readings follow when they may. The
 * governor decides which it is: as soon as telemetry may ride, nothing is summed up any more.
 *
 * A stretch of the journal is summed up once, also over restarts; losing the note of how far costs a summary twice.
 */
import { utf8 } from '../../base/bytes.ts';
import { type Clock, type Timers, turn } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { SummaryFold } from '../../batch/summary.ts';
import { RECORD, TELEMETRY } from '../../model/class.ts';
import { decodeEntry } from '../../model/entry.ts';
import { effectiveHlc } from '../../model/hlc.ts';
import { EVENT } from '../../model/op.ts';
import { type Files, textIn } from '../../platform/files/files.ts';
import type { Decision } from '../../power/govern/decision.ts';
import { numbersIn } from '../../store/readings/summary.ts';
import { peekEntry } from '../../uplink/waiting/peek-entry.ts';
import type { JournalReader, Lsn } from '../../uplink/ports.ts';

interface SummariesOptions {
  readonly journal: JournalReader;
  readonly hub: string;
  readonly decision: () => Pick<Decision, 'permissions'>;
  /** Ops of class telemetry that wait, and up to where all have their receipt. */
  readonly waiting: () => { readonly ops: number; readonly receiptedLsn: Lsn };
  /** Journals the op; may throw `HubError`, which costs this summary. */
  readonly journalOp: (key: string, body: Uint8Array) => void;
  readonly files: Pick<Files, 'read' | 'replace'>;
  readonly path: string;
  readonly clock: Clock;
  /** The site's time, in which windows pass. */
  readonly timers: Timers;
  /** The machine's, in which events get their turn. */
  readonly turns: Timers;
  readonly log: Log;
  readonly onFatal: (error: unknown) => void;
}

/** Narrowest window, and how often one is made at most. */
const WINDOW_S = 900;
const LOOK_MS = 60_000;
/** Fewer readings are not worth an op. */
const OPS_MIN = 20;
const SLICE_ENTRIES = 128;
/** Readings come late by a little; a window is closed this long after its end. */
const LATE_MS = 30_000;

/** Key of a hub's summaries, in its journal and in the store of its site. */
export function summaryKey(hub: string): string {
  return `summary/telemetry/${hub}`;
}

export class Summaries {
  readonly #options: SummariesOptions;
  readonly #cancel: () => void;
  #doneLsn: Lsn;
  #isBusy = false;
  #isClosed = false;

  private constructor(options: SummariesOptions) {
    this.#options = options;
    const saved = Number(textIn(options.files, options.path));
    const isOurs = Number.isSafeInteger(saved) && saved >= 0 && saved <= options.journal.lastLsn;
    this.#doneLsn = isOurs ? saved : 0;
    this.#cancel = options.timers.every(LOOK_MS, () => this.#look());
  }

  static open(options: SummariesOptions): Summaries {
    return new Summaries(options);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  #look(): void {
    const { decision, waiting, onFatal } = this.#options;
    const { permissions } = decision();
    const isShort = permissions[TELEMETRY] === 'no' && permissions[RECORD] !== 'no';
    if (!isShort || this.#isBusy || waiting().ops < OPS_MIN) return;
    this.#isBusy = true;
    this.#sumUp()
      .catch((error: unknown) => {
        if (!(error instanceof HubError)) return onFatal(error);
        this.#options.log.warn('uplink.summary.failed', { reason: error.message });
      })
      .finally(() => (this.#isBusy = false));
  }

  async #sumUp(): Promise<void> {
    const { journal, waiting, clock, turns, hub, journalOp, log, files, path } = this.#options;
    const nowS = Math.floor((clock.wallMs() - LATE_MS) / 1_000);
    const openMs = Math.floor(nowS / WINDOW_S) * WINDOW_S * 1_000;
    const fromLsn = Math.max(this.#doneLsn, waiting().receiptedLsn, journal.firstLsn - 1) + 1;
    const cursor = journal.cursor(fromLsn);
    const fold = new SummaryFold(TELEMETRY, WINDOW_S);
    let throughLsn = fromLsn - 1;
    for (let count = 1; !this.#isClosed; count++) {
      if (count % SLICE_ENTRIES === 0) await turn(turns);
      const item = cursor.next();
      if (item === undefined) break;
      const peeked = peekEntry(item.entry);
      // In the order of the journal: what was accepted in a window that is still open waits for its end.
      if (peeked !== undefined && peeked.stampMs >= openMs) break;
      throughLsn = item.lsn;
      if (peeked?.class !== TELEMETRY) continue;
      const entry = decodeEntry(item.entry);
      if (entry.type !== 'op' || entry.stamped.op.kind !== EVENT) continue;
      const { op, stamp } = entry.stamped;
      const { origin, seq, key } = op;
      const atMs = effectiveHlc(op.hlc, stamp.hlc).ms;
      fold.add({ origin, seq, key, atMs, numbers: numbersIn(op.body) });
    }
    if (this.#isClosed || fold.ops < OPS_MIN) return;
    const body = fold.finish(fromLsn, throughLsn);
    if (body === undefined) return;
    journalOp(summaryKey(hub), body);
    this.#doneLsn = throughLsn;
    files.replace(path, utf8(String(throughLsn)));
    log.info('uplink.summary', { ops: fold.ops, bytes: body.length, throughLsn });
  }
}
