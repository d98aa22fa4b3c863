/**
 * The key of the regional node, trusted at first contact and pinned in `region.pub` (64 hex digits): from then
 * on another key is a fault, and nothing is sent to it. The file is read for each session, so that
 * deleting it, where the node was replaced on purpose, takes effect without a restart.
 */
import { bytesEqual, bytesOfHex, hexOf, textOf, utf8 } from '../base/bytes.ts';
import { HubError } from '../base/errors.ts';
import { type Files, textIn } from '../platform/files/files.ts';

const KEY_BYTES = 32;

type RegionKey =
  { readonly kind: 'known' | 'pinned' } | { readonly kind: 'other'; readonly fault: HubError };

/** Checks a key against the pinned one, pinning it where there is none. */
export function trustRegion(files: Files, path: string, publicKey: Uint8Array): RegionKey {
  const kept = files.read(path);
  if (kept === undefined) {
    files.replace(path, utf8(`${hexOf(publicKey)}\n`));
    return { kind: 'pinned' };
  }
  const pinned = bytesOfHex(textOf(kept)?.trim() ?? '');
  if (pinned?.length === KEY_BYTES && bytesEqual(pinned, publicKey)) return { kind: 'known' };
  const message = `${path} does not hold the key ${hexOf(publicKey)} that answers`;
  return { kind: 'other', fault: new HubError('uplink.wrong-region', message) };
}

/** The pinned key; undefined where there is none, or the file holds none. */
export function readRegionKey(files: Pick<Files, 'read'>, path: string): Uint8Array | undefined {
  const pinned = bytesOfHex(textIn(files, path));
  return pinned?.length === KEY_BYTES ? pinned : undefined;
}
