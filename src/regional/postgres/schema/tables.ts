/** The tables; SCHEMA.md describes them for those who query them. */

export const TABLES = `
CREATE TABLE heliograph.node (
  id int PRIMARY KEY CHECK (id = 1), public_key bytea NOT NULL, made_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE heliograph.site (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE,
  met_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE heliograph.hub_key (
  site_id int NOT NULL REFERENCES heliograph.site, hub text COLLATE "C" NOT NULL, public_key bytea NOT NULL,
  met_at timestamptz NOT NULL DEFAULT now(), batches bigint NOT NULL DEFAULT 0, ops bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0, last_batch_at timestamptz, PRIMARY KEY (site_id, hub)
) WITH (fillfactor = 50);

-- What is lost with a crash of the server and comes again by itself: not logged.
CREATE UNLOGGED TABLE heliograph.contact (
  site_id int NOT NULL, hub text COLLATE "C" NOT NULL, nonce bytea, software text, heard_at timestamptz,
  PRIMARY KEY (site_id, hub)
) WITH (fillfactor = 50);
CREATE UNLOGGED TABLE heliograph.traffic (
  site_id int NOT NULL, hub text COLLATE "C" NOT NULL, day date NOT NULL, bytes bigint NOT NULL, chunks bigint NOT NULL,
  PRIMARY KEY (site_id, day, hub)
) WITH (fillfactor = 50);
CREATE UNLOGGED TABLE heliograph.part (
  site_id int NOT NULL, hub text COLLATE "C" NOT NULL, batch text COLLATE "C" NOT NULL,
  total int NOT NULL, bytes int NOT NULL, have int NOT NULL, waits_for text COLLATE "C",
  touched_at timestamptz NOT NULL, complete_at timestamptz, PRIMARY KEY (site_id, hub, batch)
) WITH (fillfactor = 50);
CREATE UNLOGGED TABLE heliograph.chunk (
  site_id int NOT NULL, hub text COLLATE "C" NOT NULL, batch text COLLATE "C" NOT NULL, idx int NOT NULL,
  data bytea NOT NULL, PRIMARY KEY (site_id, hub, batch, idx)
);
ALTER TABLE heliograph.chunk ALTER COLUMN data SET STORAGE EXTERNAL;

-- Batches as they came, and the receipts that were given for them.
CREATE TABLE heliograph.receipt (
  site_id int NOT NULL, hub text COLLATE "C" NOT NULL, batch text COLLATE "C" NOT NULL,
  number bigint GENERATED ALWAYS AS IDENTITY, class smallint NOT NULL, ops int NOT NULL, bytes int NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now(), receipt bytea NOT NULL, PRIMARY KEY (site_id, hub, batch)
);
CREATE INDEX receipt_by_age ON heliograph.receipt (site_id, hub, class, number);
CREATE TABLE heliograph.batch (
  site_id int NOT NULL, hub text COLLATE "C" NOT NULL, batch text COLLATE "C" NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now(), bytes bytea NOT NULL
) PARTITION BY RANGE (stored_at);
ALTER TABLE heliograph.batch ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE INDEX batch_by_id ON heliograph.batch (site_id, hub, batch);
CREATE TABLE heliograph.batch_default PARTITION OF heliograph.batch DEFAULT;
CREATE TABLE heliograph.parked (
  site_id int NOT NULL, hub text COLLATE "C" NOT NULL, batch text COLLATE "C" NOT NULL, class smallint NOT NULL,
  reason text NOT NULL, parked_at timestamptz NOT NULL DEFAULT now(), bytes bytea NOT NULL,
  PRIMARY KEY (site_id, hub, batch)
);

-- A hub's history (ledger/LEDGER.md): open tiles of each level, and the full ones.
CREATE TABLE heliograph.ledger (
  site_id int NOT NULL, hub text COLLATE "C" NOT NULL, class smallint NOT NULL,
  full_tiles int[] NOT NULL, hashes bytea[] NOT NULL, PRIMARY KEY (site_id, hub, class)
);
CREATE TABLE heliograph.ledger_tile (
  site_id int NOT NULL, hub text COLLATE "C" NOT NULL, class smallint NOT NULL, level smallint NOT NULL,
  idx int NOT NULL, hashes bytea NOT NULL, PRIMARY KEY (site_id, hub, class, level, idx)
);

-- The folded state (merge/MERGE.md). A rank is an encoded order, whose bytes compare as the order does.
CREATE TABLE heliograph.lane (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, site_id int NOT NULL, lane text COLLATE "C" NOT NULL,
  up_to bigint NOT NULL DEFAULT 0, beyond bytea, UNIQUE (site_id, lane)
) WITH (fillfactor = 50);
CREATE TABLE heliograph.key (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, site_id int NOT NULL, name bytea NOT NULL, label text NOT NULL,
  UNIQUE (site_id, name)
);
CREATE INDEX key_by_label ON heliograph.key (label text_pattern_ops);
CREATE TABLE heliograph.latest (
  key_id int PRIMARY KEY, rank bytea NOT NULL, payload bytea NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE heliograph.reading (
  at timestamptz NOT NULL, key_id int NOT NULL, lane_id int NOT NULL, seq bigint NOT NULL, payload bytea NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX reading_by_key ON heliograph.reading (key_id, at);
CREATE TABLE heliograph.reading_default PARTITION OF heliograph.reading DEFAULT;
CREATE TABLE heliograph.record_write (
  key_id int NOT NULL, rank bytea NOT NULL, kind smallint NOT NULL, body bytea NOT NULL, at timestamptz NOT NULL,
  origin text NOT NULL, class smallint NOT NULL, seq bigint NOT NULL, authority smallint NOT NULL, content jsonb,
  PRIMARY KEY (key_id, rank)
);
CREATE INDEX record_write_undo ON heliograph.record_write (key_id) WHERE kind = 6;
CREATE TABLE heliograph.tombstone (key_id int PRIMARY KEY, rank bytea NOT NULL);
CREATE TABLE heliograph.field (
  key_id int NOT NULL, field bytea NOT NULL, rank bytea NOT NULL, value bytea NOT NULL, label text NOT NULL,
  content jsonb, PRIMARY KEY (key_id, field)
);
CREATE TABLE heliograph.counter (
  key_id int NOT NULL, field bytea NOT NULL, total bigint NOT NULL, adds bigint NOT NULL, label text NOT NULL,
  PRIMARY KEY (key_id, field)
);
CREATE TABLE heliograph.conflict (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key_id int NOT NULL, field bytea NOT NULL, label text NOT NULL,
  kind text NOT NULL, winner bytea NOT NULL, loser bytea NOT NULL, found_at timestamptz NOT NULL,
  closed_at timestamptz, UNIQUE (key_id, field, winner, loser)
);
CREATE INDEX conflict_open ON heliograph.conflict (key_id) WHERE closed_at IS NULL;
`;

