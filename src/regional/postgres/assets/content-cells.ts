/** Puts the bytes of assets that ops carry into their tables, in the transaction that keeps their batch: a receipt means them too. */
import { bytesOfHex, hexOf } from '../../../base/bytes.ts';
import {
  type AssetPiece,
  carriesBytes,
  GRID_BYTES,
  readPiece,
  readPreview,
} from '../../../model/asset-bytes.ts';
import type { StampedOp } from '../../../model/op.ts';
import type { Origin } from '../../../model/origin.ts';
import type { Sql } from '../../../platform/network/postgres.ts';
import { byteaArray, int4Array, textArray } from '../binary-arrays.ts';

/** What pieces of one origin say that they are of. */
export interface GatheredContent {
  /** SHA-256, 64 hex digits. */
  readonly sha256: string;
  readonly size: number;
  readonly origin: Origin;
}

/** What is known to be whole needs no more of it. */
const PUT_CELLS = `
  INSERT INTO heliograph.content_cell (sha256, site_id, size, origin, cell, data)
  SELECT h, $1, s, o, c, d FROM unnest($2::bytea[], $3::int[], $4::text[], $5::int[], $6::bytea[]) AS t (h, s, o, c, d)
  WHERE NOT EXISTS (SELECT FROM heliograph.content w WHERE w.sha256 = h AND w.site_id = $1)
  ORDER BY h, s, o, c ON CONFLICT DO NOTHING`;
/** The first of a content stays. */
const PUT_PREVIEW = `
  INSERT INTO heliograph.preview (sha256, site_id, type, width, height, data) VALUES ($2, $1, $3, $4, $5, $6)
  ON CONFLICT DO NOTHING`;
/** Cells of one statement: 1 MiB is in memory twice. */
const CELLS_AT_ONCE = 16;

interface Cell {
  readonly piece: AssetPiece;
  readonly origin: Origin;
  readonly cell: number;
  readonly data: Uint8Array;
}

export async function putContents(
  sql: Sql,
  siteId: number,
  entries: readonly StampedOp[],
): Promise<void> {
  let cells: Cell[] = [];
  const flush = async (): Promise<void> => {
    if (cells.length > 0) await putCells(sql, siteId, cells);
    cells = [];
  };
  for (const { op } of entries) {
    if (!carriesBytes(op)) continue;
    const piece = readPiece(op.body);
    for (const cell of piece === undefined ? [] : cellsOf(piece, op.origin)) {
      cells.push(cell);
      if (cells.length >= CELLS_AT_ONCE) await flush();
    }
  }
  await flush();
  for (const { op } of entries) {
    const preview = carriesBytes(op) ? readPreview(op.body) : undefined;
    if (preview === undefined) continue;
    const { of, type, width, height, data } = preview;
    await sql.query(PUT_PREVIEW, [siteId, of, type, width, height, data]);
  }
}

/** The contents that ops carry pieces of, each once, beside those that were found before. */
export function contentsIn(
  entries: readonly StampedOp[],
  found = new Map<string, GatheredContent>(),
): Map<string, GatheredContent> {
  for (const { op } of entries) {
    const piece = carriesBytes(op) ? readPiece(op.body) : undefined;
    if (piece === undefined) continue;
    const content = { sha256: hexOf(piece.sha256), size: piece.size, origin: op.origin };
    found.set(`${content.sha256} ${content.size} ${content.origin}`, content);
  }
  return found;
}

/** How many cells a content has. */
export function cellCount(size: number): number {
  return Math.ceil(size / GRID_BYTES);
}

export function hashBytes(sha256: string): Uint8Array {
  return bytesOfHex(sha256) ?? new Uint8Array(0);
}

async function putCells(sql: Sql, siteId: number, cells: readonly Cell[]): Promise<void> {
  await sql.query(PUT_CELLS, [
    siteId,
    byteaArray(cells.map(({ piece }) => piece.sha256)),
    int4Array(cells.map(({ piece }) => piece.size)),
    textArray(cells.map(({ origin }) => origin)),
    int4Array(cells.map(({ cell }) => cell)),
    byteaArray(cells.map(({ data }) => data)),
  ]);
}

function cellsOf(piece: AssetPiece, origin: Origin): Cell[] {
  const { offset, data } = piece;
  return Array.from({ length: cellCount(data.length) }, (_, at) => ({
    piece,
    origin,
    cell: offset / GRID_BYTES + at,
    data: data.subarray(at * GRID_BYTES, (at + 1) * GRID_BYTES),
  }));
}
