/**
 * What the journal needs of encryption. One seal covers the payload of one block, which is one group commit:
 * sealing a whole group costs a fifth of sealing its ops. Segment and first LSN go in as associated data, so a block
 * cannot be moved. Keys belong to epochs; a segment has one epoch, named in its header, from its first block to its last.
 */

/** What the header of a segment says about the key of its payloads. */
interface SegmentKey {
  /** 0 where nothing is sealed. */
  readonly epoch: number;
  /** Names the key within the epoch; empty where nothing is sealed. */
  readonly keyring: Uint8Array;
}

/** Reads sealed payloads. */
export interface Unsealer {
  /** Why payloads of this epoch cannot be opened, for the person who looks for the key; undefined where they can. */
  missing(epoch: number, keyring: Uint8Array): string | undefined;
  /** The payload, or undefined where the key is missing or the bytes were tampered with. */
  open(
    epoch: number,
    keyring: Uint8Array,
    segment: number,
    firstLsn: number,
    sealed: Uint8Array,
  ): Uint8Array | undefined;
}

export interface Sealer extends Unsealer {
  /** Bytes that sealing adds to a payload. */
  readonly overheadBytes: number;
  /** Called once at each open: this run seals under epochs above `highestEpoch`, with keys that no run before had. */
  begin(highestEpoch: number): void;
  /** Key for a segment that is made now, durable when this returns. Throws what the disk throws. */
  forNewSegment(): SegmentKey;
  /**
   * The sealed payload, under a nonce that is never used twice, even for the same block; `plain` itself where nothing is
   * sealed. The bytes are valid until the next call.
   */
  seal(epoch: number, segment: number, firstLsn: number, plain: Uint8Array): Uint8Array;
  /** No segment names any other epoch any more, durably: their keys may be destroyed. Never throws. */
  keepOnly(isInUse: (epoch: number) => boolean): void;
}

const PLAIN_KEY: SegmentKey = { epoch: 0, keyring: new Uint8Array(0) };

/** Leaves payloads as they are, and reads only such. */
export const PLAIN_SEALER: Sealer = {
  overheadBytes: 0,
  begin: () => undefined,
  forNewSegment: () => PLAIN_KEY,
  seal: (_epoch, _segment, _firstLsn, plain) => plain,
  keepOnly: () => undefined,
  missing: (epoch) => (epoch === 0 ? undefined : 'it is sealed, and no keys were given'),
  open: (epoch, _keyring, _segment, _firstLsn, sealed) => (epoch === 0 ? sealed : undefined),
};
