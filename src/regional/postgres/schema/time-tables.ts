/** Version 8: times of clocks that were not set, or are in doubt, and the views that show them repaired. */
import { ASSET } from '../../../model/op.ts';
import { DOUBT_MS } from '../../../store/times/doubt.ts';
import { NAMED_HASH } from '../assets/asset-tables.ts';

export const TIME_TABLES = `
-- When a boot of an origin began, once one of its ops has told.
CREATE TABLE heliograph.boot (
  site_id int NOT NULL REFERENCES heliograph.site, origin text COLLATE "C" NOT NULL, boot_id bigint NOT NULL,
  start_at timestamptz NOT NULL, PRIMARY KEY (site_id, origin, boot_id)
);
-- Readings that wait for that: their moment of the boot, and when it began by their own clock where that was set.
ALTER TABLE heliograph.reading
  ADD COLUMN boot_id bigint, ADD COLUMN monotonic_ms bigint, ADD COLUMN own_start_at timestamptz;
CREATE INDEX reading_undated ON heliograph.reading (lane_id, boot_id) WHERE boot_id IS NOT NULL;
-- The same of ops on records.
CREATE TABLE heliograph.undated_op (
  site_id int NOT NULL REFERENCES heliograph.site, op text COLLATE "C" NOT NULL, origin text COLLATE "C" NOT NULL,
  boot_id bigint NOT NULL, monotonic_ms bigint NOT NULL, own_start_at timestamptz, PRIMARY KEY (site_id, op)
);

-- Whether a clock that was in doubt turned out to have been about right.
CREATE FUNCTION heliograph.is_as_good(own_start timestamptz, start timestamptz) RETURNS boolean
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
  $$ SELECT coalesce(abs(extract(epoch FROM start - own_start)) < ${DOUBT_MS / 1000}, false) $$;
CREATE VIEW heliograph.op_time AS
  SELECT u.site_id, u.op, b.start_at + u.monotonic_ms * interval '1 ms' AS at,
    CASE WHEN b.start_at IS NOT NULL THEN 'repaired' WHEN u.own_start_at IS NULL THEN 'unknown' ELSE 'doubtful' END AS clock
  FROM heliograph.undated_op u
    LEFT JOIN heliograph.boot b ON b.site_id = u.site_id AND b.origin = u.origin AND b.boot_id = u.boot_id
  WHERE b.start_at IS NULL OR NOT heliograph.is_as_good(u.own_start_at, b.start_at);

CREATE OR REPLACE VIEW heliograph.records AS
  SELECT s.name AS site, k.label AS key, f.label AS field, f.content AS value, NULL::bigint AS increments,
    coalesce(t.at, heliograph.time_of(f.rank)) AS changed_at, heliograph.origin_of(f.rank) AS changed_by
  FROM heliograph.field f JOIN heliograph.key k ON k.id = f.key_id JOIN heliograph.site s ON s.id = k.site_id
    LEFT JOIN heliograph.op_time t ON t.site_id = s.id AND t.op = heliograph.op_of(f.rank)
  UNION ALL
  SELECT s.name, k.label, c.label, to_jsonb(c.total), c.adds, NULL, NULL
  FROM heliograph.counter c JOIN heliograph.key k ON k.id = c.key_id JOIN heliograph.site s ON s.id = k.site_id;

CREATE OR REPLACE VIEW heliograph.record_history AS
  SELECT s.name AS site, k.label AS key, coalesce(t.at, w.at) AS at,
    (ARRAY['event','patch','remove','add','doc','asset','undo','control'])[w.kind + 1] AS kind,
    w.content, w.origin, heliograph.class_name(w.class) AS class, w.seq,
    (ARRAY['device','technician','supervisor','operator'])[w.authority] AS authority, heliograph.op_of(w.rank) AS op,
    t.clock
  FROM heliograph.record_write w JOIN heliograph.key k ON k.id = w.key_id JOIN heliograph.site s ON s.id = k.site_id
    LEFT JOIN heliograph.op_time t ON t.site_id = s.id AND t.op = heliograph.op_of(w.rank);

CREATE OR REPLACE VIEW heliograph.conflicts AS
  SELECT s.name AS site, k.label AS key, c.label AS field, c.kind, heliograph.op_of(c.winner) AS winner,
    coalesce(w.at, heliograph.time_of(c.winner)) AS winner_at, heliograph.op_of(c.loser) AS loser,
    coalesce(l.at, heliograph.time_of(c.loser)) AS loser_at, c.found_at, c.closed_at
  FROM heliograph.conflict c JOIN heliograph.key k ON k.id = c.key_id JOIN heliograph.site s ON s.id = k.site_id
    LEFT JOIN heliograph.op_time w ON w.site_id = s.id AND w.op = heliograph.op_of(c.winner)
    LEFT JOIN heliograph.op_time l ON l.site_id = s.id AND l.op = heliograph.op_of(c.loser);

CREATE OR REPLACE VIEW heliograph.assets AS
  SELECT s.name AS site, k.label AS key, coalesce(t.at, w.at) AS at, w.origin, encode(${NAMED_HASH}, 'hex') AS sha256,
    c.size, c.sha256 IS NOT NULL AS is_whole, p.sha256 IS NOT NULL AS has_preview, heliograph.op_of(w.rank) AS op
  FROM heliograph.record_write w JOIN heliograph.key k ON k.id = w.key_id JOIN heliograph.site s ON s.id = k.site_id
    LEFT JOIN heliograph.content c ON c.site_id = k.site_id AND c.sha256 = ${NAMED_HASH}
    LEFT JOIN heliograph.preview p ON p.site_id = k.site_id AND p.sha256 = ${NAMED_HASH}
    LEFT JOIN heliograph.op_time t ON t.site_id = s.id AND t.op = heliograph.op_of(w.rank)
  WHERE w.kind = ${ASSET};
`;
