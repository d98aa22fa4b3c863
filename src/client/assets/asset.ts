/**
 * Photos, documents and recordings of a record (assets/ASSETS.md): a version names a content by its hash, the bytes follow
 * as ops of their own. So an upload works without a hub, waits in the outbox like all else, and goes on after a cut.
 */
import { hexOf } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import {
  ASSET_FIELD,
  type AssetRegion,
  encodeAssetVersion,
  readAssetVersion,
} from '../../merge/asset/asset-version.ts';
import { type Conflict, isDispute } from '../../merge/conflicts.ts';
import { isSameOp, type OpId, textOfOpId } from '../../merge/op-id.ts';
import { inOrder, type RecordState, type RecordWrite } from '../../merge/record.ts';
import { encodePiece, PIECE_BYTES_MAX } from '../../model/asset-bytes.ts';
import { BULK, type OpClass, RECORD } from '../../model/class.ts';
import { ASSET, type Kind } from '../../model/op.ts';
import { type Awaitable, awaitable, type Kept, type Made } from '../outbox/made.ts';
import { madeAtMs } from '../view/history.ts';
import { sha256 } from './sha256.ts';

/** What helps whoever has to choose between versions. */
export interface AssetHints {
  /** Media type, such as `image/jpeg`. */
  readonly type: string;
  readonly note?: string;
  readonly tags?: readonly string[];
  /** What has changed, in pixels: x, y, width, height. */
  readonly region?: AssetRegion;
}

export interface SeenVersion {
  /** The op, for `undo`. */
  readonly id: string;
  /** 64 hex digits: what its content is asked for by. */
  readonly sha256: string;
  readonly size: number;
  readonly type: string;
  readonly note: string | undefined;
  readonly tags: readonly string[];
  readonly region: AssetRegion | undefined;
  /** By the clock of whoever made it; undefined where that was not set. */
  readonly atMs: number | undefined;
  /** The one that the site holds to be true. */
  readonly stands: boolean;
  /** A sibling of it that nobody has looked at. */
  readonly inConflict: boolean;
}

/** A version that shows at once; `await` it for the hub's receipt of version and bytes. */
export interface Upload extends Awaitable<Kept> {
  readonly id: string;
  readonly sha256: string;
}

export interface Asset {
  /** Makes a version of these bytes, at most `UPLOAD_BYTES_MAX`. Throws `HubError` where they are none, or too many. */
  upload(bytes: Uint8Array, hints: AssetHints): Upload;
  /** The latest first. */
  versions(): readonly SeenVersion[];
  /** Lets one of the versions stand, having seen all that are in conflict. */
  choose(version: SeenVersion): Made;
  /** The bytes of the version that stands, or of another one, from the hub; checked against their hash. */
  download(version?: SeenVersion): Promise<Uint8Array>;
}

interface AssetParts {
  readonly make: (kind: Kind, key: string, body: Uint8Array, opClass: OpClass) => Made;
  readonly record: (key: string) => RecordState;
  readonly writes: (key: string) => readonly RecordWrite[];
  /** Those of the record's asset. */
  readonly conflicts: (key: string) => readonly Conflict[];
  /** Gets a path of the hub by HTTP; undefined where it is not known where that is. */
  readonly fetchBytes: ((path: string) => Promise<Uint8Array>) | undefined;
}

/** Half of what an outbox holds: larger ones go by HTTP (ASSETS.md §3). */
const UPLOAD_BYTES_MAX = 32 << 20;

export function assetOf(key: string, parts: AssetParts): Asset {
  const versions = (): SeenVersion[] => versionsOf(key, parts);
  return {
    versions,
    upload: (bytes, hints) => upload(key, bytes, hints, parts),
    choose: (version) => {
      const write = parts.writes(key).find(({ order }) => textOfOpId(order) === version.id);
      const chosen = write === undefined ? undefined : readAssetVersion(write.body);
      if (chosen === undefined) throw new HubError('client.refused', `${key} has no ${version.id}`);
      return parts.make(
        ASSET,
        key,
        encodeAssetVersion({ ...chosen, base: sidesOf(key, parts) }),
        RECORD,
      );
    },
    download: (version) => download(key, version ?? versions().find(({ stands }) => stands), parts),
  };
}

function upload(key: string, bytes: Uint8Array, hints: AssetHints, parts: AssetParts): Upload {
  if (bytes.length === 0 || bytes.length > UPLOAD_BYTES_MAX) {
    throw new HubError('client.refused', `an upload has 1 to ${UPLOAD_BYTES_MAX} bytes`);
  }
  const hash = sha256(bytes);
  const size = bytes.length;
  const body = encodeAssetVersion({ ...hints, sha256: hash, size, base: sidesOf(key, parts) });
  if (readAssetVersion(body) === undefined) {
    throw new HubError('client.refused', 'not a media type, or hints beyond their limits');
  }
  const version = parts.make(ASSET, key, body, RECORD);
  let last: Made = version;
  for (let offset = 0; offset < size; offset += PIECE_BYTES_MAX) {
    const data = bytes.subarray(offset, offset + PIECE_BYTES_MAX);
    last = parts.make(ASSET, key, encodePiece({ sha256: hash, size, offset, data }), BULK);
  }
  const kept = Promise.all([version, last]).then(([first]) => first);
  // Nobody has to wait.
  kept.catch(() => undefined);
  return awaitable(kept, { id: version.id, sha256: hexOf(hash) });
}

/** What stands, and what is in conflict with it: what the maker of a version has before its eyes. */
function sidesOf(key: string, parts: AssetParts): OpId[] {
  const standing = parts.record(key).fields.get(ASSET_FIELD)?.order;
  const losers = parts.conflicts(key);
  return [...(standing === undefined ? [] : [standing]), ...losers.map(({ loser }) => loser)];
}

function versionsOf(key: string, { record, writes, conflicts }: AssetParts): SeenVersion[] {
  const standing = record(key).fields.get(ASSET_FIELD)?.order;
  const losers = conflicts(key).flatMap((each) => (isDispute(each) ? each.loser : []));
  return inOrder(writes(key))
    .toReversed()
    .flatMap(({ order, kind, body }) => {
      const version = kind === ASSET ? readAssetVersion(body) : undefined;
      if (version === undefined) return [];
      const { sha256: hash, size, type, note, tags = [], region } = version;
      return {
        id: textOfOpId(order),
        sha256: hexOf(hash),
        size,
        type,
        note,
        tags,
        region,
        atMs: madeAtMs(order),
        stands: standing !== undefined && isSameOp(standing, order),
        inConflict: losers.some((loser) => isSameOp(loser, order)),
      };
    });
}

async function download(
  key: string,
  version: SeenVersion | undefined,
  { fetchBytes }: AssetParts,
): Promise<Uint8Array> {
  if (version === undefined) throw new HubError('client.refused', `${key} has no asset`);
  if (fetchBytes === undefined) {
    throw new HubError('client.refused', 'contents come by HTTP: connect with the option `http`');
  }
  const bytes = await fetchBytes(`/api/v1/assets/${version.sha256}`);
  if (hexOf(sha256(bytes)) === version.sha256) return bytes;
  throw new HubError('client.refused', 'what came is not what was asked for');
}
