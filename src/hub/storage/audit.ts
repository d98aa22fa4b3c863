/** The audit log of a running hub: what it is told, and by whom. Without `audit.enabled` nobody tells it anything. */
import { must } from '../../base/assert.ts';
import { HubError } from '../../base/errors.ts';
import { AuditTrail } from '../../audit/audit-trail.ts';
import { CborError } from '../../codec/reader.ts';
import type { Ground } from '../ground.ts';
import type { Serving } from '../serving.ts';
import type { OpId } from '../../merge/op-id.ts';
import { readUndo } from '../../merge/patch.ts';
import { CLASS_NAMES, type OpClass } from '../../model/class.ts';
import { decodeEntry, type Entry } from '../../model/entry.ts';
import { EVENT, UNDO } from '../../model/op.ts';
import { ORIGIN_BYTES, type Origin, originOfBytes } from '../../model/origin.ts';
import { OpScan } from '../../store/folding/op-scan.ts';
import type { MetConflict } from '../../store/records/conflict-book.ts';
import type { BatchAudit } from '../../uplink/ports.ts';

/** Conflicts that are looked at, the newest first: more where all of these are new. */
const CONFLICTS_MIN = 200;
const CONFLICTS_MAX = CONFLICTS_MIN * 64;
/** Edits behind which conflicts are looked for early. */
const EDITS_MAX = 10_000;
/** After a crash, entries that the store has folded and the log does not know are told again, so many at most. */
const CATCH_UP_MAX = 100_000;

export class HubAudit {
  readonly trail: AuditTrail;
  readonly #serving: Pick<Serving, 'journal' | 'store'>;
  readonly #scan = new OpScan();
  #origin: { readonly bytes: Uint8Array; readonly name: Origin } | undefined;
  /** Stamps of edits since the last look: a conflict bears that of the edit with which it was met. */
  readonly #editsMs = new Set<number>();
  #isCaughtUp = false;

  private constructor({ machine, time, paths, config }: Ground, serving: Serving) {
    const { files, log } = machine;
    const { mibMax: filesMax } = config.audit;
    const times = { clock: time.clock, timers: time.timers };
    const beforeGroup = (): void => this.#lookForConflicts();
    const place = { files, dir: paths.audit, filesMax };
    this.trail = AuditTrail.open({ ...place, ...times, log, beforeGroup });
    this.#serving = serving;
  }

  static open(ground: Ground, serving: Serving): HubAudit | undefined {
    return ground.config.audit.enabled ? new HubAudit(ground, serving) : undefined;
  }

  /** The entry at `lsn` is being folded; in order, and from earlier on where the store is built anew. */
  offer(lsn: number, entry: Uint8Array): void {
    if (!this.#isCaughtUp) this.#catchUp(lsn);
    if (lsn <= this.trail.seenLsn) return;
    this.#take(lsn, entry);
  }

  /** For the uplink. */
  get batches(): BatchAudit {
    const { trail } = this;
    return {
      batched: (batch) => trail.batched(batch),
      receipted: (batch) => trail.receipted(batch),
      refused: (batch, reason) => trail.refused(batch, reason),
      hindered: (reason) => trail.hindered(reason),
    };
  }

  close(): void {
    this.trail.close();
  }

  /** What the log lacks between its last line and where the store goes on. */
  #catchUp(beforeLsn: number): void {
    this.#isCaughtUp = true;
    const from = Math.max(this.trail.seenLsn + 1, beforeLsn - CATCH_UP_MAX);
    if (from >= beforeLsn) return;
    const cursor = this.#serving.journal.cursor(from);
    for (let item = cursor.next(); item !== undefined; item = cursor.next()) {
      if (item.lsn >= beforeLsn) return;
      this.#take(item.lsn, item.entry);
    }
  }

  #take(lsn: number, bytes: Uint8Array): void {
    const scan = this.#scan;
    if (scan.read(bytes) && scan.kind === EVENT) {
      // Most entries by far are events: nothing of them is made but what the log needs.
      const { class: opClass, seq, stampMs: ms, stampCounter: counter } = scan;
      const origin = this.#originAt(bytes, scan.laneAt);
      this.trail.received(
        lsn,
        { origin, class: opClass as OpClass, seq },
        { hlc: { ms, counter } },
      );
      this.trail.merged(lsn);
    } else this.#takeOther(lsn, bytes);
  }

  /** One hub's own events come in a row: the text of their origin is made once. */
  #originAt(bytes: Uint8Array, at: number): Origin {
    const known = this.#origin;
    if (known !== undefined && liesAt(bytes, at, known.bytes)) return known.name;
    const place = bytes.slice(at, at + ORIGIN_BYTES);
    const name = must(originOfBytes(place), 'a scanned op has an origin');
    this.#origin = { bytes: place, name };
    return name;
  }

  #takeOther(lsn: number, bytes: Uint8Array): void {
    const entry = entryOf(bytes);
    if (entry?.type === 'op') {
      const { op, stamp } = entry.stamped;
      this.trail.received(lsn, op, stamp);
      if (op.kind !== EVENT) {
        if (this.#editsMs.size >= EDITS_MAX) this.#lookForConflicts();
        this.#editsMs.add(stamp.hlc.ms);
      }
      if (op.kind === UNDO) {
        for (const target of readUndo(op.body) ?? []) this.trail.undone(nameOf(target), nameOf(op));
      }
    }
    this.trail.merged(lsn);
  }

  #lookForConflicts(): void {
    if (this.#editsMs.size === 0) return;
    try {
      for (const { key, field, winner, loser } of this.#newConflicts().toReversed()) {
        this.trail.conflict({ winner: nameOf(winner), loser: nameOf(loser), key, field });
      }
      this.#editsMs.clear();
    } catch (error) {
      // The store is being built anew: the next group is soon enough.
      if (!(error instanceof HubError)) throw error;
    }
  }

  /** The newest first. */
  #newConflicts(): MetConflict[] {
    const { records } = this.#serving.store.state;
    for (let limit = CONFLICTS_MIN; ; limit *= 2) {
      const met = records.conflicts(true, limit);
      const fresh = met.filter(({ foundMs }) => this.#editsMs.has(foundMs));
      if (fresh.length < limit || limit >= CONFLICTS_MAX) return fresh;
    }
  }
}

/** Without a view on them: this runs for every message. */
function liesAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}

function nameOf({ origin, class: opClass, seq }: OpId): string {
  return `${origin}/${CLASS_NAMES[opClass]}/${seq}`;
}

/** Undefined for an entry of a later version. */
function entryOf(bytes: Uint8Array): Entry | undefined {
  try {
    return decodeEntry(bytes);
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}
