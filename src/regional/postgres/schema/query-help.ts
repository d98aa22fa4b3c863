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
