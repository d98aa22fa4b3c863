/**
 * What the journal needs of encryption. One seal covers the payload of one block, which is one group commit:
 * sealing a whole group costs a fifth of sealing its ops. Segment and first LSN go in as associated data, so a block
 * cannot be moved. The room for it is in the format from the start (FORMAT.md), so a hub can begin to seal
 * without a change of layout.
 */

export interface Sealer {
  /** Key epoch that `seal` uses, as it stands in the headers of new segments; 0 where nothing is sealed. */
  readonly epoch: number;
  /** What a header keeps for the epoch, such as the wrapped data key; empty where nothing is sealed. */
  readonly keyring: Uint8Array;
  /** Bytes that sealing adds to a payload. */
  readonly overheadBytes: number;
  /** The sealed payload, under a nonce that is never used twice, even for the same block; `plain` itself where nothing is sealed. */
  seal(segment: number, firstLsn: number, plain: Uint8Array): Uint8Array;
  /** The payload, or undefined where the key is missing or the bytes were tampered with. */
  open(
    epoch: number,
    keyring: Uint8Array,
    segment: number,
    firstLsn: number,
    sealed: Uint8Array,
  ): Uint8Array | undefined;
}

/** Leaves payloads as they are, and reads only such. */
export const PLAIN_SEALER: Sealer = {
  epoch: 0,
  keyring: new Uint8Array(0),
  overheadBytes: 0,
  seal: (_segment, _firstLsn, plain) => plain,
  open: (epoch, _keyring, _segment, _firstLsn, sealed) => (epoch === 0 ? sealed : undefined),
};
