/**
 * Assets of a running hub: the blob store, what follows the journal into it, and the ways in and out of both. An
 * upload is acknowledged when its bytes and its version are in the journal (assets/ASSETS.md §3).
 */
import type { AssetFollower } from '../../assets/asset-follower.ts';
import type { AssetStat, BlobStore } from '../../assets/blob-store.ts';
import { bytesOfContentId, type ContentId, contentIdOf } from '../../assets/content-id.ts';
import type { PreviewMaker } from '../../assets/previews/preview-maker.ts';
import type { Upload, Uploads } from '../../assets/uploads.ts';
import { HubError } from '../../base/errors.ts';
import type { JsonValue } from '../../codec/json.ts';
import type { Ground } from '../ground.ts';
import { jsonOfOrder, jsonOfVersion } from '../record-json.ts';
import type { HubStore } from '../storage/store.ts';
import type { Telling } from '../sync/telling.ts';
import type { Door } from '../../ingest/door/door.ts';
import type { Journal } from '../../journal/journal.ts';
import {
  type AssetVersion,
  encodeAssetVersion,
  readAssetVersion,
} from '../../merge/asset/asset-version.ts';
import { versionWith } from '../../merge/asset/asset-hints.ts';
import { textOfOpId } from '../../merge/op-id.ts';
import { encodePiece, PIECE_BYTES_MAX } from '../../model/asset-bytes.ts';
import { BULK, RECORD } from '../../model/class.ts';
import { ASSET } from '../../model/op.ts';
import type {
  AssetDoor,
  AssetWish,
  ContentFacts,
  OpenContent,
  PreviewOutcome,
  Received,
} from '../../status/api/assets.ts';

interface HubAssetsOptions {
  readonly blobs: BlobStore;
  readonly follower: AssetFollower;
  readonly uploads: Uploads;
  readonly maker: PreviewMaker;
  readonly door: Pick<Door, 'journalOp'>;
  readonly journal: Pick<Journal, 'whenDurable'>;
  readonly store: Pick<HubStore, 'state' | 'whenApplied'>;
  readonly notices: Telling;
  readonly ground: Pick<Ground, 'id' | 'machine'>;
  /** Whether the battery allows previews now. */
  readonly mayPreview: () => boolean;
}

/** Pieces of an upload that wait for the card at the same time. */
const PIECES_AT_ONCE = 4;
/** Versions that are looked at to know who may read a content. */
const VERSIONS_MAX = 64;

type JsonObject = Readonly<Record<string, JsonValue>>;

export class HubAssets implements AssetDoor {
  readonly #options: HubAssetsOptions;

  constructor(options: HubAssetsOptions) {
    this.#options = options;
  }

  get fault(): HubError | undefined {
    const { follower, blobs } = this.#options;
    if (follower.fault !== undefined) return follower.fault;
    const { quarantined } = blobs.stat();
    if (quarantined === 0) return undefined;
    return new HubError(
      'assets.damaged',
      `${quarantined} damaged contents lie in assets/quarantine`,
    );
  }

  stat(): AssetStat {
    return this.#options.blobs.stat();
  }

  latest(limit: number, mayRead: (key: string) => boolean): JsonObject[] {
    const { blobs, store } = this.#options;
    const found = store.state.records.latestAssets(limit).filter(([key]) => mayRead(key));
    return found.map(([key, { order, value }]) => {
      const sha256 = readAssetVersion(value)?.sha256 ?? new Uint8Array(0);
      const id = contentIdOf(sha256);
      const { state } = blobs.stateOf(id);
      const preview = blobs.previews.facts(id) !== undefined;
      return { key, ...jsonOfOrder(order), ...jsonOfVersion(value), content: state, preview };
    });
  }

  facts(sha256: string): ContentFacts | undefined {
    const { blobs, store } = this.#options;
    const id = sha256 as ContentId;
    const versions = store.state.records.versionsOf(bytesOfContentId(id), VERSIONS_MAX);
    const named = readAssetVersion(versions[0]?.[1].body ?? new Uint8Array(0));
    if (named === undefined) return undefined;
    const { state, bytes } = blobs.stateOf(id);
    const keys = versions.map(([key]) => key);
    return { keys, type: named.type, size: named.size, state, receivedBytes: bytes };
  }

  open(sha256: string): Promise<OpenContent | undefined> {
    return this.#options.blobs.read(sha256 as ContentId);
  }

  async preview(sha256: string): Promise<PreviewOutcome> {
    const { blobs, maker, mayPreview } = this.#options;
    const id = sha256 as ContentId;
    const known = this.#readyPreview(id);
    if (known !== undefined) return known;
    const never = maker.neverReason(id);
    if (never !== undefined) return { kind: 'never', reason: never };
    if (blobs.stateOf(id).state !== 'whole') {
      return { kind: 'later', reason: 'neither preview nor content is here' };
    }
    if (!mayPreview())
      return { kind: 'later', reason: 'the battery does not allow to make it now' };
    await maker.made(id);
    const made = this.#readyPreview(id);
    if (made !== undefined) return made;
    const reason = maker.neverReason(id);
    if (reason !== undefined) return { kind: 'never', reason };
    return { kind: 'later', reason: 'it is not made yet' };
  }

