/**
 * What the regional node has of readings that are still at their site: the summaries that hubs sent ahead, and whether the
 * readings they stand for have come since. A summary is raw as soon as its newest windows are here reading by reading:
 * the batches of a class come in the order of the journal.
 */
import { isoTime } from '../base/iso-time.ts';
import { parseSummary, type Summary } from '../batch/summary.ts';
import { summaryKey } from '../hub/uplink/summaries.ts';
import type { SiteStorage } from '../regional/site-storage.ts';
import type { ReadingsPage } from '../store/readings/readings.ts';
import { saidUnder } from './said.ts';

interface HubSummary extends Summary {
  readonly hub: string;
  /** By the hub's clock. */
  readonly madeAt: string;
  /** `raw`: the readings are here; `summary`: this is all there is yet. */
  readonly has: 'raw' | 'summary';
}

const SUMMARIES_MAX = 200;
const PAGES_MAX = 20;
/** Series that are looked at; any of them tells. */
const LOOKED_AT_MAX = 16;

/** Oldest first; without `all`, only those whose readings are not here. Undefined for an unknown hub. */
export async function summariesOf(
  storage: SiteStorage,
  hub: string,
  all: boolean,
): Promise<HubSummary[] | undefined> {
  const hubs = await storage.hubs();
  if (!hubs.some((contact) => contact.hub === hub)) return undefined;
  const found: HubSummary[] = [];
  const words = saidUnder(summaryKey(hub), storage, { pagesMax: PAGES_MAX });
  for await (const { atMs, payload } of words) {
    const summary = parseSummary(payload);
    if (summary === undefined) continue;
    found.push({ ...summary, hub, madeAt: isoTime(atMs), has: 'summary' });
  }
  const judged: HubSummary[] = [];
  for (const summary of found.slice(-SUMMARIES_MAX)) {
    const has = (await isRawHere(storage, summary)) ? 'raw' : 'summary';
    if (all || has === 'summary') judged.push({ ...summary, has });
  }
  return judged;
}

async function isRawHere(storage: SiteStorage, { series, windowS }: Summary): Promise<boolean> {
  const keys = Object.entries(series).slice(0, LOOKED_AT_MAX);
  for (const [key, fields] of keys) {
    const [field, rows] = Object.entries(fields)[0] ?? [];
    const last = rows?.at(-1);
    if (field === undefined || last === undefined) continue;
    const [startS, wanted] = last;
    const stepMs = windowS * 1_000;
    const toMs = startS * 1_000 + stepMs;
    let count = 0;
    let fromMs: number | undefined = startS * 1_000;
    while (fromMs !== undefined && count < wanted) {
      const { points, nextFromMs }: ReadingsPage = await storage.readings({
        key,
        fromMs,
        toMs,
        stepMs,
      });
      for (const { fields: found } of points) count += found[field]?.count ?? 0;
      fromMs = nextFromMs;
    }
    if (count < wanted) return false;
  }
  return keys.length > 0;
}
