/**
 * What the door asks before it takes an update of a document from a device (MERGE.md §9). What it has taken and the store has
 * not folded yet counts with all its bytes: a device that comes back with a day's work could fill a document many times
 * over otherwise. Ops of peers and of the region pass: a hub has taken them, so they count everywhere.
 */
import { later, never, type Rejection } from '../../ingest/door/rejection.ts';
import { changeIn } from '../../merge/doc/document.ts';
import { DOC_BYTES_MAX, hasRoomFor } from '../../merge/doc/full-document.ts';
import { DOC, type Op } from '../../model/op.ts';
import type { HubStore } from '../storage/store.ts';

/** What of a document is on its way to the store. */
interface Coming {
  lsn: number;
  bytes: number;
}

type Told = Pick<Op, 'kind' | 'key' | 'body'>;

const BUSY = later('the document is being folded');
const FULL = never(
  `the document is full: ${DOC_BYTES_MAX} bytes with all that ever stood in it. What makes it shorter is taken; or go on in a new one`,
);
/** With so many documents more than at the last look, it is looked what has been folded since. */
const LOOK_AFTER = 1_000;

export class DocRoom {
  readonly #store: Pick<HubStore, 'ask' | 'appliedLsn'>;
  readonly #coming = new Map<string, Coming>();
  #lookAt = LOOK_AFTER;

  constructor(store: Pick<HubStore, 'ask' | 'appliedLsn'>) {
    this.#store = store;
  }

  /** Why an op is not taken; undefined where nothing about its document is against it. */
  refusal({ kind, key, body }: Told): Rejection | undefined {
    if (kind !== DOC) return undefined;
    const bytes = this.#store.ask(({ records }) => records.docBytes(key)) ?? 0;
    const coming = this.#comingTo(key);
    if (bytes + (coming?.bytes ?? 0) + body.length <= DOC_BYTES_MAX) return undefined;
    if (coming !== undefined) return BUSY;
    const change = changeIn(body);
    // A body that is no update is refused for that.
    if (typeof change === 'string' || bytes === 0) return undefined;
    const sizes = this.#store.ask(({ records }) => records.docSizesWith(key, change));
    return sizes === undefined || hasRoomFor(change, sizes) ? undefined : FULL;
  }

  /** The op was taken, and lies there. */
  note({ kind, key, body }: Told, lsn: number): void {
    if (kind !== DOC) return;
    const coming = this.#comingTo(key) ?? { lsn, bytes: 0 };
    coming.lsn = lsn;
    coming.bytes += body.length;
    this.#coming.set(key, coming);
    if (this.#coming.size >= this.#lookAt) this.#forgetFolded();
  }

  #comingTo(key: string): Coming | undefined {
    const coming = this.#coming.get(key);
    if (coming === undefined || coming.lsn > this.#store.appliedLsn) return coming;
    this.#coming.delete(key);
    return undefined;
  }

  #forgetFolded(): void {
    for (const key of this.#coming.keys()) this.#comingTo(key);
    this.#lookAt = this.#coming.size + LOOK_AFTER;
  }
}
