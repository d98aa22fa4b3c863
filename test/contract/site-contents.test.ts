/** Contents of assets at a regional node, of each storage that there is: what a receipt covers is here, and served. */
import assert from 'node:assert/strict';

import { afterAll, beforeAll, describe, test } from 'vitest';

import { SILENT_LOG } from '../../src/base/log.ts';
import type { SealedBatch } from '../../src/batch/seal-batch.ts';
import { encodeAssetVersion } from '../../src/merge/asset/asset-version.ts';
import {
  type AssetPiece,
  encodePiece,
  encodePreview,
  GRID_BYTES,
} from '../../src/model/asset-bytes.ts';
import { BULK, PREVIEW, RECORD } from '../../src/model/class.ts';
import { ASSET } from '../../src/model/op.ts';
import type { Origin } from '../../src/model/origin.ts';
import { MachineClock, machineTimers } from '../../src/platform/clock.ts';
import { machineFiles } from '../../src/platform/files/machine-files.ts';
import { RegionAssets } from '../../src/region/assets.ts';
import { SiteState } from '../../src/region/site-state.ts';
import { doorOfContents } from '../../src/region/pg-assets.ts';
import { EmbeddedStorage } from '../../src/regional/embedded/embedded-storage.ts';
import { PgStorage } from '../../src/regional/postgres/pg-storage.ts';
import type { ContentDoor } from '../../src/status/api/assets.ts';
import { eventually } from '../support/hubs/api.ts';
import { type Content, contentOf, piecesOf } from '../support/made/assets.ts';
import { batchOf, REGION, stampedOp } from '../support/made/batches.ts';
import { DEVICE_A, DEVICE_B } from '../support/made/ops.ts';
import { connect } from '../support/machine/postgres.ts';
import {
  keepBatch,
  type OpenRegion,
  type Place,
  placeOf,
  STORAGES,
} from '../support/memory/site-storages.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

beforeAll(() => STORAGES.start());
afterAll(() => STORAGES.stop());

test.skipIf(STORAGES.hasPostgres)('PostgreSQL (skipped: needs postgres)', () => undefined);

const KEY = 'meter/4/photo';

interface Kind {
  readonly open: OpenRegion;
  readonly door: () => ContentDoor;
  /** Of the database, where there is one. */
  readonly sql: (text: string) => Promise<void>;
}

const KINDS: [string, () => Promise<Kind>][] = [
  ['embedded', async () => embedded()],
  ...(STORAGES.hasPostgres ? [['PostgreSQL', postgres] as [string, () => Promise<Kind>]] : []),
];

function embedded(): Kind {
  const dir = tempDir();
  let door: ContentDoor;
  const common = { files: machineFiles, timers: machineTimers, log: SILENT_LOG };
  const open = async (): Promise<EmbeddedStorage> => {
    const assets = new RegionAssets(common);
    door = assets;
    const openStore = (path: string): ReturnType<RegionAssets['storing']> => {
      const durability = 'each-commit';
      const state = SiteState.open({ ...common, path, readingsDays: 30, durability });
      return assets.storing(state, dir);
    };
    return new EmbeddedStorage({ ...common, clock: new MachineClock(), dir, openStore });
  };
  return { open, door: () => door, sql: () => Promise.resolve() };
}

async function postgres(): Promise<Kind> {
  const { server } = STORAGES;
  assert.ok(server !== undefined);
  const url = server.url(await server.create());
  let door: ContentDoor;
  const open = async (): Promise<PgStorage> => {
    const storage = await PgStorage.open({
      database: await connect(url),
      publicKey: REGION.publicKey,
      clock: new MachineClock(),
      timers: machineTimers,
      log: SILENT_LOG,
      keepDays: { readings: 30, batches: 30 },
    });
    door = doorOfContents(storage.contents);
    return storage;
  };
  const sql = async (text: string): Promise<void> => {
    const database = await connect(url);
    await database.query(text);
    await database.close();
  };
  return { open, door: () => door, sql };
}

function versionBatch(content: Content): Promise<SealedBatch> {
  const { sha256, bytes } = content;
  const body = encodeAssetVersion({ sha256, size: bytes.length, type: 'image/jpeg' });
  return batchOf([stampedOp(1, { class: RECORD, kind: ASSET, key: KEY, body })]);
}

function piecesBatch(
  pieces: readonly AssetPiece[],
  fromSeq: number,
  origin: Origin = DEVICE_A,
): Promise<SealedBatch> {
  const ops = pieces.map((piece, at) => {
    const seq = fromSeq + at;
    const body = encodePiece(piece);
    return stampedOp(seq, { origin, class: BULK, kind: ASSET, key: KEY, body });
  });
  return batchOf(ops);
}

async function readAll(door: ContentDoor, id: string): Promise<Uint8Array | undefined> {
  const content = await door.open(id);
  if (content === undefined) return undefined;
  const bytes = new Uint8Array(content.size);
  for (let at = 0; at < bytes.length;) {
    const slice = new Uint8Array(Math.min(200_000, bytes.length - at));
    const count = await content.readAt(slice, at);
    assert.ok(count > 0);
    bytes.set(slice.subarray(0, count), at);
    at += count;
  }
  content.close();
  return bytes;
}

async function whole(door: ContentDoor, id: string): Promise<void> {
  const state = async () => (await door.facts(id))?.state;
  await eventually(state, (is) => is === 'whole');
}