/** Version 2: documents. */
export const DOC_TABLE = `
CREATE TABLE heliograph.doc (key_id int PRIMARY KEY, heads bytea NOT NULL, state bytea NOT NULL);
`;

/** Version 3: HLC and hub of the stamp that counts, of the ops on records. */
export const STAMPS = 'ALTER TABLE heliograph.record_write ADD COLUMN stamp bytea;';

/** Version 6: batches that a hub still has, by its newest hello. */
export const SPOOLED = 'ALTER TABLE heliograph.contact ADD COLUMN spooled text[];';

/**
 * Keeps a chunk, in one round trip. Of two layouts the newer counts, so that a forged chunk does not bar the way for good.
 * Where a new batch finds no room, those of its hub untouched for longest go. The row of the batch is locked, so
 * that of two workers that bring its last two chunks exactly one sees it complete.
 */
const PUT_CHUNK = `
CREATE FUNCTION heliograph.put_chunk(
  a_site int, a_hub text, a_batch text, a_idx int, a_total int, a_bytes int, a_data bytea,
  parts_max int, part_bytes_max bigint, hub_day_max bigint, site_day_max bigint,
  OUT outcome text, OUT is_complete boolean, OUT is_contradiction boolean, OUT evicted text[], OUT receipt bytea
) LANGUAGE plpgsql AS $$
DECLARE
  known heliograph.part;
  victim record;
  is_new boolean := false;
BEGIN
  outcome := 'kept'; is_complete := false; is_contradiction := false; evicted := '{}';
  IF NOT EXISTS (SELECT FROM heliograph.hub_key k WHERE k.site_id = a_site AND k.hub = a_hub) THEN
    outcome := 'stranger';
    RETURN;
  END IF;
  SELECT r.receipt INTO receipt FROM heliograph.receipt r
    WHERE r.site_id = a_site AND r.hub = a_hub AND r.batch = a_batch;
  IF FOUND THEN
    outcome := 'stored';
    RETURN;
  END IF;
  IF hub_day_max > 0 OR site_day_max > 0 THEN
    IF (hub_day_max > 0 AND hub_day_max < (SELECT coalesce(sum(t.bytes), 0) + length(a_data) FROM heliograph.traffic t
          WHERE t.site_id = a_site AND t.day = current_date AND t.hub = a_hub))
      OR (site_day_max > 0 AND site_day_max < (SELECT coalesce(sum(t.bytes), 0) + length(a_data)
          FROM heliograph.traffic t WHERE t.site_id = a_site AND t.day = current_date)) THEN
      outcome := 'over-quota';
      RETURN;
    END IF;
  END IF;
  INSERT INTO heliograph.part AS p (site_id, hub, batch, total, bytes, have, touched_at)
    VALUES (a_site, a_hub, a_batch, a_total, a_bytes, 0, clock_timestamp())
    ON CONFLICT (site_id, hub, batch) DO UPDATE SET touched_at = excluded.touched_at
    RETURNING p.* INTO known;
  is_new := known.have = 0;
  IF known.total <> a_total OR known.bytes <> a_bytes THEN
    is_contradiction := true;
    is_new := true;
    DELETE FROM heliograph.chunk c WHERE c.site_id = a_site AND c.hub = a_hub AND c.batch = a_batch;
    UPDATE heliograph.part p SET total = a_total, bytes = a_bytes, have = 0, complete_at = NULL, waits_for = NULL
      WHERE p.site_id = a_site AND p.hub = a_hub AND p.batch = a_batch;
  END IF;
  IF is_new THEN
    FOR victim IN
      SELECT o.batch FROM (
        SELECT p.batch, p.touched_at,
          row_number() OVER newest AS parts, sum(p.bytes) OVER newest AS bytes
        FROM heliograph.part p WHERE p.site_id = a_site AND p.hub = a_hub
        WINDOW newest AS (ORDER BY (p.batch = a_batch) DESC, p.touched_at DESC, p.batch)
      ) o WHERE o.batch <> a_batch AND (o.parts > parts_max OR o.bytes > part_bytes_max)
    LOOP
      PERFORM FROM heliograph.part p WHERE p.site_id = a_site AND p.hub = a_hub AND p.batch = victim.batch
        FOR UPDATE SKIP LOCKED;
      CONTINUE WHEN NOT FOUND;
      DELETE FROM heliograph.chunk c WHERE c.site_id = a_site AND c.hub = a_hub AND c.batch = victim.batch;
      DELETE FROM heliograph.part p WHERE p.site_id = a_site AND p.hub = a_hub AND p.batch = victim.batch;
      evicted := evicted || victim.batch;
    END LOOP;
  END IF;
  INSERT INTO heliograph.chunk VALUES (a_site, a_hub, a_batch, a_idx, a_data) ON CONFLICT DO NOTHING;
  IF FOUND THEN
    UPDATE heliograph.part p SET have = have + 1,
        complete_at = CASE WHEN have + 1 = a_total THEN clock_timestamp() END
      WHERE p.site_id = a_site AND p.hub = a_hub AND p.batch = a_batch
      RETURNING p.have = p.total INTO is_complete;
    INSERT INTO heliograph.traffic AS t VALUES (a_site, a_hub, current_date, length(a_data), 1)
      ON CONFLICT (site_id, day, hub) DO UPDATE SET bytes = t.bytes + excluded.bytes, chunks = t.chunks + 1;
    INSERT INTO heliograph.contact AS c (site_id, hub, heard_at) VALUES (a_site, a_hub, clock_timestamp())
      ON CONFLICT (site_id, hub) DO UPDATE SET heard_at = excluded.heard_at
      WHERE c.heard_at IS NULL OR c.heard_at < clock_timestamp() - interval '2 s';
  ELSE
    is_complete := known.have = known.total;
  END IF;
END $$;
`;

