/** What the regional node says of a batch in the end (BATCH.md §6): it is stored, or it cannot be. Under the node's signature. */
import type { ClockQuality } from '../../base/clock.ts';
import type { Verify } from '../../codec/cose.ts';
import { CborReader } from '../../codec/reader.ts';
import { CborWriter } from '../../codec/writer.ts';
import { HASH_BYTES } from '../../ledger/merkle.ts';
import type { TreeHead } from '../../ledger/note.ts';
import { isOpClass, type OpClass } from '../../model/class.ts';
import { QUALITIES } from '../../model/op.ts';
import { bytesOfOrigin, type Origin, originOfBytes } from '../../model/origin.ts';
import { BATCH_FORMAT, BATCH_FORMAT_WITNESSED } from '../../versions.ts';
import { type BatchId, batchIdOfBytes, bytesOfBatchId } from '../batch-id.ts';
import type { Signer } from '../manifest.ts';
import { type LaneRange, readRanges, writeRanges } from '../ranges.ts';
import { LIMITS, malformed, openSigned, reading, seal } from './signed.ts';

const RECEIPT_TYPE = 'application/vnd.heliograph.receipt+cbor';
const REASON_CHARS_MAX = 200;
const RECEIPT_FIELDS = 11;
/** Of the format with the region's word on the tree. */
const RECEIPT_FIELDS_WITNESSED = 12;

/** The regional node's word that a batch is stored, or that it cannot be. */
export interface Receipt {
  readonly hub: Origin;
  readonly batch: BatchId;
  readonly outcome: 'stored' | 'refused';
  /** Why it was refused. */
  readonly reason: string | undefined;
  readonly class: OpClass;
  readonly ranges: readonly LaneRange[];
  readonly ops: number;
  readonly root: Uint8Array;
  /** The batch that the manifest names as the one before, where the regional node does not know it. */
  readonly awaits: BatchId | undefined;
  readonly atMs: number;
  readonly quality: ClockQuality;
  /** All that the region knows of the hub's tree of this class, cosigned; where the manifest told the tree and they agree. */
  readonly witnessed?: WitnessedHead;
}

export interface WitnessedHead extends TreeHead {
  /** Time and signature over the checkpoint of this head (ledger/note.ts). */
  readonly cosignature: Uint8Array;
}

export function encodeReceipt(receipt: Receipt, signer: Signer): Uint8Array {
  const { witnessed } = receipt;
  const writer = new CborWriter(512);
  if (witnessed === undefined) writer.array(RECEIPT_FIELDS).uint(BATCH_FORMAT);
  else writer.array(RECEIPT_FIELDS_WITNESSED).uint(BATCH_FORMAT_WITNESSED);
  writer.bytes(bytesOfOrigin(receipt.hub)).bytes(bytesOfBatchId(receipt.batch));
  writer.uint(receipt.outcome === 'stored' ? 0 : 1).text(receipt.reason ?? '');
  writer.uint(receipt.class);
  writeRanges(writer, receipt.ranges);
  writer.uint(receipt.ops).bytes(receipt.root);
  if (receipt.awaits === undefined) writer.null();
  else writer.bytes(bytesOfBatchId(receipt.awaits));
  writer.array(2).uint(receipt.atMs).uint(QUALITIES.indexOf(receipt.quality));
  if (witnessed !== undefined) {
    writer.array(3).uint(witnessed.size).bytes(witnessed.root).bytes(witnessed.cosignature);
  }
  return seal(RECEIPT_TYPE, writer.finish(), signer);
}

export function parseReceipt(
  bytes: Uint8Array,
  regionKey: Uint8Array,
  verify: Verify,
): Receipt | undefined {
  return reading(() => {
    const reader = new CborReader(openSigned(bytes, RECEIPT_TYPE, regionKey, verify), 0, LIMITS);
    const fields = reader.array();
    const format = reader.uint();
    const isWitnessed = format === BATCH_FORMAT_WITNESSED;
    if (format !== BATCH_FORMAT && !isWitnessed) return malformed();
    if (fields !== (isWitnessed ? RECEIPT_FIELDS_WITNESSED : RECEIPT_FIELDS)) return malformed();
    const hub = originOfBytes(reader.bytes()) ?? malformed();
    const batch = batchIdOfBytes(reader.bytes()) ?? malformed();
    const outcome = reader.uint();
    if (outcome > 1) return malformed();
    const reason = reader.text();
    const opClass = reader.uint();
    if (!isOpClass(opClass) || reason.length > REASON_CHARS_MAX) return malformed();
    const ranges = readRanges(reader);
    const ops = reader.uint();
    const root = reader.bytes();
    const awaits = reader.orNull(() => batchIdOfBytes(reader.bytes()) ?? malformed());
    reader.expectArray(2);
    const atMs = reader.uint();
    const quality = QUALITIES[reader.uint()] ?? malformed();
    const witnessed = isWitnessed ? { witnessed: readWitnessed(reader) } : {};
    if (!reader.atEnd) return malformed();
    const named = {
      hub,
      batch,
      outcome: outcome === 0 ? ('stored' as const) : ('refused' as const),
    };
    const covered = { class: opClass, ranges, ops, root, awaits };
    const told = { ...named, reason: reason === '' ? undefined : reason, ...covered };
    return { ...told, atMs, quality, ...witnessed };
  });
}

function readWitnessed(reader: CborReader): WitnessedHead {
  reader.expectArray(3);
  const size = reader.uint();
  const root = reader.bytes();
  const cosignature = reader.bytes();
  return root.length === HASH_BYTES ? { size, root, cosignature } : malformed();
}
