/** The state that a device was given, in one CBOR item (KEPT.md): it opens with it where no hub answers. */
import { CborError, CborReader } from '../../codec/reader.ts';
import { CborWriter } from '../../codec/writer.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { DeltaItem } from '../../protocol/delta-message.ts';
import { readScope, type Scope, writeScope } from '../../protocol/scope.ts';
import { readVector, writeVector } from '../../protocol/vector.ts';
import { readStateItem, type StateItem, writeStateItem } from '../../merge/state/state-item.ts';

export interface KeptState {
  readonly scope: Scope;
  readonly vector: VersionVector;
  /** Rank that the hub gave to this device last. */
  readonly authority: number;
  /** Where a pull broke off. */
  readonly resume: Uint8Array | undefined;
  readonly items: readonly DeltaItem[];
}

const STATE_FORMAT = 1;
const LIMITS = { depthMax: 16, itemsMax: 50_000_000 };

export function encodeState(
  state: Omit<KeptState, 'items'>,
  items: readonly StateItem[],
): Uint8Array {
  const { scope, vector, authority, resume } = state;
  const writer = new CborWriter(1 << 16).array(6).uint(STATE_FORMAT);
  writeScope(writer, scope);
  writeVector(writer, vector);
  writer.uint(authority);
  if (resume === undefined) writer.null();
  else writer.bytes(resume);
  writer.array(items.length);
  for (const item of items) writeStateItem(writer, item);
  return writer.finish();
}

/** Undefined where it is damaged or of another version: the state is pulled again. */
export function readState(bytes: Uint8Array): KeptState | undefined {
  try {
    const reader = new CborReader(bytes, 0, LIMITS);
    reader.expectArray(6);
    if (reader.uint() !== STATE_FORMAT) return undefined;
    const scope = readScope(reader);
    const vector = readVector(reader);
    const authority = reader.uint();
    const resume = reader.orNull(() => reader.bytes());
    const length = reader.array();
    const items: DeltaItem[] = [];
    for (let i = 0; i < length; i++) items.push({ type: 'state', item: readStateItem(reader) });
    return reader.atEnd ? { scope, vector, authority, resume, items } : undefined;
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}
