/** The views that people query, and what they are made with; SCHEMA.md describes them column by column. */

/** The date of UTC, in any session. */
export const TODAY = "(now() AT TIME ZONE 'UTC')::date";

const EVENTS = `  SELECT s.name AS site, k.label AS key, r.at, split_part(l.lane, '/', 1) AS origin,
    heliograph.class_name(split_part(l.lane, '/', 2)::int) AS class, r.seq, r.payload,
    heliograph.json_of(r.payload) AS content
  FROM heliograph.reading r JOIN heliograph.key k ON k.id = r.key_id JOIN heliograph.site s ON s.id = k.site_id
    JOIN heliograph.lane l ON l.id = r.lane_id`;

/** Lines of the hubs' power-aware log, out of a view of events. */
const powerLogOf = (
  view: string,
): string => `  SELECT site, split_part(key, '/', 3) AS hub, at, content->>'event' AS event, content->>'state' AS state,
    (content->>'socPct')::numeric AS soc_pct, (content->>'batteryV')::numeric AS battery_v,
    (content->>'pvW')::numeric AS pv_w, (content->>'loadW')::numeric AS load_w, content->>'link' AS link,
    (content->>'bytes')::numeric AS bytes, (content->>'ops')::numeric AS ops,
    (content->>'energyWh')::numeric AS energy_wh, content->>'why' AS why, content
  FROM heliograph.${view} WHERE key LIKE 'log/power/%' AND class = 'log'`;

/** Hubs, with what they have sent on a day. */
const hubsOn = (
  day: string,
  more = '',
): string => `  SELECT s.name AS site, h.hub, h.met_at, c.heard_at, c.software, h.batches, h.ops, h.bytes, h.last_batch_at,
    (SELECT count(*) FROM heliograph.part p WHERE p.site_id = h.site_id AND p.hub = h.hub) AS batches_on_their_way,
    (SELECT count(*) FROM heliograph.parked p WHERE p.site_id = h.site_id AND p.hub = h.hub) AS batches_parked,
    coalesce((SELECT t.bytes FROM heliograph.traffic t
      WHERE t.site_id = h.site_id AND t.hub = h.hub AND t.day = ${day}), 0) AS bytes_today${more}
  FROM heliograph.hub_key h JOIN heliograph.site s ON s.id = h.site_id
    LEFT JOIN heliograph.contact c ON c.site_id = h.site_id AND c.hub = h.hub`;

