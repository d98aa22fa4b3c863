/** Names of contents: the SHA-256 of their bytes, in lower-case hex. */
import { bytesOfHex, hexOf } from '../base/bytes.ts';
import { CONTENT_HASH_BYTES } from '../model/asset-bytes.ts';

export type ContentId = string & { readonly __brand: 'ContentId' };

export function contentIdOf(sha256: Uint8Array): ContentId {
  return hexOf(sha256) as ContentId;
}

export function bytesOfContentId(id: ContentId): Uint8Array {
  return bytesOfHex(id) ?? new Uint8Array(CONTENT_HASH_BYTES);
}
