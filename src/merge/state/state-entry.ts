/**
 * Items of a state that was taken over from another hub, in the journal, and how they are folded into what is here. An item
 * says what ops came to, so it is joined like them: any number of times, in any order, with the ops themselves before
 * it or after it.
 *
 *   state-entry = ["state", bstr]      ; body of a local entry; the bytes are state-items (state-item.ts), one after another
 */
import { CborError, CborReader } from '../../codec/reader.ts';
import { CborWriter } from '../../codec/writer.ts';
import { encodeLocalEntry, readTagged } from '../../model/entry.ts';
import type { StampedOp } from '../../model/op.ts';
import { DocError } from '../doc/lib0-reader.ts';
import type { DocState } from '../doc/doc-state.ts';
import { fold } from '../fold.ts';
import type { FoldTarget } from '../fold-target.ts';
import { prevails } from '../order.ts';
import type { RecordWrite } from '../record.ts';
import { readStateItem, type StateItem } from './state-item.ts';

/** A state that items of another one may be joined to. */
export interface JoinTarget extends FoldTarget {
  joinDoc(key: string, doc: DocState): void;
}

const TAG = 'state';
const LIMITS = { depthMax: 10, itemsMax: 1_000_000 };

/** `items`: encoded, one after another. */
export function encodeStateEntry(items: Uint8Array): Uint8Array {
  const writer = new CborWriter(items.length + 16).array(2).text(TAG).bytes(items);
  return encodeLocalEntry(writer.finish());
}

/** Reads the body of a local entry; empty where it is something else. Throws `CborError` where an item is malformed. */
export function stateItemsIn(body: Uint8Array): StateItem[] {
  const bytes = readTagged(body, { tag: TAG, items: 2 }, (reader) => reader.bytes());
  if (bytes === undefined) return [];
  // What is joined may be kept, and the body is somebody else's.
  const reader = new CborReader(bytes.slice(), 0, LIMITS);
  const items: StateItem[] = [];
  while (!reader.atEnd) items.push(readStateItem(reader));
  return items;
}

/** Takes events, documents and ops on records; all else of a state follows from them. Throws `CborError` for what is none. */
export function joinItem(target: JoinTarget, item: StateItem): void {
  if (item.type === 'write') fold(target, opBehind(item.key, item.write));
  else if (item.type === 'event') {
    const { key, write } = item;
    if (prevails(write.order, target.eventOrder(key))) target.putEvent(key, write);
  } else if (item.type === 'doc') {
    try {
      target.joinDoc(item.key, item.doc);
    } catch (error) {
      if (!(error instanceof DocError)) throw error;
      throw new CborError(`a document: ${error.message}`, 0);
    }
  }
}

/** Whether another state needs the item: lanes are told behind the last one, all else follows from these. */
export function isHandedOn({ type }: StateItem): boolean {
  return type === 'write' || type === 'event' || type === 'doc' || type === 'hub';
}

/** As much of the op as its record keeps, which is all that the fold asks for. */
export function opBehind(key: string, { order, kind, body, stamp }: RecordWrite): StampedOp {
  const { authority, hlc, origin, seq, class: opClass } = order;
  const clock = { quality: 'unknown', bootId: 0, monotonicMs: 0 } as const;
  const op = { origin, class: opClass, seq, hlc, clock, kind, key, body };
  const mark = stamp ?? { hub: origin, hlc };
  return { bytes: body, op, stamp: { ...mark, authority, rosterEpoch: 0 } };
}
