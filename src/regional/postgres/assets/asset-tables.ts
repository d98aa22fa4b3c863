/**
 * Version 7 of the schema: contents of assets. Their bytes lie in cells of the grid (model/asset-bytes.ts), apart for each origin:
 * who sends wrong bytes under somebody else's hash spoils no cells but its own (assets/ASSETS.md §2).
 */
import { ASSET_HASH_AT } from '../../../merge/asset/asset-version.ts';
import { CONTENT_HASH_BYTES } from '../../../model/asset-bytes.ts';
import { ASSET } from '../../../model/op.ts';

/** Hash of the content that a version names. PostgreSQL counts from 1. */
export const NAMED_HASH = `substring(body FROM ${ASSET_HASH_AT + 1} FOR ${CONTENT_HASH_BYTES})`;

export const ASSET_TABLES = `
ALTER TABLE heliograph.site ADD COLUMN contents_kept boolean NOT NULL DEFAULT false;
-- Sites that were there before are filled from their batches once; new ones have nothing to fill.
ALTER TABLE heliograph.site ALTER COLUMN contents_kept SET DEFAULT true;
CREATE TABLE heliograph.content_cell (
  sha256 bytea NOT NULL, site_id int NOT NULL, size int NOT NULL, origin text COLLATE "C" NOT NULL, cell int NOT NULL,
  data bytea NOT NULL, PRIMARY KEY (sha256, site_id, size, origin, cell)
);
-- Pictures and recordings are compressed already; and a length is then known without reading.
ALTER TABLE heliograph.content_cell ALTER COLUMN data SET STORAGE EXTERNAL;
-- Contents that are whole, and whose hash was right: the cells of this origin are the content.
CREATE TABLE heliograph.content (
  sha256 bytea NOT NULL, site_id int NOT NULL, size int NOT NULL, origin text COLLATE "C" NOT NULL,
  whole_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (sha256, site_id)
);
CREATE TABLE heliograph.preview (
  sha256 bytea NOT NULL, site_id int NOT NULL, type text NOT NULL, width int NOT NULL, height int NOT NULL,
  data bytea NOT NULL, PRIMARY KEY (sha256, site_id)
);
ALTER TABLE heliograph.preview ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE INDEX record_write_content ON heliograph.record_write (${NAMED_HASH}) WHERE kind = ${ASSET};

CREATE VIEW heliograph.assets AS
  SELECT s.name AS site, k.label AS key, w.at, w.origin, encode(${NAMED_HASH}, 'hex') AS sha256, c.size,
    c.sha256 IS NOT NULL AS is_whole, p.sha256 IS NOT NULL AS has_preview, heliograph.op_of(w.rank) AS op
  FROM heliograph.record_write w JOIN heliograph.key k ON k.id = w.key_id JOIN heliograph.site s ON s.id = k.site_id
    LEFT JOIN heliograph.content c ON c.site_id = k.site_id AND c.sha256 = ${NAMED_HASH}
    LEFT JOIN heliograph.preview p ON p.site_id = k.site_id AND p.sha256 = ${NAMED_HASH}
  WHERE w.kind = ${ASSET};
`;