export const VIEWS = `
-- JSON where the bytes are JSON, else null: a payload is whatever a device sent.
CREATE FUNCTION heliograph.json_of(payload bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN convert_from(payload, 'UTF8')::jsonb;
EXCEPTION WHEN data_exception OR invalid_text_representation OR untranslatable_character
  OR character_not_in_repertoire OR program_limit_exceeded THEN
  RETURN NULL;
END $$;
CREATE FUNCTION heliograph.text_of(bytes bytea) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN convert_from(bytes, 'UTF8');
EXCEPTION WHEN data_exception OR character_not_in_repertoire THEN
  RETURN encode(bytes, 'escape');
END $$;
CREATE FUNCTION heliograph.class_name(class int) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
  $$ SELECT (ARRAY['alarm','command','record','telemetry','preview','bulk','log'])[class + 1] $$;
-- Moment of an encoded order: bytes 2 to 7 are milliseconds.
CREATE FUNCTION heliograph.time_of(rank bytea) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
  $$ SELECT to_timestamp(('x' || encode(substr(rank, 2, 6), 'hex'))::bit(48)::bigint / 1000.0) $$;
CREATE FUNCTION heliograph.origin_of(rank bytea) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
  $$ SELECT encode(substr(rank, 10, 8), 'hex') $$;
CREATE FUNCTION heliograph.op_of(rank bytea) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
  $$ SELECT encode(substr(rank, 10, 8), 'hex') || '/' || get_byte(rank, 25) || '/' ||
     ('x' || encode(substr(rank, 18, 8), 'hex'))::bit(64)::bigint $$;

CREATE VIEW heliograph.readings AS
${EVENTS};

CREATE VIEW heliograph.records AS
  SELECT s.name AS site, k.label AS key, f.label AS field, f.content AS value, NULL::bigint AS increments,
    heliograph.time_of(f.rank) AS changed_at, heliograph.origin_of(f.rank) AS changed_by
  FROM heliograph.field f JOIN heliograph.key k ON k.id = f.key_id JOIN heliograph.site s ON s.id = k.site_id
  UNION ALL
  SELECT s.name, k.label, c.label, to_jsonb(c.total), c.adds, NULL, NULL
  FROM heliograph.counter c JOIN heliograph.key k ON k.id = c.key_id JOIN heliograph.site s ON s.id = k.site_id;

CREATE VIEW heliograph.record_history AS
  SELECT s.name AS site, k.label AS key, w.at,
    (ARRAY['event','patch','remove','add','doc','asset','undo','control'])[w.kind + 1] AS kind,
    w.content, w.origin, heliograph.class_name(w.class) AS class, w.seq,
    (ARRAY['device','technician','supervisor','operator'])[w.authority] AS authority, heliograph.op_of(w.rank) AS op
  FROM heliograph.record_write w JOIN heliograph.key k ON k.id = w.key_id JOIN heliograph.site s ON s.id = k.site_id;

CREATE VIEW heliograph.conflicts AS
  SELECT s.name AS site, k.label AS key, c.label AS field, c.kind, heliograph.op_of(c.winner) AS winner,
    heliograph.time_of(c.winner) AS winner_at, heliograph.op_of(c.loser) AS loser,
    heliograph.time_of(c.loser) AS loser_at, c.found_at, c.closed_at
  FROM heliograph.conflict c JOIN heliograph.key k ON k.id = c.key_id JOIN heliograph.site s ON s.id = k.site_id;

CREATE VIEW heliograph.power_log AS
${powerLogOf('readings')};

CREATE VIEW heliograph.hubs AS
${hubsOn('current_date')};

CREATE VIEW heliograph.batches AS
  SELECT s.name AS site, r.hub, r.batch, heliograph.class_name(r.class) AS class, r.ops, r.bytes, r.stored_at,
    'stored' AS outcome, NULL AS reason
  FROM heliograph.receipt r JOIN heliograph.site s ON s.id = r.site_id
  UNION ALL
  SELECT s.name, p.hub, p.batch, heliograph.class_name(p.class), NULL, length(p.bytes), p.parked_at, 'parked', p.reason
  FROM heliograph.parked p JOIN heliograph.site s ON s.id = p.site_id;
`;

/** Version 10: why a hub sends nothing here, by its newest hello. */
export const HINDRANCE = `
ALTER TABLE heliograph.contact ADD COLUMN hindrance text;
CREATE OR REPLACE VIEW heliograph.hubs AS
${hubsOn('current_date', ', c.hindrance')};
`;

/** Version 13: the log that hubs keep of themselves is the power log alone; who counts readings does not count its lines. */
export const LOG_APART = `
CREATE VIEW heliograph.event AS
${EVENTS};
CREATE OR REPLACE VIEW heliograph.power_log AS
${powerLogOf('event')};
CREATE OR REPLACE VIEW heliograph.readings AS SELECT * FROM heliograph.event WHERE class <> 'log';
`;

/** Version 14: the day of quotas and figures is that of UTC, as hubs are told, wherever the server stands. */
export const DAY_OF_UTC = `
ALTER FUNCTION heliograph.put_chunk SET timezone = 'UTC';
CREATE OR REPLACE VIEW heliograph.hubs AS
${hubsOn(TODAY, ', c.hindrance')};
`;

/** Version 15: why a hub does not take what goes down to it. */
export const REFUSAL = `
CREATE OR REPLACE VIEW heliograph.hubs AS
${hubsOn(
  TODAY,
  `, c.hindrance,
    (SELECT r.refusal FROM heliograph.receiver r WHERE r.site_id = h.site_id AND r.hub = h.hub) AS refusal`,
)};
`;
