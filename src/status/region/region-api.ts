/**
 * The HTTP API of the regional node and its fleet page: health, the hubs of each site with their last word, the
 * power-aware log of every hub, the readings, and the digest of a site's state, to be compared with the hub's own. Login as on
 * the hub (login.ts), but for people alone: a hub's user must not see other sites.
 */
import type { Context, Hono } from 'hono';

import type { Timers } from '../../base/clock.ts';
import { isoTime } from '../../base/iso-time.ts';
import type { Log } from '../../base/log.ts';
import { jsonAnswer, linesAnswer } from '../http/answers.ts';
import type { StateDigest } from '../api/api.ts';
import { contentAnswer, type ContentDoor } from '../api/assets.ts';
import { regionBundleAnswer, type TakeCarried } from '../api/bundle.ts';
import { readingsAnswer, type ReadingsSource } from '../api/readings.ts';
import type { FleetHub, FleetLine } from './fleet.ts';
import type { FaultStatus } from '../snapshot.ts';
import type { PageFiles } from '../http/last-routes.ts';
import type { LoginOptions } from '../http/login.ts';
import { type Api, type ApiEnv, serveApi } from '../http/serve-api.ts';
import { METRICS_TYPE } from '../metrics.ts';
import { problem } from '../http/problem.ts';
import { timeIn } from '../http/time-parameter.ts';
import { answerWish, type Wish } from '../http/wish.ts';
import { type RegionMetrics, renderRegionMetrics } from './region-metrics.ts';
import {
  rosterAnswer,
  settingsAnswer,
  type SettingsDoor,
  settingsWishAnswer,
} from './region-settings.ts';
import { deliveryAnswer, regionOverrideAnswer, sendAnswer } from './region-send.ts';
import type { SendDoor } from './send-door.ts';

export interface RegionSite {
  readonly site: string;
  /** Ids of the hubs that were met. */
  readonly hubs: readonly string[];
  /** Batches stored. */
  readonly batches: number;
}

export interface RegionStatus {
  readonly regionId: string;
  readonly version: string;
  readonly uptimeS: number;
  /** RFC 3339, by the node's own clock. */
  readonly at: string;
  /** Connected to the broker that hubs publish to. */
  readonly connected: boolean;
  /** Room that is left on the disk of the data; null where that is not to be read. */
  readonly diskFreeBytes: number | null;
  readonly faults: readonly FaultStatus[];
  readonly sites: readonly RegionSite[];
}

export interface RegionApiOptions extends LoginOptions {
  isConnected(): boolean;
  /** By the node's clock. */
  wallMs(): number;
  /** As in the status. */
  diskFreeBytes(): number | null;
  /** What keeps the node from taking what hubs send. */
  faults(): readonly FaultStatus[];
  status(): Promise<RegionStatus>;
  metrics(): Promise<RegionMetrics>;
  /** Undefined where no such site is known. */
  digest(site: string): Promise<StateDigest | undefined>;
  fleet(): Promise<readonly FleetHub[]>;
  /** Lines of a hub's power-aware log, oldest first; undefined where no such hub is known. */
  lines(
    site: string,
    hub: string,
    sinceMs: number | undefined,
  ): Promise<readonly FleetLine[] | undefined>;
  /** What hubs sent ahead of readings; undefined where no such hub is known. */
  summaries(site: string, hub: string, all: boolean): Promise<readonly unknown[] | undefined>;
  /** What hubs of a site have measured; undefined where no such site is known. */
  readings(site: string): ReadingsSource['readings'] | undefined;
  readonly timers: Timers;
  /** What is sent down to hubs. */
  readonly sending: SendDoor;
  /** What hubs have made of their settings; undefined where no such site is known. */
  readonly settings: SettingsDoor['settings'];
  readonly assets: ContentDoor;
  /** Takes in what came on a stick. */
  readonly takeCarried: TakeCarried;
  readonly page: PageFiles;
  readonly log: Log;
}

const SAY_WHICH = 'Several sites are here: say which, ?site=demo';

export function createRegionApi(options: RegionApiOptions): Api {
  return serveApi('regional node', options, (app) => addRoutes(app, options));
}

