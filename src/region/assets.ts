/**
 * Assets at a regional node with embedded storage: what a batch brings of contents is on the disk before the batch is
 * folded, and so before its receipt leaves (assets/ASSETS.md §4).
 */
import { BlobStore } from '../assets/blob-store.ts';
import { bytesOfContentId, type ContentId } from '../assets/content-id.ts';
import { messageOf, systemCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Timers } from '../base/clock.ts';
import { readAssetVersion } from '../merge/asset/asset-version.ts';
import { carriesBytes, CONTENT_BYTES_MAX, readPiece, readPreview } from '../model/asset-bytes.ts';
import type { Files } from '../platform/files/files.ts';
import type { SiteEntry, SiteStore } from '../regional/embedded/site-store.ts';
import type {
  ContentDoor,
  ContentFacts,
  OpenContent,
  PreviewOutcome,
} from '../status/api/assets.ts';
import type { SiteState } from './site-state.ts';

interface RegionAssetsOptions {
  readonly files: Files;
  readonly timers: Timers;
  readonly log: Log;
}

interface SiteAssets {
  readonly state: SiteState;
  readonly blobs: BlobStore;
}

/** The disk is the limit: what finds no room there gets no receipt. */
const LIMITS = {
  bytesMax: Infinity,
  countMax: Infinity,
  contentBytesMax: CONTENT_BYTES_MAX,
  freeBytesMin: 0,
};
const VERSIONS_MAX = 1;
const NOTHING = new Uint8Array(0);

export class RegionAssets implements ContentDoor {
  readonly #options: RegionAssetsOptions;
  readonly #sites: SiteAssets[] = [];

  constructor(options: RegionAssetsOptions) {
    this.#options = options;
  }

  /** The state of a site, with its contents in `assets/` of the same folder. */
  storing(state: SiteState, dir: string): SiteStore {
    const { files, timers, log } = this.#options;
    const blobs = BlobStore.open({
      files,
      timers,
      log,
      dir: `${dir}/assets`,
      limits: LIMITS,
      receiptedLsn: () => undefined,
      doubtLsn: 0,
    });
    this.#sites.push({ state, blobs });
    void this.#finish(blobs);
    return {
      get checkpointLsn() {
        return state.store.checkpointLsn;
      },
      apply: (entries, checkpointLsn) => {
        if (takeBytes(blobs, entries)) void this.#finish(blobs);
        state.store.apply(entries, checkpointLsn);
      },
      prune: (nowMs, chunksMax) => state.store.prune(nowMs, chunksMax),
      vector: () => state.store.vector(),
      digestInSteps: () => state.store.digestInSteps(),
      readings: (query) => state.store.readings(query),
      close: () => {
        blobs.close();
        state.close();
      },
    };
  }

  facts(sha256: string): ContentFacts | undefined {
    const id = sha256 as ContentId;
    for (const { state, blobs } of this.#holders(id)) {
      const [first] = state.store.records.versionsOf(bytesOfContentId(id), VERSIONS_MAX);
      const named = readAssetVersion(first?.[1].body ?? NOTHING);
      if (first === undefined || named === undefined) continue;
      const { type, size } = named;
      const here = blobs.stateOf(id);
      return { keys: [first[0]], type, size, state: here.state, receivedBytes: here.bytes };
    }
    return undefined;
  }

  async open(sha256: string): Promise<OpenContent | undefined> {
    for (const { blobs } of this.#holders(sha256 as ContentId)) {
      const content = await blobs.read(sha256 as ContentId);
      if (content !== undefined) return content;
    }
    return undefined;
  }

  async preview(sha256: string): Promise<PreviewOutcome> {
    const id = sha256 as ContentId;
    for (const { blobs } of this.#sites) {
      const facts = blobs.previews.facts(id);
      const bytes = blobs.previews.read(id);
      if (facts !== undefined && bytes !== undefined) return { kind: 'ready', ...facts, bytes };
    }
    return { kind: 'never', reason: 'none has come from the hub' };
  }

  /** Sites that have the content first. */
  #holders(id: ContentId): SiteAssets[] {
    const rank = { whole: 0, partial: 1, missing: 2 };
    const rankOf = ({ blobs }: SiteAssets): number => rank[blobs.stateOf(id).state];
    return this.#sites.toSorted((a, b) => rankOf(a) - rankOf(b));
  }

  /** Gives whole contents their names, behind the receipt: their bytes are safe already. */
  async #finish(blobs: BlobStore): Promise<void> {
    try {
      await blobs.finish();
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      this.#options.log.error('assets.failed', { reason: messageOf(error) });
    }
  }
}

/** Puts what the ops carry on the disk; false where they carry nothing. */
function takeBytes(blobs: BlobStore, entries: readonly SiteEntry[]): boolean {
  const ops = entries.map(({ stamped }) => stamped.op).filter((op) => carriesBytes(op));
  for (const { origin, body } of ops) {
    const piece = readPiece(body);
    const preview = piece === undefined ? readPreview(body) : undefined;
    if (piece !== undefined) blobs.put(piece, { origin, lsn: 0 });
    if (preview !== undefined) blobs.putPreview(preview);
  }
  if (ops.length > 0) blobs.settleNow();
  return ops.length > 0;
}