/** Makes the partition of a month, and moves there what the default one has taken meanwhile. */
const ENSURE_MONTH = `
CREATE FUNCTION heliograph.ensure_month(a_table text, a_month date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  part text := format('%s_%s', a_table, to_char(a_month, 'YYYYMM'));
  time_column text := CASE a_table WHEN 'reading' THEN 'at' ELSE 'stored_at' END;
  next_month date := a_month + interval '1 month';
BEGIN
  -- Asked of the table, not of to_regclass, which may remember that there was none before the lock.
  IF EXISTS (SELECT FROM pg_class c WHERE c.relname = part AND c.relnamespace = 'heliograph'::regnamespace) THEN
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('heliograph partitions', 0));
  IF EXISTS (SELECT FROM pg_class c WHERE c.relname = part AND c.relnamespace = 'heliograph'::regnamespace) THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE heliograph.%I (LIKE heliograph.%I INCLUDING DEFAULTS INCLUDING STORAGE)', part, a_table);
  EXECUTE format('LOCK TABLE heliograph.%I IN ACCESS EXCLUSIVE MODE', a_table || '_default');
  EXECUTE format(
    'WITH moved AS (DELETE FROM heliograph.%I WHERE %I >= %L AND %I < %L RETURNING *) '
    'INSERT INTO heliograph.%I SELECT * FROM moved',
    a_table || '_default', time_column, a_month || ' 00:00Z', time_column, next_month || ' 00:00Z', part);
  EXECUTE format('ALTER TABLE heliograph.%I ATTACH PARTITION heliograph.%I FOR VALUES FROM (%L) TO (%L)',
    a_table, part, a_month || ' 00:00Z', next_month || ' 00:00Z');
END $$;
`;

export const FUNCTIONS = PUT_CHUNK + ENSURE_MONTH;
