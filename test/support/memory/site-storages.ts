/** Batches and chunks through any storage of a regional node. */
import assert from 'node:assert/strict';

import { utf8 } from '../../../src/base/bytes.ts';
import type { BatchId } from '../../../src/batch/batch-id.ts';
import {
  type Chunk,
  chunkSpan,
  encodeChunk,
  layoutOf,
  parseChunk,
} from '../../../src/batch/wire/chunks.ts';
import { type BatchOutcome, openBatch } from '../../../src/batch/open-batch.ts';
import type { SealedBatch } from '../../../src/batch/seal-batch.ts';
import type { Clock } from '../../../src/base/clock.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { MachineClock, machineTimers } from '../../../src/platform/clock.ts';
import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import type { Database } from '../../../src/platform/network/postgres.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { EmbeddedStorage } from '../../../src/regional/embedded/embedded-storage.ts';
import type { RegionalLimits } from '../../../src/regional/limits.ts';
import { PgStorage } from '../../../src/regional/postgres/pg-storage.ts';
import type {
  Claim,
  KeepOutcome,
  RegionStorage,
  SiteKeeper,
  SiteStorage,
} from '../../../src/regional/site-storage.ts';
import { Store } from '../../../src/store/store.ts';
import { HUB, HUB_ID, OPENING, REGION, SITE } from '../made/batches.ts';
import { runsWith } from '../machine/peers.ts';
import { connect, PostgresServer } from '../machine/postgres.ts';
import { tempDir } from '../machine/temp-dir.ts';

/** What a site would make of batches; its receipts are words. */
const KEEPER: SiteKeeper = {
  receiptFor: (id, _manifest, { history, isLoose }) =>
    utf8(`${id} ${history}${isLoose ? ' loose' : ''}`),
  reopen: (hub, id, bytes, publicKey) =>
    openBatch(bytes, { id, site: SITE, hub, publicKey }, OPENING),
  tell: () => undefined,
};

export function chunksOf(bytes: Uint8Array, dataBytesMax = 100): Chunk[] {
  const layout = layoutOf(bytes.length, dataBytesMax);
  return Array.from({ length: layout.total }, (_, index) => {
    const { from, to } = chunkSpan(layout, index);
    const outcome = parseChunk(encodeChunk(bytes.subarray(from, to), layout, index));
    assert.ok(outcome.kind === 'chunk');
    return outcome.chunk;
  });
}

/** Brings all chunks of a batch; whether the last of them made it complete. */
export async function putAll(
  site: SiteStorage,
  { id, bytes }: SealedBatch,
  hub = HUB_ID,
): Promise<boolean> {
  let isComplete = false;
  for (const chunk of chunksOf(bytes)) {
    const put = await site.put(hub, id, chunk);
    assert.equal(put.kind, 'kept');
    isComplete = put.kind === 'kept' && put.isComplete;
  }
  return isComplete;
}

export async function opened(
  claim: Claim,
  id: BatchId,
  hub = HUB,
): Promise<Extract<BatchOutcome, { kind: 'batch' }>> {
  const expected = { id, site: SITE, hub: hub.id, publicKey: hub.publicKey };
  const outcome = await openBatch(claim.bytes, expected, OPENING);
  assert.ok(outcome.kind === 'batch');
  return outcome;
}

/** Brings a batch and keeps it. */
export async function keepBatch(
  site: SiteStorage,
  batch: SealedBatch,
  hub = HUB,
): Promise<KeepOutcome> {
  assert.ok(await putAll(site, batch, hub.id));
  return keepComplete(site, batch.id, hub);
}

export async function keepComplete(
  site: SiteStorage,
  id: BatchId,
  hub = HUB,
): Promise<KeepOutcome> {
  const claim = await site.claim(hub.id, id);
  assert.ok(claim !== undefined, 'complete and in no other hands');
  const kept = await claim.keep(await opened(claim, id, hub));
  await claim.release();
  return kept;
}

export type OpenRegion = () => Promise<RegionStorage>;
export type MakeRegion = (limits?: Partial<RegionalLimits>) => Promise<OpenRegion>;

/** Opens one storage again and again: another process, or the same one after a restart. */
export const STORAGES = {
  hasPostgres: runsWith('postgres'),
  server: undefined as PostgresServer | undefined,

  /** Every kind that this machine can run, each with its maker of empty ones. */
  get kinds(): [string, MakeRegion][] {
    const kinds: [string, MakeRegion][] = [['embedded', embedded]];
    return this.hasPostgres ? [...kinds, ['PostgreSQL', postgres]] : kinds;
  },

  async start(): Promise<void> {
    if (this.hasPostgres) this.server = await PostgresServer.start();
  },

  async stop(): Promise<void> {
    await this.server?.stop();
  },
};

const MACHINE = { clock: new MachineClock(), timers: machineTimers, log: SILENT_LOG };

async function embedded(limits: Partial<RegionalLimits> = {}): Promise<OpenRegion> {
  const dir = tempDir();
  const openStore = (path: string): Store =>
    Store.open({
      path,
      files: machineFiles,
      log: SILENT_LOG,
      readingsDays: 30,
      durability: 'each-commit',
    });
  const self = REGION.id;
  return async () =>
    new EmbeddedStorage({ ...MACHINE, files: machineFiles, dir, openStore, self, limits });
}

async function postgres(limits: Partial<RegionalLimits> = {}): Promise<OpenRegion> {
  const { server } = STORAGES;
  assert.ok(server !== undefined);
  return postgresAt(server.url(await server.create()), limits);
}

export function postgresAt(
  url: string,
  limits: Partial<RegionalLimits> = {},
  clock: Clock = MACHINE.clock,
): OpenRegion {
  return async () =>
    PgStorage.open({
      ...MACHINE,
      clock,
      database: await connect(url),
      publicKey: REGION.publicKey,
      keepDays: { readings: 30, batches: 30 },
      limits,
    });
}

export interface Place {
  readonly storage: RegionStorage;
  readonly site: SiteStorage;
  /** Closes all and opens it again. */
  reopen(): Promise<Place>;
  close(): Promise<void>;
}

/** A site that has met one hub. */
export async function placeOf(open: OpenRegion): Promise<Place> {
  const storage = await open();
  const site = await storage.openSite(SITE, KEEPER);
  await site.meet(HUB_ID, HUB.publicKey);
  const close = async (): Promise<void> => {
    await site.close();
    await storage.close();
  };
  return {
    storage,
    site,
    close,
    reopen: async () => {
      await close();
      return placeOf(open);
    },
  };
}

export interface PgPlace extends Place {
  readonly url: string;
  readonly clock: SimClock;
  readonly storage: PgStorage;
  readonly database: Database;
}

/** A fleet's storage of its own, by a clock that the test moves. */
export async function postgresByClock(startMs: number): Promise<PgPlace> {
  const { server } = STORAGES;
  assert.ok(server !== undefined);
  const [clock, url] = [new SimClock(startMs), server.url(await server.create())];
  const place = await placeOf(postgresAt(url, {}, clock));
  const storage = place.storage as PgStorage;
  return { ...place, url, clock, storage, database: storage.database };
}
