/** A site's store in memory, durable at once, that remembers how often each op came. */
import { createHash } from 'node:crypto';

import { hexOf } from '../../../src/base/bytes.ts';
import type { Steps } from '../../../src/base/steps.ts';
import { LOG } from '../../../src/model/class.ts';
import { type Lane, laneOf } from '../../../src/model/origin.ts';
import type { VersionVector } from '../../../src/model/version-vector.ts';
import type { ReadingsPage } from '../../../src/store/readings/readings.ts';
import type {
  SiteDigest,
  SiteEntry,
  SiteStore,
} from '../../../src/regional/embedded/site-store.ts';

export class MemoryStore implements SiteStore {
  checkpointLsn = 0;
  /** Folded ops: bytes in hex by lane and number. */
  readonly ops = new Map<string, string>();
  applies = 0;

  apply(entries: readonly SiteEntry[], checkpointLsn: number): void {
    this.applies += 1;
    for (const { stamped } of entries) {
      const { origin, class: opClass, seq } = stamped.op;
      const key = `${laneOf(origin, opClass)}/${seq}`;
      if (!this.ops.has(key)) this.ops.set(key, hexOf(stamped.bytes));
    }
    this.checkpointLsn = checkpointLsn;
  }

  prune(): void {
    // It has no readings.
  }

  vector(): VersionVector {
    const vector = new Map<Lane, number>();
    for (const key of this.ops.keys()) {
      const lane = key.slice(0, key.lastIndexOf('/')) as Lane;
      let upTo = vector.get(lane) ?? 0;
      while (this.ops.has(`${lane}/${upTo + 1}`)) upTo += 1;
      vector.set(lane, upTo);
    }
    return vector;
  }

  digest(): SiteDigest {
    const living = [...this.ops]
      .filter(([key]) => key.split('/')[1] !== String(LOG))
      .map(([key, bytes]) => `${key} ${bytes}`)
      .toSorted((a, b) => (a < b ? -1 : 1));
    const digest = createHash('sha256').update(living.join('\n')).digest('hex');
    return { digest, ops: living.length, records: 0 };
  }

  // oxlint-disable-next-line require-yield -- It has little to go through.
  *digestInSteps(): Steps<SiteDigest> {
    return this.digest();
  }

  readings(): ReadingsPage {
    return { points: [], nextFromMs: undefined };
  }

  close(): void {
    // Nothing is held.
  }
}
