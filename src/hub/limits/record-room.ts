/**
 * What the door asks before it takes from a device, or over HTTP, what makes a record larger (MERGE.md §3). What it has taken and the store has
 * not folded yet counts, too. Ops of peers and of the region pass: a hub has taken them, so they count everywhere.
 *
 * An undo that may bring back what was removed is judged by all that the record's ops have ever written: what would live of it,
 * folding alone can say, and there are few records for which it makes a difference.
 */
import { later, never, type Rejection } from '../../ingest/door/rejection.ts';
import { readUndo } from '../../merge/patch.ts';
import {
  isOverfull,
  outgrows,
  Pieces,
  RECORD_BYTES_MAX,
  RECORD_FIELDS_MAX,
  type RecordSize,
} from '../../merge/record/record-size.ts';
import { isRecordKind, type Op, PATCH, REMOVE, UNDO } from '../../model/op.ts';
import type { Records } from '../../store/records/records.ts';
import type { HubStore } from '../storage/store.ts';
import { Coming } from './coming.ts';

/** All that a record's ops had ever written when the state was that far. */
interface Ever {
  readonly key: string;
  readonly appliedLsn: number;
  readonly pieces: Pieces;
}

interface OnTheWay {
  readonly pieces: Pieces;
  /** Whether a remove or an undo is among it. */
  takes: boolean;
}

type Told = Pick<Op, 'kind' | 'key' | 'body'>;

const BUSY = later('the record is being folded');
const LIMITS = `${RECORD_FIELDS_MAX} fields and counters, ${RECORD_BYTES_MAX} bytes with their names`;
const FULL = never(`the record is full: ${LIMITS}. What makes it no larger is taken`);
const TOO_MUCH = never(`with all that was ever written in it, the record may be full: ${LIMITS}`);
const NOTHING = new Pieces();

export class RecordRoom {
  readonly #store: Pick<HubStore, 'ask' | 'appliedLsn'>;
  readonly #coming: Coming<OnTheWay>;
  /** Of the record that was looked through last: a device may hand in hundreds of undos at once. */
  #ever: Ever | undefined;

  constructor(store: Pick<HubStore, 'ask' | 'appliedLsn'>) {
    this.#store = store;
    this.#coming = new Coming(store);
  }

  /** Why an op is not taken; undefined where nothing about the size of its record is against it. */
  refusal({ kind, key, body }: Told): Rejection | undefined {
    if (!isRecordKind(kind) || kind === REMOVE) return undefined;
    const coming = this.#coming.of(key);
    if (kind === UNDO) return this.#undoRefusal(key, body, coming);
    const written = new Pieces();
    written.putOp(kind, body);
    const size = this.#sizeWith(key, written);
    if (size === undefined) return undefined;
    const more = coming?.pieces.size ?? NOTHING.size;
    const most = { fields: size.fields + more.fields, bytes: size.bytes + more.bytes };
    return isOverfull(most) ? this.#exactly(key, written, coming) : undefined;
  }

  /** The op was taken, and lies there. */
  note({ kind, key, body }: Told, lsn: number): void {
    if (!isRecordKind(kind)) return;
    const coming = this.#coming.of(key) ?? { pieces: new Pieces(), takes: false };
    if (!isOverfull(coming.pieces.size)) coming.pieces.putOp(kind, body);
    coming.takes ||= kind === REMOVE || kind === UNDO;
    this.#coming.note(key, lsn, coming, 1 + coming.pieces.size.fields);
  }

  /** The same, where the fields that live may be those that have come. */
  #exactly(key: string, written: Pieces, coming: OnTheWay | undefined): Rejection | undefined {
    const before = this.#sizeWith(key, coming?.pieces ?? NOTHING);
    const all = new Pieces();
    if (coming !== undefined) all.putAll(coming.pieces);
    all.putAll(written);
    const after = this.#sizeWith(key, all);
    if (before === undefined || after === undefined || !outgrows(before, after)) return undefined;
    return coming === undefined ? FULL : BUSY;
  }

  #undoRefusal(key: string, body: Uint8Array, coming: OnTheWay | undefined): Rejection | undefined {
    return this.#store.ask(({ records }) => {
      const kinds = records.kindsOf(key, readUndo(body) ?? []);
      const unknown = coming?.takes === true ? REMOVE : PATCH;
      if (!kinds.some((kind = unknown) => kind === REMOVE || kind === UNDO)) return undefined;
      const all = new Pieces();
      all.putAll(this.#everWritten(key, records));
      if (coming !== undefined) all.putAll(coming.pieces);
      if (!isOverfull(all.size)) return undefined;
      return coming === undefined ? TOO_MUCH : BUSY;
    });
  }

  #everWritten(key: string, records: Pick<Records, 'everWritten'>): Pieces {
    const { appliedLsn } = this.#store;
    if (this.#ever?.key !== key || this.#ever.appliedLsn !== appliedLsn) {
      this.#ever = { key, appliedLsn, pieces: records.everWritten(key) };
    }
    return this.#ever.pieces;
  }

  #sizeWith(key: string, pieces: Pieces): RecordSize | undefined {
    return this.#store.ask(({ records }) => records.sizeWith(key, pieces));
  }
}