describe.each(KINDS)('contents of a region: %s', (name, make) => {
  test('what came in pieces, through several batches, is served whole, also after a restart', async () => {
    const kind = await make();
    const place: Place = await placeOf(kind.open);
    const content = contentOf(5 * GRID_BYTES + 17);
    const pieces = piecesOf(content, 2 * GRID_BYTES);
    const size = content.bytes.length;
    assert.equal(await kind.door().facts(content.id), undefined);
    await keepBatch(place.site, await versionBatch(content));
    const named = { keys: [KEY], type: 'image/jpeg', size };
    const facts = await kind.door().facts(content.id);
    assert.deepEqual(facts, { ...named, state: 'missing', receivedBytes: 0 });
    await keepBatch(place.site, await piecesBatch(pieces.slice(1), 2));
    const partial = await kind.door().facts(content.id);
    assert.equal(partial?.state, 'partial');
    assert.equal(await kind.door().open(content.id), undefined);
    // The rest with something that came already, in other sizes.
    const small = piecesOf(content, GRID_BYTES).slice(0, 3);
    await keepBatch(place.site, await piecesBatch(small, 9));
    await whole(kind.door(), content.id);
    assert.deepEqual(await readAll(kind.door(), content.id), content.bytes);
    const opened = await kind.door().open(content.id);
    const into = new Uint8Array(100);
    assert.equal(await opened?.readAt(into, size - 60), 60);
    assert.equal(await opened?.readAt(into, GRID_BYTES - 50), 100);
    assert.deepEqual(into, content.bytes.slice(GRID_BYTES - 50, GRID_BYTES + 50));
    opened?.close();
    const again = await place.reopen();
    assert.deepEqual(await readAll(kind.door(), content.id), content.bytes);
    await again.close();
  });

  test('a preview is served; the first of a content stays', async () => {
    const kind = await make();
    const place = await placeOf(kind.open);
    const { sha256, id } = contentOf(1_000);
    const preview = { of: sha256, type: 'image/jpeg', width: 32, height: 20 } as const;
    const say = (seq: number, data: Uint8Array) =>
      stampedOp(seq, {
        class: PREVIEW,
        kind: ASSET,
        key: KEY,
        body: encodePreview({ ...preview, data }),
      });
    assert.equal((await kind.door().preview(id)).kind, 'never');
    await keepBatch(
      place.site,
      await batchOf([say(1, Uint8Array.of(1, 2)), say(2, Uint8Array.of(3))]),
    );
    const found = await kind.door().preview(id);
    const { type, width, height } = preview;
    assert.deepEqual(found, { kind: 'ready', type, width, height, bytes: Uint8Array.of(1, 2) });
    await place.close();
  });

  test('who sends wrong bytes under the hash of others spoils nothing', async () => {
    const kind = await make();
    const place = await placeOf(kind.open);
    const content = contentOf(3 * GRID_BYTES);
    await keepBatch(place.site, await versionBatch(content));
    const lie = piecesOf(content).map((piece) => ({
      ...piece,
      data: new Uint8Array(piece.data.length),
    }));
    await keepBatch(place.site, await piecesBatch(lie, 1, DEVICE_B));
    const gone = async () => (await kind.door().facts(content.id))?.state;
    await eventually(gone, (state) => state === 'missing');
    await keepBatch(place.site, await piecesBatch(piecesOf(content), 1));
    await whole(kind.door(), content.id);
    assert.deepEqual(await readAll(kind.door(), content.id), content.bytes);
    await place.close();
  });

  test('what is whole leaves no trace in the state that is compared', async () => {
    const kind = await make();
    const place = await placeOf(kind.open);
    const content = contentOf(GRID_BYTES);
    const before = await place.site.digest();
    await keepBatch(place.site, await piecesBatch(piecesOf(content), 1));
    const after = await place.site.digest();
    assert.deepEqual([after.digest, after.ops, after.records], [before.digest, 1, 0]);
    await place.close();
  });

  const keptWhole = async () => {
    const kind = await make();
    const place = await placeOf(kind.open);
    const content = contentOf(2 * GRID_BYTES);
    await keepBatch(place.site, await versionBatch(content));
    await keepBatch(place.site, await piecesBatch(piecesOf(content), 1));
    await whole(kind.door(), content.id);
    return { kind, place, content };
  };

  test.skipIf(name === 'embedded')(
    'what came to an earlier schema is filled from its batches',
    async () => {
      const { kind, place, content } = await keptWhole();
      await kind.sql('TRUNCATE heliograph.content, heliograph.content_cell');
      await kind.sql('UPDATE heliograph.site SET contents_kept = false');
      const again = await place.reopen();
      await whole(kind.door(), content.id);
      assert.deepEqual(await readAll(kind.door(), content.id), content.bytes);
      await again.close();
    },
  );

  test.skipIf(name === 'embedded')(
    'what a worker did not check before it died, the first reader does',
    async () => {
      const { kind, place, content } = await keptWhole();
      await kind.sql('TRUNCATE heliograph.content');
      assert.equal((await kind.door().facts(content.id))?.state, 'partial');
      assert.deepEqual(await readAll(kind.door(), content.id), content.bytes);
      assert.equal((await kind.door().facts(content.id))?.state, 'whole');
      await place.close();
    },
  );
});
