/**
 * What encrypts and opens the payloads of batches (BATCH.md §9), as the rest of this room sees it: who holds keys
 * provides it (keys/batch-seal.ts). The manifest is bound in as associated data, so that a payload cannot be passed
 * on under another hub's, site's or batch's name.
 */
import type { Pause } from '../base/steps.ts';

/** Encrypts to one recipient, with a key pair made for each payload. */
export interface PayloadSealer {
  /** Names the recipient's public key, 8 bytes. */
  readonly keyId: Uint8Array;
  /** By how much a sealed payload is longer than a plain one. */
  readonly overheadBytes: number;
  seal(plain: Uint8Array, associated: Uint8Array, pause: Pause): Promise<Uint8Array>;
}

/** Opens what was encrypted to one of the keys that it holds. */
export interface PayloadOpener {
  readonly keyIds: readonly Uint8Array[];
  /** `unknown-key`: none of ours; `wrong-seal`: the bytes, or what they are bound to, were changed. */
  open(
    keyId: Uint8Array,
    sealed: Uint8Array,
    associated: Uint8Array,
    pause: Pause,
  ): Promise<Opened>;
}

/** A hub that others encrypt to. */
export interface PayloadRecipient extends PayloadOpener {
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array;
}

export type Opened = Uint8Array | 'unknown-key' | 'wrong-seal';

export const SEAL_KEY_ID_BYTES = 8;
/** The ephemeral public key and the tag. */
export const SEAL_OVERHEAD_BYTES = 48;
