/** Version 4 of the schema: what flows down. */
export const DOWN_TABLES = `
ALTER TABLE heliograph.site ADD COLUMN incarnation int NOT NULL DEFAULT 0,
  ADD COLUMN ops_kept boolean NOT NULL DEFAULT false;
-- Sites that were there before are filled from their batches once; new ones have nothing to fill.
ALTER TABLE heliograph.site ALTER COLUMN ops_kept SET DEFAULT true;
CREATE TABLE heliograph.site_op (
  lane_id int NOT NULL, seq bigint NOT NULL, number bigint GENERATED ALWAYS AS IDENTITY,
  via text COLLATE "C" NOT NULL, op bytea NOT NULL, stamp bytea NOT NULL, PRIMARY KEY (lane_id, seq)
);
CREATE TABLE heliograph.receiver (
  site_id int NOT NULL, hub text COLLATE "C" NOT NULL, takes smallint[] NOT NULL, vector bytea NOT NULL,
  seal_key bytea, changed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (site_id, hub)
) WITH (fillfactor = 50);
CREATE UNLOGGED TABLE heliograph.down_batch (
  site_id int NOT NULL, hub text COLLATE "C" NOT NULL, batch text COLLATE "C" NOT NULL, class smallint NOT NULL,
  ops int NOT NULL, reaches bytea NOT NULL, bytes bytea NOT NULL, PRIMARY KEY (site_id, hub)
) WITH (fillfactor = 50);
ALTER TABLE heliograph.down_batch ALTER COLUMN bytes SET STORAGE EXTERNAL;
`;

/** Version 5: what a hub's card has lost (batch/BATCH.md §12), as the ranges of its hello. */
export const LACKS = 'ALTER TABLE heliograph.receiver ADD COLUMN lacks bytea;';

/** Version 15: what a hub refuses of it, in which lanes it stands where, how often it was offered, and when it is again. */
export const REFUSED = `
ALTER TABLE heliograph.receiver ADD COLUMN refusal text, ADD COLUMN refused_lanes bytea,
  ADD COLUMN refused_tries int, ADD COLUMN refused_until_ms bigint;
`;
