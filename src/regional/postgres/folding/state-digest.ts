/** The digest of a site's living state (MERGE.md §5), read in one snapshot of the database, page by page. */
import { hexOf } from '../../../base/bytes.ts';
import { DigestBuilder } from '../../../merge/state/digest.ts';
import { CLASSES, LOG } from '../../../model/class.ts';
import type { Database, PgRow, Sql } from '../../../platform/network/postgres.ts';
import { decodeRanges } from '../../../store/folding/seen-ops.ts';
import { sha256Hasher } from '../../../store/sha256-hasher.ts';
import type { SiteDigest } from '../../embedded/site-store.ts';
import { counterIn, fieldIn, nameIn, orderIn } from './record-tables.ts';

const PAGE_ROWS = 5_000;
/** A document may have a mebibyte. */
const PAGE_DOCS = 20;
const EVENTS = `
  SELECT k.name, l.rank, l.payload FROM heliograph.key k JOIN heliograph.latest l ON l.key_id = k.id
  WHERE k.site_id = $1 ORDER BY k.name`;
const FIELDS = `
  SELECT k.name, f.field, f.rank, f.value FROM heliograph.key k JOIN heliograph.field f ON f.key_id = k.id
  WHERE k.site_id = $1 ORDER BY k.name, f.field`;
const COUNTERS = `
  SELECT k.name, c.field, c.total, c.adds FROM heliograph.key k JOIN heliograph.counter c ON c.key_id = k.id
  WHERE k.site_id = $1 ORDER BY k.name, c.field`;
const DOCS = `
  SELECT k.name, d.state FROM heliograph.key k JOIN heliograph.doc d ON d.key_id = k.id
  WHERE k.site_id = $1 ORDER BY k.name`;
const LANES = 'SELECT lane, up_to, beyond FROM heliograph.lane WHERE site_id = $1';
const RECORDS = `
  SELECT count(*) AS count FROM (
    SELECT f.key_id FROM heliograph.field f JOIN heliograph.key k ON k.id = f.key_id WHERE k.site_id = $1
    UNION SELECT c.key_id FROM heliograph.counter c JOIN heliograph.key k ON k.id = c.key_id WHERE k.site_id = $1) r`;

export function digestOfSite(database: Database, siteId: number): Promise<SiteDigest> {
  return database.transaction(async (sql) => {
    await sql.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    const builder = new DigestBuilder(sha256Hasher());
    await page(sql, EVENTS, siteId, (row) => {
      builder.event(nameIn(row, 'name'), {
        order: orderIn(row),
        body: row['payload'] as Uint8Array,
      });
    });
    await page(sql, FIELDS, siteId, (row) => {
      builder.field(nameIn(row, 'name'), nameIn(row), fieldIn(row));
    });
    await page(sql, COUNTERS, siteId, (row) => {
      builder.counter(nameIn(row, 'name'), nameIn(row), counterIn(row));
    });
    const takeDoc = (row: PgRow): void => {
      builder.doc(nameIn(row, 'name'), row['state'] as Uint8Array);
    };
    await page(sql, DOCS, siteId, takeDoc, PAGE_DOCS);
    const [records] = await sql.query(RECORDS, [siteId]);
    return {
      digest: hexOf(builder.finish().digest),
      ops: opsIn(await sql.query(LANES, [siteId])),
      records: Number(records?.['count']),
    };
  });
}

/** Of the site of this name; undefined where there is none. */
export async function digestOfNamed(
  database: Database,
  site: string,
): Promise<SiteDigest | undefined> {
  const [row] = await database.query('SELECT id FROM heliograph.site WHERE name = $1', [site]);
  return row === undefined ? undefined : digestOfSite(database, row['id'] as number);
}

async function page(
  sql: Sql,
  query: string,
  siteId: number,
  take: (row: PgRow) => void,
  pageRows = PAGE_ROWS,
): Promise<void> {
  // A cursor takes no values in its declaration; the number is our own.
  await sql.query(`DECLARE page NO SCROLL CURSOR FOR ${query.replaceAll('$1', String(siteId))}`);
  for (;;) {
    const rows = await sql.query(`FETCH ${pageRows} FROM page`);
    for (const row of rows) take(row);
    if (rows.length < pageRows) break;
  }
  await sql.query('CLOSE page');
}

/** Ops folded, those of class log left out. */
function opsIn(lanes: readonly PgRow[]): number {
  const counted = new Set(CLASSES.filter((opClass) => opClass !== LOG).map(String));
  let count = 0;
  for (const row of lanes) {
    if (!counted.has((row['lane'] as string).split('/')[1] ?? '')) continue;
    count += Number(row['up_to']);
    const beyond = row['beyond'] === null ? [] : decodeRanges(row['beyond'] as Uint8Array);
    for (const { from, to } of beyond) count += to - from + 1;
  }
  return count;
}
