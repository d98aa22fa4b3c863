/** Metrics of a regional node, or of one worker of a fleet: its own work, and what the storage holds for all. */
import { addFaults, Exposition, type Sample } from '../metrics.ts';
import type { FaultStatus } from '../snapshot.ts';

export interface RegionMetrics {
  readonly regionId: string;
  readonly version: string;
  readonly uptimeS: number;
  readonly connected: boolean;
  /** Of this process, since its start. */
  readonly work: {
    readonly chunks: number;
    readonly batches: number;
    readonly ops: number;
    readonly parked: number;
    readonly nonsense: number;
    readonly overQuota: number;
  };
  /** Whether the database answered last; null where there is none. */
  readonly databaseThere: boolean | null;
  readonly diskFreeBytes: number | null;
  readonly faults: readonly Pick<FaultStatus, 'code'>[];
  readonly sites: readonly {
    readonly site: string;
    readonly batches: number;
    readonly underway: number;
    readonly complete: number;
    readonly parked: number;
    /** Age of the last contact, null where unknown. */
    readonly hubs: readonly { readonly hub: string; readonly heardS: number | null }[];
  }[];
}

export function renderRegionMetrics(metrics: RegionMetrics): string {
  const page = new Exposition();
  const { regionId, version, work, sites } = metrics;
  page.gauges('region_info', 'Identity of the region.', [[{ region_id: regionId, version }, 1]]);
  page.gauge('region_uptime_seconds', 'Time since the start.', metrics.uptimeS);
  page.gauge('region_connected', '1 while connected to the broker of the hubs.', metrics.connected);
  page.gauge('region_database_up', '1 while PostgreSQL answers.', metrics.databaseThere);
  const left = 'Space that is left on the disk of the data; what a database has, it says itself.';
  page.gauge('region_disk_free_bytes', left, metrics.diskFreeBytes);
  addFaults(page, metrics.faults);
  page.counter('region_chunks', 'Chunks that this process has taken.', work.chunks);
  page.counter('region_batches', 'Batches that this process has stored.', work.batches);
  page.counter('region_ops', 'Ops in batches that this process has stored.', work.ops);
  page.counter('region_parked', 'Batches that this process has put aside.', work.parked);
  page.counter('region_nonsense', 'Messages that were none of ours, or malformed.', work.nonsense);
  page.counter('region_over_quota', 'Chunks beyond the quota of a hub or site.', work.overQuota);
  const perSite = (value: (site: (typeof sites)[number]) => number): Sample[] =>
    sites.map((site) => [{ site: site.site }, value(site)]);
  page.gauges(
    'site_hubs',
    'Hubs that were met.',
    perSite(({ hubs }) => hubs.length),
  );
  page.gauges(
    'site_batches_stored',
    'Batches stored, ever.',
    perSite(({ batches }) => batches),
  );
  page.gauges(
    'site_batches_underway',
    'Batches that have begun to come.',
    perSite((it) => it.underway),
  );
  page.gauges(
    'site_batches_complete',
    'Batches that wait to be stored.',
    perSite((it) => it.complete),
  );
  page.gauges(
    'site_batches_parked',
    'Batches put aside.',
    perSite(({ parked }) => parked),
  );
  const heard = sites.flatMap(({ site, hubs }) =>
    hubs.map(({ hub, heardS }): Sample => [{ site, hub }, heardS]),
  );
  page.gauges('hub_heard_seconds', 'Time since the hub was last heard.', heard);
  return page.text();
}
