/** Queries that analysts ask of a region in PostgreSQL: in parallel, too, and by indices where tables grow without end. */
import assert from 'node:assert/strict';

import { afterAll, beforeAll, describe, test } from 'vitest';

import type { Database, Sql } from '../../src/platform/network/postgres.ts';
import { migrate } from '../../src/regional/postgres/schema/migrations.ts';
import { runsWith } from '../support/machine/peers.ts';
import { connect, PostgresServer } from '../support/machine/postgres.ts';

const hasPeers = runsWith('postgres', 'initdb');
const MONTH = `at >= '2026-11-01 10:00Z' AND at < '2026-11-01 11:00Z'`;

/** Each with the index that a large region answers it by. */
const ASKED: Readonly<Record<string, readonly [query: string, index: RegExp]>> = {
  'a key over time': [
    `SELECT * FROM heliograph.readings WHERE site = 's' AND key = 'm/1' AND ${MONTH}`,
    /reading_202611_key_id_at_idx/,
  ],
  'everything of an hour': [
    `SELECT * FROM heliograph.readings WHERE ${MONTH}`,
    /reading_202611_at_idx/,
  ],
  'the log of a hub': [
    `SELECT * FROM heliograph.power_log WHERE site = 's' AND hub = 'h' AND ${MONTH}`,
    /reading_202611_key_id_at_idx/,
  ],
  'batches of a day': [
    `SELECT * FROM heliograph.batches WHERE stored_at > now() - interval '1 day'`,
    /receipt_by_time/,
  ],
  'batches of a hub': [
    `SELECT * FROM heliograph.batches WHERE site = 's' AND hub = 'h'`,
    /receipt_pkey|receipt_by_age/,
  ],
  'edits of an hour': [
    `SELECT * FROM heliograph.record_history WHERE ${MONTH}`,
    /^(?!.*Seq Scan on record_write)(?=.*record_write_by_op).*record_write_by_time/s,
  ],
  'the history of a record': [
    `SELECT * FROM heliograph.record_history WHERE site = 's' AND key = 'm/1'`,
    /^(?!.*Seq Scan on record_write).*record_write_pkey/s,
  ],
  'conflicts of a day': [
    `SELECT * FROM heliograph.conflicts WHERE found_at > now() - interval '1 day'`,
    /conflict_by_time/,
  ],
};

const ROWS = [
  `INSERT INTO heliograph.site (name) VALUES ('s')`,
  `INSERT INTO heliograph.lane (site_id, lane) VALUES (1, '00000000000000aa/3')`,
  `INSERT INTO heliograph.key (site_id, name, label) SELECT 1, convert_to('m/' || g, 'UTF8'), 'm/' || g
     FROM generate_series(1, 20) g`,
  `SELECT heliograph.ensure_month('reading', '2026-11-01')`,
  `INSERT INTO heliograph.lane (site_id, lane) VALUES (1, '00000000000000aa/6')`,
  `INSERT INTO heliograph.key (site_id, name, label) VALUES (1, 'log/power/h', 'log/power/h')`,
  `INSERT INTO heliograph.reading (at, key_id, lane_id, seq, payload)
     VALUES ('2026-11-01 10:30Z', 21, 2, 1, '{"event":"state","why":"sun"}')`,
  `INSERT INTO heliograph.reading (at, key_id, lane_id, seq, payload)
     SELECT timestamptz '2026-11-01 00:00Z' + g * interval '1 min', 1 + g % 20, 1, g, convert_to('{"w":' || g || '}', 'UTF8')
     FROM generate_series(1, 5000) g`,
  `INSERT INTO heliograph.record_write (key_id, rank, kind, body, at, origin, class, seq, authority)
     SELECT 1 + g % 20, '\\x01'::bytea || int8send(g << 16) || int8send(170) || int8send(g) || '\\x02', 1, '',
       timestamptz '2026-11-01 00:00Z' + g * interval '1 min', '00000000000000aa', 2, g, 1 FROM generate_series(1, 2000) g`,
  `INSERT INTO heliograph.undated_op (site_id, op, origin, boot_id, monotonic_ms)
     SELECT 1, '00000000000000aa/2/' || g, '00000000000000aa', 7, 60000 * g FROM generate_series(1, 2000, 100) g`,
  'ANALYZE',
];

describe.skipIf(!hasPeers)('queries (skipped without postgres)', () => {
  let server: PostgresServer;
  let database: Database;

  beforeAll(async () => {
    server = await PostgresServer.start();
    database = await connect(server.url(await server.create()));
    await migrate(database, new Uint8Array(32));
    for (const statement of ROWS) await database.query(statement);
  });

  afterAll(async () => {
    await database.close();
    await server.stop();
  });

  async function set(sql: Sql, ...settings: readonly string[]): Promise<void> {
    for (const setting of settings) await sql.query(`SET LOCAL ${setting}`);
  }

  test.each(Object.entries(ASKED))('%s', (_, [query, index]) =>
    database.transaction(async (sql) => {
      // Small tables are read from end to end for good reason; forbidden, that shows whether there is another way.
      await set(sql, 'enable_seqscan = off', 'enable_indexscan = off');
      const rows = await sql.query(`EXPLAIN (COSTS OFF) ${query}`);
      assert.match(rows.map((row) => String(row['QUERY PLAN'])).join('\n'), index);
    }),
  );

  test('what a hub says of itself is its log, and no reading', async () => {
    const of = async (view: string): Promise<number> => {
      const [row] = await database.query(`SELECT count(*) AS n FROM heliograph.${view}`);
      return Number(row?.['n']);
    };
    assert.deepEqual([await of('readings'), await of('power_log')], [5_000, 1]);
  });

  test('what is read in parallel is the same', () =>
    database.transaction(async (sql) => {
      const sum = `SELECT sum((content->>'w')::int) AS watts FROM heliograph.readings`;
      const [alone] = await sql.query(sum);
      await set(sql, 'parallel_setup_cost = 0', 'parallel_tuple_cost = 0');
      await set(sql, 'min_parallel_table_scan_size = 0', 'max_parallel_workers_per_gather = 2');
      const [together] = await sql.query(sum);
      assert.equal(Number(together?.['watts']), (5_000 * 5_001) / 2);
      assert.deepEqual(together, alone);
    }));
});