  #readyPreview(id: ContentId): PreviewOutcome | undefined {
    const { previews } = this.#options.blobs;
    const facts = previews.facts(id);
    const bytes = previews.read(id);
    if (facts === undefined || bytes === undefined) return undefined;
    return { kind: 'ready', ...facts, bytes };
  }

  /** Takes an upload, or a part of one; what it needs of memory is a chunk of the socket. */
  async receive(wish: AssetWish): Promise<Received> {
    const { blobs, uploads, ground } = this.#options;
    const { size } = wish.range;
    const id = wish.sha256 as ContentId | undefined;
    const full = blobs.refusal(id ?? contentIdOf(NO_HASH), size);
    if (full !== undefined) {
      return refused(full.code === 'assets.full' ? 507 : 413, `${full.message}. ${full.hint}`);
    }
    // Behind the size: one that no version can state would pass for a mistake in the hints.
    const probe = versionWith({ sha256: NO_HASH, size, type: wish.type }, wish.hints);
    if (typeof probe === 'string') return refused(400, probe);
    if (id !== undefined && this.#hasWhole(id, size)) return this.#version(wish, probe, id);
    const upload = uploads.take(id, size);
    if (upload === undefined)
      return refused(409, 'it is being sent already, or too many others are');
    let isOver = false;
    try {
      const outcome = await this.#fill(upload, wish);
      if (outcome !== undefined) return outcome;
      const found = await upload.hash(ground.machine.timers);
      isOver = true;
      if (id !== undefined && found !== id) {
        return refused(422, `the bytes have the hash ${found}; send them again from the start`);
      }
      if (!this.#hasWhole(found, size)) await this.#journalPieces(upload, found, wish.key);
      return await this.#version(wish, probe, found);
    } finally {
      upload.close();
      if (isOver && id !== undefined) uploads.drop(id, size);
    }
  }

  #hasWhole(id: ContentId, size: number): boolean {
    const { state, bytes } = this.#options.blobs.stateOf(id);
    return state === 'whole' && bytes === size;
  }

  /** Appends what comes; undefined where all is there. */
  async #fill(upload: Upload, { range, body, sha256 }: AssetWish): Promise<Received | undefined> {
    const { from, to } = range;
    if (from > upload.received) {
      const reason = `it begins at ${from}, and ${upload.received} bytes are here`;
      return { ...refused(409, reason), received: upload.received };
    }
    let at = from;
    for await (const chunk of body) {
      const end = at + chunk.length;
      if (end > to) return refused(400, 'the body is longer than it says');
      if (end > upload.received) upload.append(chunk.subarray(upload.received - at));
      at = end;
    }
    if (upload.isWhole) return undefined;
    if (at === to && sha256 !== undefined) return { kind: 'partial', received: upload.received };
    return { ...refused(400, 'the body is shorter than it says'), received: upload.received };
  }

  /** The bytes into the journal, the file into the blob store: in this order (ASSETS.md §3). */
  async #journalPieces(upload: Upload, id: ContentId, key: string): Promise<void> {
    const { door, journal, blobs } = this.#options;
    const sha256 = bytesOfContentId(id);
    const { size } = upload;
    let lsn = 0;
    for (let offset = 0, count = 1; offset < size; offset += PIECE_BYTES_MAX, count++) {
      const data = new Uint8Array(Math.min(PIECE_BYTES_MAX, size - offset));
      upload.readAt(data, offset);
      const body = encodePiece({ sha256, size, offset, data });
      lsn = door.journalOp({ class: BULK, kind: ASSET, key, body }).lsn;
      if (count % PIECES_AT_ONCE === 0) await journal.whenDurable(lsn);
    }
    await journal.whenDurable(lsn);
    blobs.adopt(upload.path, id, size, lsn);
  }

  async #version(wish: AssetWish, probe: AssetVersion, id: ContentId): Promise<Received> {
    const { door, journal, store, notices, ground } = this.#options;
    const body = encodeAssetVersion({ ...probe, sha256: bytesOfContentId(id) });
    const { key, role } = wish;
    const { lsn, seq } = door.journalOp({ class: RECORD, kind: ASSET, key, body, role });
    notices.came({ origin: ground.id, class: RECORD, seq, kind: ASSET, key, body }, lsn);
    await journal.whenDurable(lsn);
    await store.whenApplied(lsn);
    this.#options.maker.want(id);
    const op = textOfOpId({ origin: ground.id, class: RECORD, seq });
    return { kind: 'stored', answer: { op, key, ...jsonOfVersion(body) } };
  }
}

const NO_HASH = new Uint8Array(32);

function refused(
  status: Extract<Received, { kind: 'refused' }>['status'],
  reason: string,
): Extract<Received, { kind: 'refused' }> {
  return { kind: 'refused', status, reason };
}
