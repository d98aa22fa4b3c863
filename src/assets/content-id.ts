/** Names of contents: the SHA-256 of their bytes, in lower-case hex. */
import { bytesOfHex, hexOf } from '../base/bytes.ts';
import { CONTENT_HASH_BYTES } from '../model/asset-bytes.ts';

export type ContentId = string & { readonly __brand: 'ContentId' };

export function contentIdOf(sha256: Uint8Array): ContentId {
  return hexOf(sha256) as ContentId;
}

/** Undefined where the text names no content. */
export function contentIdOfText(text: string): ContentId | undefined {
  return /^[0-9a-f]{64}$/.test(text) ? (text as ContentId) : undefined;
}

export function bytesOfContentId(id: ContentId): Uint8Array {
  return bytesOfHex(id) ?? new Uint8Array(CONTENT_HASH_BYTES);
}
