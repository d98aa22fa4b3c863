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
import { Coming } from './coming.ts';

type Told = Pick<Op, 'kind' | 'key' | 'body'>;

const BUSY = later('the document is being folded');
const FULL = never(
  `the document is full: ${DOC_BYTES_MAX} bytes with all that ever stood in it. What makes it shorter is taken; or go on in a new one`,
);

export class DocRoom {
  readonly #store: Pick<HubStore, 'ask' | 'appliedLsn'>;
  /** Bytes on their way to the store. */
  readonly #coming: Coming<number>;

  constructor(store: Pick<HubStore, 'ask' | 'appliedLsn'>) {
    this.#store = store;
    this.#coming = new Coming(store);
  }

  /** Why an op is not taken; undefined where nothing about its document is against it. */
  refusal({ kind, key, body }: Told): Rejection | undefined {
    if (kind !== DOC) return undefined;
    const bytes = this.#store.ask(({ records }) => records.docBytes(key)) ?? 0;
    const coming = this.#coming.of(key);
    if (bytes + (coming ?? 0) + body.length <= DOC_BYTES_MAX) return undefined;
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
    this.#coming.note(key, lsn, (this.#coming.of(key) ?? 0) + body.length);
  }
}
