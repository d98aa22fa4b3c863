/** A document of the site's state: its content, and its heads, which say which ops are in it. */
import { CborError, type CborReader } from '../../codec/reader.ts';
import type { CborWriter } from '../../codec/writer.ts';
import { isOpClass } from '../../model/class.ts';
import { bytesOfOrigin, type Lane, laneOf, originOfBytes, splitLane } from '../../model/origin.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';
import type { OpId } from '../op-id.ts';
import { Document } from './document.ts';
import { type DocChange, readUpdate } from './read-update.ts';

/** A document as it lies in tables, snapshots and pages. */
export interface DocState {
  /** The highest seq of each lane among the ops on the document. */
  readonly heads: VersionVector;
  /** What `Document.encode` gives: equal bytes for equal sets of updates. */
  readonly state: Uint8Array;
}

/** A document that is being folded. */
export class DocFold {
  readonly document: Document;
  readonly #heads: Map<Lane, number>;

  constructor(document = new Document(), heads: VersionVector = new Map()) {
    this.document = document;
    this.#heads = new Map(heads);
  }

  static decode({ heads, state }: DocState): DocFold {
    return new DocFold(Document.decode(state), heads);
  }

  get heads(): VersionVector {
    return this.#heads;
  }

  merge(change: DocChange, { origin, class: opClass, seq }: OpId): void {
    this.document.merge(change);
    this.#raise(laneOf(origin, opClass), seq);
  }

  /** Takes over what another replica has of it; throws `DocError` where that is no document. */
  join({ heads, state }: DocState): void {
    this.document.merge(readUpdate(state, true));
    for (const [lane, seq] of heads) this.#raise(lane, seq);
  }

  encode(): DocState {
    return { heads: new Map(this.#heads), state: this.document.encode() };
  }

  #raise(lane: Lane, seq: number): void {
    if (seq > seqIn(this.#heads, lane)) this.#heads.set(lane, seq);
  }
}

/** An array of origin, class, seq, origin, class, seq … in ascending order. */
export function writeHeads(writer: CborWriter, heads: VersionVector): void {
  writer.array(3 * heads.size);
  for (const [lane, seq] of [...heads].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const { origin, class: opClass } = splitLane(lane);
    writer.bytes(bytesOfOrigin(origin)).uint(opClass).uint(seq);
  }
}

/** Reads what `writeHeads` wrote; throws `CborError` where it is malformed. */
export function readHeads(reader: CborReader): VersionVector {
  const start = reader.offset;
  const heads = new Map<Lane, number>();
  const parts = reader.array();
  if (parts % 3 !== 0) throw new CborError('malformed heads', start);
  for (let i = 0; i < parts; i += 3) {
    const origin = originOfBytes(reader.bytes());
    const opClass = reader.uint();
    if (origin === undefined || !isOpClass(opClass)) throw new CborError('malformed heads', start);
    heads.set(laneOf(origin, opClass), reader.uint());
  }
  return heads;
}
