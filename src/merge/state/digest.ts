/**
 * The digest of a state (MERGE.md §5): SHA-256 over what lives, in one canonical form. It contains no stamp,
 * no order of arrival, no LSN, no tombstone and no history, so that it is equal exactly where the living
 * state is equal. The hash function is injected: this room runs in browsers too.
 */
import { assert } from '../../base/assert.ts';
import { compareBytes, utf8 } from '../../base/bytes.ts';
import { finish, type Steps } from '../../base/steps.ts';
import { CborWriter } from '../../codec/writer.ts';
import { bytesOfOrigin } from '../../model/origin.ts';
import type { EventWrite } from '../fold-target.ts';
import type { DocState } from '../doc/doc-state.ts';
import type { WriteOrder } from '../order.ts';
import { bytesOfTotal, type Counter, type FieldWrite } from '../record.ts';

export interface Hasher {
  update(bytes: Uint8Array): void;
  /** Ends the hash: 32 bytes. */
  finish(): Uint8Array;
}

/** What lives: events in ascending byte order of their keys, fields in that of (key, field name). */
export interface LivingState {
  events(): Iterable<readonly [key: string, write: EventWrite]>;
  fields(): Iterable<readonly [key: string, field: string, write: FieldWrite]>;
  /** Ordered as fields are. */
  counters(): Iterable<readonly [key: string, field: string, counter: Counter]>;
  /** Documents that say anything, in ascending byte order of their keys. */
  docs(): Iterable<readonly [key: string, doc: DocState]>;
}

const DOMAIN = utf8('heliograph state 1\n');
const EVENT_LEAF = 0;
const FIELD_LEAF = 1;
const COUNTER_LEAF = 2;
const DOC_LEAF = 3;
/** Some milliseconds on a slow processor. */
const STEP_LEAVES = 64;

interface StateHash {
  readonly digest: Uint8Array;
  /** How many leaves it covers. */
  readonly leaves: number;
}

/** The digest of a state. */
export function digestOf(state: LivingState, hasher: Hasher): StateHash {
  return finish(digestInSteps(state, hasher));
}

/** The same in small steps; the state must not change before the last of them. */
export function* digestInSteps(state: LivingState, hasher: Hasher): Steps<StateHash> {
  const builder = new DigestBuilder(hasher);
  for (const [key, write] of state.events()) if (builder.event(key, write)) yield;
  for (const [key, field, write] of state.fields()) if (builder.field(key, field, write)) yield;
  for (const [key, field, counter] of state.counters()) {
    if (builder.counter(key, field, counter)) yield;
  }
  for (const [key, doc] of state.docs()) {
    builder.doc(key, doc.state);
    yield;
  }
  return builder.finish();
}

/**
 * Builds the digest leaf by leaf, for whoever passes over the state anyway: all events, all fields, all counters, all
 * documents. What takes a leaf is true where it is time for others to have their turn.
 */
export class DigestBuilder {
  readonly #hasher: Hasher;
  readonly #writer = new CborWriter(1024);
  #leaves = 0;
  readonly #eventsInOrder = ascending();
  readonly #fieldsInOrder = ascendingPairs();
  readonly #countersInOrder = ascendingPairs();
  readonly #docsInOrder = ascending();

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
    hasher.update(DOMAIN);
  }

  event(key: string, { body, order }: EventWrite): boolean {
    this.#eventsInOrder(utf8(key));
    this.#writer.array(6).uint(EVENT_LEAF).text(key).bytes(body);
    writeIdentity(this.#writer, order);
    return this.#add();
  }

  field(key: string, field: string, { value, order }: FieldWrite): boolean {
    this.#fieldsInOrder(key, field);
    this.#writer.array(7).uint(FIELD_LEAF).text(key).text(field).raw(value);
    writeIdentity(this.#writer, order);
    return this.#add();
  }

  counter(key: string, field: string, { total }: Counter): boolean {
    this.#countersInOrder(key, field);
    this.#writer.array(4).uint(COUNTER_LEAF).text(key).text(field).bytes(bytesOfTotal(total));
    return this.#add();
  }

  /** `state`: the one encoding of the document. */
  doc(key: string, state: Uint8Array): boolean {
    this.#docsInOrder(utf8(key));
    this.#writer.array(3).uint(DOC_LEAF).text(key).bytes(state);
    return this.#add();
  }

  finish(): StateHash {
    return { digest: this.#hasher.finish(), leaves: this.#leaves };
  }

  #add(): boolean {
    this.#hasher.update(this.#writer.peek());
    this.#writer.reset();
    this.#leaves += 1;
    return this.#leaves % STEP_LEAVES === 0;
  }
}

/** The op that wrote the leaf: origin, class, seq. */
function writeIdentity(writer: CborWriter, order: WriteOrder): void {
  writer.bytes(bytesOfOrigin(order.origin)).uint(order.class).uint(order.seq);
}

function ascendingPairs(): (key: string, field: string) => void {
  const keysInOrder = ascending();
  let fieldsInOrder = ascending();
  let previous: string | undefined;
  return (key, field) => {
    if (key !== previous) {
      keysInOrder(utf8(key));
      previous = key;
      fieldsInOrder = ascending();
    }
    fieldsInOrder(utf8(field));
  };
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
