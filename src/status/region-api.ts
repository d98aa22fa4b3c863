/**
 * The HTTP API of the regional node: its health, the hubs of each site, and the digest of a site's state,
 * to be compared with the hub's own.
 */
import { Hono } from 'hono';

import type { StateDigest } from './api.ts';
import { problem } from './problem.ts';

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
  /** Connected to the broker that hubs publish to. */
  readonly connected: boolean;
  readonly sites: readonly RegionSite[];
}

export interface RegionApiOptions {
  status(): RegionStatus;
  /** Undefined where no such site is known. */
  digest(site: string): StateDigest | undefined;
}

export function createRegionApi(options: RegionApiOptions): {
  fetch(request: Request): Response | Promise<Response>;
} {
  const app = new Hono();
  app.notFound((context) => problem(404, `There is nothing at ${context.req.path}.`));
  app.get('/healthz', (context) => {
    const { connected } = options.status();
    return context.json({ ok: connected }, connected ? 200 : 503);
  });
  app.get('/api/v1/status', (context) => context.json(options.status()));
  app.get('/api/v1/digest', (context) => {
    const site = context.req.query('site') ?? onlySiteOf(options.status());
    if (site === undefined) return problem(400, 'Several sites are here: say which, ?site=demo');
    const digest = options.digest(site);
    return digest === undefined
      ? problem(404, `There is no site ${site} here.`)
      : context.json(digest);
  });
  return { fetch: (request) => app.fetch(request) };
}

function onlySiteOf({ sites }: RegionStatus): string | undefined {
  return sites.length === 1 ? sites[0]?.site : undefined;
}
