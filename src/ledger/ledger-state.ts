/**
 * What the ledger keeps beside its full tiles (LEDGER.md §5): how far in the journal it has come, the open
 * tiles of every class, and the last checkpoint that the region has cosigned. One file, replaced as a whole, with its content
 * in it twice, because nothing else has the hashes of ops that the journal has let go of.
 */
import { bytesEqual, concatBytes } from '../base/bytes.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import type { CborLimits } from '../codec/value.ts';
import { CborWriter } from '../codec/writer.ts';
import { sha256 } from '../hashes.ts';
import { isOpClass, type OpClass } from '../model/class.ts';
import type { Files } from '../platform/files/files.ts';
import { LEDGER_FORMAT } from '../versions.ts';
import { HASH_BYTES } from './merkle.ts';
import { type OpenTile, TILE_BYTES } from './tile-tree.ts';

export interface LedgerState {
  /** Every op of the journal up to here is in its tree. */
  readonly throughLsn: number;
  readonly trees: ReadonlyMap<OpClass, readonly OpenTile[]>;
  /** Checkpoints with the region's line. */
  readonly cosigned: ReadonlyMap<OpClass, string>;
}

type StateOutcome =
  | { readonly kind: 'state'; readonly state: LedgerState }
  | { readonly kind: 'none' }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'newer'; readonly format: number };

const MAGIC = 'heliograph ledger';
const LIMITS: CborLimits = { depthMax: 6, itemsMax: 1_000 };

export function writeLedgerState(files: Files, path: string, state: LedgerState): void {
  files.replace(path, encodeLedgerState(state));
}

/** What the file holds: two copies, so that a page that goes bad does not take it. */
export function encodeLedgerState(state: LedgerState): Uint8Array {
  const writer = new CborWriter(32_768).array(5).text(MAGIC).uint(LEDGER_FORMAT);
  writer.uint(state.throughLsn).array(state.trees.size);
  for (const [opClass, tiles] of state.trees) {
    writer.array(2).uint(opClass).array(tiles.length);
    for (const { fullTiles, hashes } of tiles) writer.array(2).uint(fullTiles).bytes(hashes);
  }
  writer.array(state.cosigned.size);
  for (const [opClass, text] of state.cosigned) writer.array(2).uint(opClass).text(text);
  const content = writer.finish();
  const hash = sha256(content);
  const copy = new CborWriter(content.length + 64).array(2).bytes(content).bytes(hash).finish();
  return concatBytes([copy, copy]);
}

export function readLedgerState(files: Pick<Files, 'read'>, path: string): StateOutcome {
  const bytes = files.read(path);
  if (bytes === undefined) return { kind: 'none' };
  const middle = Math.floor(bytes.length / 2);
  for (const copy of [bytes.subarray(0, middle), bytes.subarray(middle)]) {
    try {
      return readCopy(copy);
    } catch (error) {
      if (!(error instanceof CborError)) throw error;
    }
  }
  return { kind: 'damaged' };
}

function readCopy(bytes: Uint8Array): StateOutcome {
  const copy = new CborReader(bytes, 0, LIMITS);
  copy.expectArray(2);
  const content = copy.bytes();
  if (!bytesEqual(sha256(content), copy.bytes())) throw new CborError('wrong hash', copy.offset);
  const reader = new CborReader(content, 0, LIMITS);
  const fields = reader.array();
  if (reader.text() !== MAGIC) throw new CborError('not a ledger', 0);
  const format = reader.uint();
  if (format > LEDGER_FORMAT) return { kind: 'newer', format };
  if (fields !== 5) throw new CborError('field count', 0);
  const throughLsn = reader.uint();
  const trees = new Map<OpClass, OpenTile[]>();
  for (let count = reader.array(); count > 0; count--) {
    reader.expectArray(2);
    trees.set(readClass(reader), readTiles(reader));
  }
  const cosigned = new Map<OpClass, string>();
  for (let count = reader.array(); count > 0; count--) {
    reader.expectArray(2);
    cosigned.set(readClass(reader), reader.text());
  }
  return { kind: 'state', state: { throughLsn, trees, cosigned } };
}

function readTiles(reader: CborReader): OpenTile[] {
  const tiles: OpenTile[] = [];
  for (let count = reader.array(); count > 0; count--) {
    reader.expectArray(2);
    const fullTiles = reader.uint();
    const hashes = reader.bytes();
    if (hashes.length >= TILE_BYTES || hashes.length % HASH_BYTES > 0) {
      throw new CborError('not an open tile', reader.offset);
    }
    tiles.push({ fullTiles, hashes });
  }
  return tiles;
}

function readClass(reader: CborReader): OpClass {
  const opClass = reader.uint();
  if (!isOpClass(opClass)) throw new CborError('no class', reader.offset);
  return opClass;
}
