/**
 * A hub's tree of one class in two tables: its open tiles, and the full ones. A batch that goes on where the tree ends, as
 * nearly all do, needs the open tiles alone; of one that tells again what is known, the tiles that it touches are
 * fetched before.
 */
import { must } from '../../../base/assert.ts';
import { firstLeafOf, type Manifest } from '../../../batch/manifest.ts';
import { TILE_HASHES, TILE_HEIGHT, type TileFiles, TileTree } from '../../../ledger/tile-tree.ts';
import type { Sql } from '../../../platform/network/postgres.ts';
import { byteaArray, int2Array, int4Array } from '../binary-arrays.ts';

const OPEN = `
  SELECT full_tiles, hashes FROM heliograph.ledger WHERE site_id = $1 AND hub = $2 AND class = $3`;
const TILES = `
  SELECT level, idx, hashes FROM heliograph.ledger_tile
  WHERE site_id = $1 AND hub = $2 AND class = $3 AND level = $4 AND idx BETWEEN $5 AND $6`;
const SAVE_OPEN = `
  INSERT INTO heliograph.ledger (site_id, hub, class, full_tiles, hashes) VALUES ($1, $2, $3, $4::int[], $5::bytea[])
  ON CONFLICT (site_id, hub, class) DO UPDATE SET full_tiles = excluded.full_tiles, hashes = excluded.hashes`;
const SAVE_TILES = `
  INSERT INTO heliograph.ledger_tile (site_id, hub, class, level, idx, hashes)
  SELECT $1, $2, $3, l, i, h FROM unnest($4::int2[], $5::int[], $6::bytea[]) AS t (l, i, h) ON CONFLICT DO NOTHING`;
const LEVELS_MAX = 7;

/** The tree as it stands, ready to be compared with what the manifest tells. */
export async function loadTree(sql: Sql, siteId: number, manifest: Manifest): Promise<TileTree> {
  const { hub, class: opClass, tree: told } = manifest;
  const [row] = await sql.query(OPEN, [siteId, hub, opClass]);
  const fullTiles = (row?.['full_tiles'] as number[] | undefined) ?? [];
  const hashes = (row?.['hashes'] as Uint8Array[] | undefined) ?? [];
  const tiles = fullTiles.map((full, level) => ({
    fullTiles: full,
    hashes: hashes[level] as Uint8Array,
  }));
  const fetched = new Map<string, Uint8Array>();
  const tree = new TileTree(tileFiles(fetched), 'tree', tiles);
  const before = firstLeafOf(manifest);
  if (told === undefined || before < 0 || before >= tree.size) return tree;
  for (let level = 0; level < Math.min(LEVELS_MAX, tiles.length); level++) {
    const width = 2 ** (TILE_HEIGHT * (level + 1));
    const range = [Math.floor(before / width), Math.floor(told.size / width)];
    for (const tile of await sql.query(TILES, [siteId, hub, opClass, level, ...range])) {
      fetched.set(`tree.${level}/${String(tile['idx'])}`, tile['hashes'] as Uint8Array);
    }
  }
  return tree;
}

/** Keeps what the tree has grown by since it was loaded, when it had `sizeBefore` leaves. */
export async function saveTree(
  sql: Sql,
  siteId: number,
  { hub, class: opClass }: Manifest,
  tree: TileTree,
  sizeBefore: number,
): Promise<void> {
  const open = tree.openTiles();
  const grown = open.flatMap(({ fullTiles }, level) => {
    const first = Math.floor(sizeBefore / TILE_HASHES ** (level + 1));
    return Array.from({ length: fullTiles - first }, (_, at) => ({ level, index: first + at }));
  });
  if (grown.length > 0) {
    await sql.query(SAVE_TILES, [
      siteId,
      hub,
      opClass,
      int2Array(grown.map(({ level }) => level)),
      int4Array(grown.map(({ index }) => index)),
      byteaArray(
        grown.map(({ level, index }) =>
          must(tree.tile(level, index, TILE_HASHES), 'a tile that has filled is there'),
        ),
      ),
    ]);
  }
  await sql.query(SAVE_OPEN, [
    siteId,
    hub,
    opClass,
    int4Array(open.map(({ fullTiles }) => fullTiles)),
    byteaArray(open.map(({ hashes }) => hashes)),
  ]);
}

/** Full tiles that were fetched, as a tree reads them from files. */
function tileFiles(fetched: ReadonlyMap<string, Uint8Array>): TileFiles {
  const never = (): never => {
    throw new Error('tiles are written to tables');
  };
  return {
    syncDir: never,
    open: (path) => ({
      path,
      readAt: (into, offset) => {
        const index = offset / into.length;
        into.set(must(fetched.get(`${path}/${index}`), 'tiles that are read were fetched'));
        return into.length;
      },
      writeAt: never,
      fillZeros: never,
      size: never,
      truncate: never,
      datasync: never,
      datasyncNow: never,
      close: () => undefined,
    }),
  };
}
