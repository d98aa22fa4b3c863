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
  const builder = new DigestBuilder(hasher);
  for (const [key, write] of state.events()) builder.event(key, write);
  for (const [key, field, write] of state.fields()) builder.field(key, field, write);
  return builder.finish();
}

/** Builds the digest leaf by leaf, for whoever passes over the state anyway: all events, then all fields. */
export class DigestBuilder {
  readonly #hasher: Hasher;
  readonly #writer = new CborWriter(1024);
  #leaves = 0;
  readonly #eventsInOrder = ascending();
  readonly #recordsInOrder = ascending();
  #fieldsInOrder = ascending();
  #record: string | undefined;

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
    hasher.update(DOMAIN);
  }

  event(key: string, { body, order }: EventWrite): void {
    assert(this.#record === undefined, 'events come before fields');
    this.#eventsInOrder(utf8(key));
    this.#writer.array(6).uint(EVENT_LEAF).text(key).bytes(body);
    this.#add(order);
  }

  field(key: string, field: string, { value, order }: FieldWrite): void {
    if (key !== this.#record) {
      this.#recordsInOrder(utf8(key));
      this.#record = key;
      this.#fieldsInOrder = ascending();
    }
    this.#fieldsInOrder(utf8(field));
    this.#writer.array(7).uint(FIELD_LEAF).text(key).text(field).raw(value);
    this.#add(order);
  }

  finish(): { digest: Uint8Array; leaves: number } {
    return { digest: this.#hasher.finish(), leaves: this.#leaves };
  }

  #add(order: WriteOrder): void {
    writeIdentity(this.#writer, order);
    this.#hasher.update(this.#writer.peek());
    this.#writer.reset();
    this.#leaves += 1;
  }
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