function addRoutes(app: Hono<ApiEnv>, options: RegionApiOptions): void {
  app.get('/healthz', () => {
    const connected = options.isConnected();
    return jsonAnswer({ ok: connected }, connected ? 200 : 503);
  });
  app.get('/metrics', async () => {
    const headers = { 'content-type': METRICS_TYPE };
    return new Response(renderRegionMetrics(await options.metrics()), { headers });
  });
  app.get('/api/v1/status', async () => jsonAnswer(await options.status()));
  app.get('/api/v1/fleet', async () => {
    const hubs = await options.fleet();
    const diskFreeBytes = options.diskFreeBytes();
    const faults = options.faults();
    return jsonAnswer({ at: isoTime(options.wallMs()), diskFreeBytes, faults, hubs });
  });
  app.get('/api/v1/log', (context) => logAnswer(options, context));
  app.get('/api/v1/summaries', (context) => summariesAnswer(options, context));
  app.get('/api/v1/readings', (context) => siteReadingsAnswer(options, context));
  // People here may see all sites, so they may see every content.
  app.get('/api/v1/assets/:id', (context) =>
    contentAnswer(options.assets, context.req.raw, () => true),
  );
  app.get('/api/v1/digest', (context) => digestAnswer(options, context));
  app.get('/api/v1/config', ({ req }) => settingsAnswer(options, new URL(req.url)));
  app.get('/api/v1/delivery', ({ req }) => deliveryAnswer(options.sending, new URL(req.url)));
  for (const [path, answer] of wishes(options)) {
    app.post(path, ({ req, var: { principal } }) => answerWish(req.raw, principal, answer));
  }
}

/** What people may send down, or bring. */
function wishes({
  sending,
  takeCarried,
}: RegionApiOptions): [string, (wish: Wish) => Promise<Response>][] {
  return [
    ['/api/v1/send', (wish) => sendAnswer(sending, wish)],
    ['/api/v1/override', (wish) => regionOverrideAnswer(sending, wish)],
    ['/api/v1/config', (wish) => settingsWishAnswer(sending, wish)],
    ['/api/v1/roster', (wish) => rosterAnswer(sending, wish)],
    ['/api/v1/bundle', (wish) => regionBundleAnswer(takeCarried, wish)],
  ];
}

async function logAnswer(options: RegionApiOptions, { req }: Context<ApiEnv>): Promise<Response> {
  const { site = '', hub = '' } = req.query();
  if (site === '' || hub === '') return problem(400, 'Say whose: ?site=demo&hub=a1b2c3d4e5f60718');
  const since = timeIn(new URL(req.url), 'since', options.wallMs());
  if (since instanceof Response) return since;
  const lines = await options.lines(site, hub, since);
  return lines === undefined
    ? problem(404, `There is no hub ${hub} of site ${site} here.`)
    : linesAnswer(lines);
}

/** Which readings are here only as summaries; `all=1`: also those whose readings have come since. */
async function summariesAnswer(
  options: RegionApiOptions,
  { req }: Context<ApiEnv>,
): Promise<Response> {
  const { site = '', hub = '', all = '' } = req.query();
  if (site === '' || hub === '') return problem(400, 'Say whose: ?site=demo&hub=a1b2c3d4e5f60718');
  const summaries = await options.summaries(site, hub, all !== '' && all !== '0');
  return summaries === undefined
    ? problem(404, `There is no hub ${hub} of site ${site} here.`)
    : jsonAnswer({ at: isoTime(options.wallMs()), summaries });
}

async function siteReadingsAnswer(
  options: RegionApiOptions,
  { req }: Context<ApiEnv>,
): Promise<Response> {
  const site = req.query('site') ?? onlySiteOf(await options.status());
  if (site === undefined) return problem(400, SAY_WHICH);
  const readings = options.readings(site);
  if (readings === undefined) return problem(404, `There is no site ${site} here.`);
  return readingsAnswer({ ...options, readings }, req.raw, () => true);
}

async function digestAnswer(
  options: RegionApiOptions,
  { req }: Context<ApiEnv>,
): Promise<Response> {
  const site = req.query('site') ?? onlySiteOf(await options.status());
  if (site === undefined) return problem(400, SAY_WHICH);
  const digest = await options.digest(site);
  return digest === undefined ? problem(404, `There is no site ${site} here.`) : jsonAnswer(digest);
}

function onlySiteOf({ sites }: RegionStatus): string | undefined {
  return sites.length === 1 ? sites[0]?.site : undefined;
}
