/**
 * What the door asks and tells about bytes of assets that devices send. The door is open before the blob store is: until
 * then everything is taken, and where it lies is remembered.
 */
import type { AssetFollower } from '../../assets/asset-follower.ts';
import type { BlobStore } from '../../assets/blob-store.ts';
import { contentIdOf } from '../../assets/content-id.ts';
import type { HubError } from '../../base/errors.ts';
import { readPiece } from '../../model/asset-bytes.ts';
import type { Op } from '../../model/op.ts';

interface Inside {
  readonly blobs: Pick<BlobStore, 'refusal'>;
  readonly follower: Pick<AssetFollower, 'note'>;
}

export class AssetGate {
  #early: number[] | undefined = [];
  #inside: Inside | undefined;

  open(inside: Inside): void {
    this.#inside = inside;
    for (const lsn of this.#early ?? []) inside.follower.note(lsn);
    this.#early = undefined;
  }

  refusal(op: Op): HubError | undefined {
    const piece = readPiece(op.body);
    if (piece === undefined) return undefined;
    return this.#inside?.blobs.refusal(contentIdOf(piece.sha256), piece.size);
  }

  /** How large one may be is for the hub to say that took it first. */
  peerRefusal(op: Op): HubError | undefined {
    const refusal = this.refusal(op);
    return refusal?.code === 'asset.too-large' ? undefined : refusal;
  }

  note(lsn: number): void {
    if (this.#inside === undefined) this.#early?.push(lsn);
    else this.#inside.follower.note(lsn);
  }
}
