/**
 * Version 11: what queries over the views lean on. A month of readings is found by time without its keys, for 24 KB an index,
 * since readings come nearly in the order of their times; batches by when they were stored. And what makes JSON of payloads
 * catches errors, which a server does not do in parallel: said otherwise, every query over a million readings failed.
 */
export const QUERY_HELP = `
ALTER FUNCTION heliograph.json_of(bytea) PARALLEL UNSAFE;
ALTER FUNCTION heliograph.text_of(bytea) PARALLEL UNSAFE;
CREATE INDEX reading_by_time ON heliograph.reading USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX receipt_by_time ON heliograph.receipt (stored_at);
`;

/**
 * Version 12: edits and conflicts are found by time. Most edits have their own time, and those that have not are few and
 * known: as one union of both the view leaves the first to an index, where the repaired time of either was nothing
 * that an index could know.
 */
export const HISTORY_BY_TIME = `
CREATE INDEX record_write_by_time ON heliograph.record_write USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX record_write_by_op ON heliograph.record_write USING hash (heliograph.op_of(rank) COLLATE "C");
CREATE INDEX conflict_by_time ON heliograph.conflict USING brin (found_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE VIEW heliograph.named_write AS
  SELECT s.id AS site_id, s.name AS site, k.label AS key, w.at,
    (ARRAY['event','patch','remove','add','doc','asset','undo','control'])[w.kind + 1] AS kind,
    w.content, w.origin, heliograph.class_name(w.class) AS class, w.seq,
    (ARRAY['device','technician','supervisor','operator'])[w.authority] AS authority, heliograph.op_of(w.rank) AS op
  FROM heliograph.record_write w JOIN heliograph.key k ON k.id = w.key_id JOIN heliograph.site s ON s.id = k.site_id;
CREATE OR REPLACE VIEW heliograph.record_history AS
  SELECT site, key, at, kind, content, origin, class, seq, authority, op, NULL::text AS clock
  FROM heliograph.named_write w
  WHERE NOT EXISTS (SELECT FROM heliograph.op_time t WHERE t.site_id = w.site_id AND t.op = w.op)
  UNION ALL
  SELECT w.site, w.key, coalesce(t.at, w.at), w.kind, w.content, w.origin, w.class, w.seq, w.authority, w.op, t.clock
  FROM heliograph.op_time t JOIN heliograph.named_write w ON w.site_id = t.site_id AND w.op = t.op;
`;
