/**
 * Every version that stands in a file or on a wire. A change of bytes changes the number here, the normative
 * document beside the code, and adds a golden file, in one commit.
 */

/** Segment files of the journal: journal/FORMAT.md. */
export const JOURNAL_FORMAT = 2;
/** Key files of the journal's epochs: journal/FORMAT.md §8. */
export const KEY_FILE_FORMAT = 1;
/** State database: store/database/schema.ts. */
export const STORE_SCHEMA = 13;
/** Tables of a regional node in PostgreSQL: regional/postgres/SCHEMA.md. */
export const REGIONAL_SCHEMA = 15;
/** Folded state in a file: snapshot/SNAPSHOT.md. */
export const SNAPSHOT_FORMAT = 7;
/** What the ledger keeps: ledger/LEDGER.md. */
export const LEDGER_FORMAT = 1;
/** Manifests and receipts: batch/BATCH.md. */
export const BATCH_FORMAT = 1;
/** The same, with the hub's tree in the manifest and the region's word on it in the receipt. */
export const BATCH_FORMAT_WITNESSED = 2;
/** The same, with the key that the payload is encrypted to and the jurisdiction of the site. */
export const BATCH_FORMAT_SEALED = 3;
/** The same, with leaves of the hub's tree that the region lacks. */
export const BATCH_FORMAT_CATCHING_UP = 4;
export const BATCH_FORMATS: readonly number[] = [
  BATCH_FORMAT,
  BATCH_FORMAT_WITNESSED,
  BATCH_FORMAT_SEALED,
  BATCH_FORMAT_CATCHING_UP,
];
/** Going on after a cut: batch/BATCH.md §5.1. */
export const RESUME_FORMAT = 1;
/** Carried sync: batch/BUNDLE.md. */
export const BUNDLE_FORMAT = 1;
/** What the uplink keeps of receipts: uplink/progress.ts. */
export const UPLINK_PROGRESS = 1;
/** Layout of the data directory as a whole. */
export const DATA_LAYOUT = 1;

/** Version of the program, as in package.json. */
export const PROGRAM_VERSION = '0.1.0';
