/**
 * The digest of a state (MERGE.md §5): SHA-256 over what lives, in one canonical form. It contains no stamp,
 * no order of arrival, no LSN, no tombstone and no history, so that it is equal exactly where the living
 * state is equal. The hash function is injected: this room runs in browsers too.
 */
import { assert } from '../base/assert.ts';
import { compareBytes, utf8 } from '../base/bytes.ts';
import { CborWriter } from '../codec/writer.ts';
import { bytesOfOrigin } from '../model/origin.ts';
import type { EventWrite, FieldWrite } from './fold.ts';
import type { WriteOrder } from './order.ts';

export interface Hasher {
  update(bytes: Uint8Array): void;
  /** Ends the hash: 32 bytes. */
  finish(): Uint8Array;
}

/** What lives: events in ascending byte order of their keys, fields in that of (key, field name). */
export interface LivingState {
  events(): Iterable<readonly [key: string, write: EventWrite]>;
  fields(): Iterable<readonly [key: string, field: string, write: FieldWrite]>;
}

const DOMAIN = utf8('heliograph state 1\n');
const EVENT_LEAF = 0;
const FIELD_LEAF = 1;

/** The digest, and how many leaves it covers. */
export function digestOf(
  state: LivingState,
  hasher: Hasher,
): { digest: Uint8Array; leaves: number } {
  const writer = new CborWriter(1024);
  let leaves = 0;
  const add = (): void => {
    hasher.update(writer.peek());
    writer.reset();
    leaves += 1;
  };
  hasher.update(DOMAIN);
  const eventsInOrder = ascending();
  for (const [key, { body, order }] of state.events()) {
    eventsInOrder(utf8(key));
    writer.array(6).uint(EVENT_LEAF).text(key).bytes(body);
    writeIdentity(writer, order);
    add();
  }
  const recordsInOrder = ascending();
  let record: string | undefined;
  let fieldsInOrder = ascending();
  for (const [key, field, { value, order }] of state.fields()) {
    if (key !== record) {
      recordsInOrder(utf8(key));
      record = key;
      fieldsInOrder = ascending();
    }
    fieldsInOrder(utf8(field));
    writer.array(7).uint(FIELD_LEAF).text(key).text(field).raw(value);
    writeIdentity(writer, order);
    add();
  }
  return { digest: hasher.finish(), leaves };
}

/** The op that wrote the leaf: origin, class, seq. */
function writeIdentity(writer: CborWriter, order: WriteOrder): void {
  writer.bytes(bytesOfOrigin(order.origin)).uint(order.class).uint(order.seq);
}

function ascending(): (bytes: Uint8Array) => void {
  let previous: Uint8Array | undefined;
  return (bytes) => {
    assert(
      previous === undefined || compareBytes(previous, bytes) < 0,
      'leaves come in ascending order',
    );
    previous = bytes;
  };
}
