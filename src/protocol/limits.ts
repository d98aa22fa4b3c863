/** Limits of the messages between device and hub (sync/PROTOCOL.md §7), and the version they are of. */
export const PROTOCOL_VERSION = 1;

/** A device may say so much in one message about what it wants and has. */
export const PULL_BYTES_MAX = 256 * 1024;
/** Prefixes and keys of a scope, together. */
export const SCOPE_PARTS_MAX = 64;
export const VECTOR_LANES_MAX = 10_000;
/** Pages that may be under way to one device. */
export const CREDIT_MAX = 16;
/** A page ends with the item that reaches this; only a single larger item makes a longer page. */
export const PAGE_BYTES = 32 * 1024;
export const PAGE_ITEMS_MAX = 1_000;
/** Read by a device: an item may be a document that many hubs filled to its limit before they met (MERGE.md §9). */
export const DELTA_BYTES_MAX = 32 << 20;
export const RESUME_BYTES_MAX = VECTOR_LANES_MAX * 32;
export const NOTICE_ENTRIES_MAX = 64;
/** Of why an exchange or a pull is over, so much is kept. */
export const REASON_CHARS_MAX = 500;
/** So long a hub may put others off with one word; a number without a limit would be for good. */
export const WAIT_S_MAX = 300;
