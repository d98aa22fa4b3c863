import { bytesEqual } from '../../base/bytes.ts';
import type { Manifest } from '../../batch/manifest.ts';
import type { Receipt } from '../../batch/wire/receipt.ts';
import { rangesEqual } from '../../batch/ranges.ts';

/** True where the receipt speaks of exactly what the manifest says. */
export function confirms(receipt: Receipt, manifest: Manifest): boolean {
  return (
    receipt.hub === manifest.hub &&
    receipt.class === manifest.class &&
    receipt.ops === manifest.ops &&
    bytesEqual(receipt.root, manifest.root) &&
    rangesEqual(receipt.ranges, manifest.ranges)
  );
}
