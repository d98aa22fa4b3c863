/**
 * Brings the schema `heliograph` to the version of this program. Each step is one transaction under a lock that only
 * migrations take, so that any number of workers may start at once: one does it, the others find it done.
 */
import { HubError } from '../../../base/errors.ts';
import type { Database, Sql } from '../../../platform/network/postgres.ts';
import { REGIONAL_SCHEMA } from '../../../versions.ts';
import { ASSET_TABLES } from '../assets/asset-tables.ts';
import { DOWN_TABLES, LACKS, REFUSED } from '../down/down-tables.ts';
import { HISTORY_BY_TIME, QUERY_HELP } from './query-help.ts';
import { RETENTION } from './retention.ts';
import { DOC_TABLE, FUNCTIONS, SPOOLED, STAMPS, TABLES } from './tables.ts';
import { TIME_TABLES } from './time-tables.ts';
import { DAY_OF_UTC, HINDRANCE, LOG_APART, REFUSAL, VIEWS } from './views.ts';

/** What leads from each version to the next; the first one makes all. */
const STEPS: readonly string[] = [
  TABLES + FUNCTIONS + VIEWS,
  DOC_TABLE,
  STAMPS,
  DOWN_TABLES,
  LACKS,
  SPOOLED,
  ASSET_TABLES,
  TIME_TABLES,
  RETENTION,
  HINDRANCE,
  QUERY_HELP,
  HISTORY_BY_TIME,
  LOG_APART,
  DAY_OF_UTC,
  REFUSED + REFUSAL,
];

const FRAME = `
  CREATE SCHEMA IF NOT EXISTS heliograph;
  CREATE TABLE IF NOT EXISTS heliograph.migration (
    version int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());`;

/** Throws `database.foreign` where a newer version, or the node of another key, has written here. */
export async function migrate(database: Database, publicKey: Uint8Array): Promise<void> {
  await database.transaction(async (sql) => {
    await sql.query("SELECT pg_advisory_xact_lock(hashtextextended('heliograph migrations', 0))");
    await sql.query(FRAME);
    const rows = await sql.query(
      'SELECT coalesce(max(version), 0) AS version FROM heliograph.migration',
    );
    const version = Number(rows[0]?.['version']);
    if (version > REGIONAL_SCHEMA) {
      throw new HubError(
        'database.foreign',
        `the schema has version ${version}, we know ${REGIONAL_SCHEMA}`,
      );
    }
    for (let next = version + 1; next <= REGIONAL_SCHEMA; next++) {
      await sql.query(STEPS[next - 1] as string);
      await sql.query('INSERT INTO heliograph.migration (version) VALUES ($1)', [next]);
    }
    await claimNode(sql, publicKey);
  });
}

/** All workers of a region sign with one key; hubs would take another for another region. */
async function claimNode(sql: Sql, publicKey: Uint8Array): Promise<void> {
  await sql.query(
    'INSERT INTO heliograph.node (id, public_key) VALUES (1, $1) ON CONFLICT DO NOTHING',
    [publicKey],
  );
  const rows = await sql.query('SELECT public_key = $1 AS is_ours FROM heliograph.node', [
    publicKey,
  ]);
  if (rows[0]?.['is_ours'] === true) return;
  throw new HubError('database.foreign', 'the database belongs to a region with another key');
}
