/**
 * Version 9: readings whose own time is none that a month is kept for (a clock that was not set, or a backlog that comes after
 * its months are gone) go by when they came. Only in the default partition is that written down; elsewhere the column is
 * null and costs nothing.
 */
export const RETENTION = `
ALTER TABLE heliograph.reading ADD COLUMN kept_at timestamptz;
CREATE FUNCTION heliograph.note_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.kept_at := coalesce(NEW.kept_at, now());
  RETURN NEW;
END $$;
UPDATE heliograph.reading_default SET kept_at = now();
CREATE TRIGGER note_kept BEFORE INSERT ON heliograph.reading_default
  FOR EACH ROW EXECUTE FUNCTION heliograph.note_kept();
`;

/** Months that lie in a default partition and could have one of their own. */
export function monthsIn(table: 'reading' | 'batch'): string {
  const column = table === 'reading' ? 'at' : 'stored_at';
  return `
    SELECT DISTINCT to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM') AS month FROM heliograph.${table}_default
    WHERE ${column} >= $1 AND ${column} < $2`;
}

/** What was stored while the server's clock was wrong counts as stored now, at the latest moment that this may be. */
export const MEND_KEPT = `
  UPDATE heliograph.reading_default SET kept_at = $1::timestamptz
  WHERE kept_at > $1::timestamptz + interval '1 day'
    OR kept_at < (SELECT made_at FROM heliograph.node WHERE made_at < $1::timestamptz)`;
export const MEND_STORED = [
  `UPDATE heliograph.batch SET stored_at = $1::timestamptz WHERE stored_at > $1::timestamptz + interval '1 day'`,
  `UPDATE heliograph.receipt SET stored_at = $1::timestamptz WHERE stored_at > $1::timestamptz + interval '1 day'`,
];

const ROWS_AT_ONCE = 100_000;
export const DROP_KEPT = `
  WITH gone AS (DELETE FROM heliograph.reading_default WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM heliograph.reading_default WHERE kept_at < $1 LIMIT ${ROWS_AT_ONCE})) RETURNING 1)
  SELECT count(*) AS count FROM gone`;
export const DROP_STORED = 'DELETE FROM heliograph.batch_default WHERE stored_at < $1';
