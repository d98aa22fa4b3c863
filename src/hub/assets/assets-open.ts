/** Opens what assets of a hub consist of: blob store, follower, uploads, maker of previews. */
import { AssetFollower } from '../../assets/asset-follower.ts';
import { type AssetLimits, BlobStore } from '../../assets/blob-store.ts';
import { bytesOfContentId, type ContentId, contentIdOf } from '../../assets/content-id.ts';
import type { MadePreview } from '../../assets/previews/make-preview.ts';
import { PreviewMaker } from '../../assets/previews/preview-maker.ts';
import { Uploads } from '../../assets/uploads.ts';
import { HubError } from '../../base/errors.ts';
import type { Config } from '../../config/schema.ts';
import { HubAssets } from './assets.ts';
import type { Ground } from '../ground.ts';
import type { Serving } from '../serving.ts';
import { readAssetVersion } from '../../merge/asset/asset-version.ts';
import { type AssetPreview, encodePreview } from '../../model/asset-bytes.ts';
import { PREVIEW } from '../../model/class.ts';
import { ASSET } from '../../model/op.ts';
import { runApart } from '../../platform/apart.ts';

interface OpenAssetsParts {
  readonly ground: Ground;
  readonly serving: Pick<Serving, 'journal' | 'door' | 'store' | 'assetGate' | 'notices'>;
  /** Everything up to here has its receipt; undefined without an uplink. */
  readonly receiptedLsn: () => number | undefined;
  /** Whether the battery allows previews now. */
  readonly mayPreview: () => boolean;
}

interface OpenedAssets {
  readonly assets: HubAssets;
  readonly follower: AssetFollower;
  readonly maker: PreviewMaker;
}

const MIB = 1 << 20;
const MEGAPIXEL = 1_000_000;
const MAKER_LIMITS = { heapMib: 256, msMax: 60_000 };
/** Segments of the journal that assets leave room for beside `journal.free_mib_min`: they are the first to feel a full disk. */
const SEGMENTS_LEFT = 4;
const YIELD_MS = 15_000;
/** Assets that are looked at for a missing preview after a start. */
const LATEST_MAX = 200;

export function openAssets(parts: OpenAssetsParts): OpenedAssets {
  const { ground, serving, receiptedLsn, mayPreview } = parts;
  const { config, machine, paths, closers } = ground;
  const { journal, assetGate } = serving;
  const { files, timers, log, random } = machine;
  const dir = paths.assets;
  const blobs = closers.add(
    BlobStore.open({
      files,
      dir,
      timers,
      log,
      receiptedLsn,
      limits: limitsOf(config),
      doubtLsn: journal.lastLsn,
      onWhole: (id) => maker.want(id),
    }),
  );
  const maker: PreviewMaker = closers.add(
    new PreviewMaker({
      blobs,
      log,
      mayMake: mayPreview,
      pixelsMax: config.assets.previewMegapixelsMax * MEGAPIXEL,
      make: async (order) =>
        (await runApart(machine.previewMaker, order, MAKER_LIMITS)) as MadePreview,
      keep: (id, preview) => keepPreview(serving, blobs, id, preview),
    }),
  );
  const follower = closers.add(AssetFollower.start({ journal, blobs, files, dir, timers, log }));
  closers.add({ close: timers.every(YIELD_MS, () => blobs.yieldRoom()) });
  assetGate.open({ blobs, follower });
  const uploads = new Uploads(files, `${dir}/uploads`, random);
  const inside = { blobs, follower, uploads, maker, mayPreview, ground };
  wantMissing(serving, inside);
  return { assets: new HubAssets({ ...inside, ...serving }), follower, maker };
}

/** Previews that were not made before the last end. */
function wantMissing(
  { store }: OpenAssetsParts['serving'],
  { blobs, maker }: { readonly blobs: BlobStore; readonly maker: PreviewMaker },
): void {
  try {
    for (const [, { value }] of store.state.records.latestAssets(LATEST_MAX)) {
      const version = readAssetVersion(value);
      const id = version === undefined ? undefined : contentIdOf(version.sha256);
      if (id !== undefined && blobs.stateOf(id).state === 'whole') maker.want(id);
    }
  } catch (error) {
    // A store at fault says so itself; previews are made when somebody asks.
    if (!(error instanceof HubError)) throw error;
  }
}

/** The bytes of a preview become an op under the key of a record that names its content, once one does. */
async function keepPreview(
  { journal, door, store }: OpenAssetsParts['serving'],
  blobs: BlobStore,
  id: ContentId,
  preview: AssetPreview,
): Promise<void> {
  await store.whenApplied(journal.durableLsn);
  const [named] = store.state.records.versionsOf(bytesOfContentId(id), 1);
  if (named === undefined) return;
  const body = encodePreview(preview);
  try {
    const { lsn } = door.journalOp({ class: PREVIEW, kind: ASSET, key: named[0], body });
    await journal.whenDurable(lsn);
  } catch (error) {
    // A journal without room for previews: this hub has it all the same.
    if (!(error instanceof HubError)) throw error;
  }
  blobs.putPreview(preview);
  blobs.previews.syncNow();
}

function limitsOf({ assets, journal }: Config): AssetLimits {
  const { totalMibMax, fileMibMax, countMax } = assets;
  const freeMibMin = journal.freeMibMin + SEGMENTS_LEFT * journal.segmentMib;
  return {
    bytesMax: totalMibMax * MIB,
    contentBytesMax: fileMibMax * MIB,
    countMax,
    freeBytesMin: freeMibMin * MIB,
  };
}
