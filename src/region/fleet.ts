/**
 * What the regional node knows of its hubs for the fleet page: when each was heard, and what its log says, from the
 * readings of its site.
 */
import { textOf } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { isoTime } from '../base/iso-time.ts';
import { syncLogKey } from '../hub/data/data.ts';
import type { SiteStorage } from '../regional/site-storage.ts';
import { type FleetHub, fleetHubOf, type FleetLine } from '../status/region/fleet.ts';
import { saidUnder } from './said.ts';

interface FleetOptions {
  readonly clock: Clock;
  readonly sites: () => readonly { readonly name: string; readonly storage: SiteStorage }[];
}

const DAY_MS = 86_400_000;
/** How far back the last word of a hub is looked for: at last anywhere, since its clock may say 1970. */
const WINDOWS_MS = [DAY_MS, 30 * DAY_MS, Infinity];
const LINES_MAX = 2_000;
const PAGES_MAX = 50;

export class Fleet {
  readonly #options: FleetOptions;
  /** Entries with the batch that they are up to date with. */
  readonly #known = new Map<string, { readonly batch: number; readonly lines: FleetLine[] }>();

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** By site and hub. */
  async hubs(): Promise<FleetHub[]> {
    const found: FleetHub[] = [];
    for (const { name: site, storage } of this.#options.sites()) {
      const batch = await storage.batches();
      for (const { hub, software, heardMs, parked, ...told } of await storage.hubs()) {
        const heardAt = heardMs === undefined ? null : isoTime(heardMs);
        const known = { site, hub, heardAt, parked };
        const { hindrance = null, refusal = null } = told;
        const facts = { ...known, software: software ?? null, hindrance, refusal };
        found.push(fleetHubOf(facts, await this.#recent(storage, `${site}/${hub}`, hub, batch)));
      }
    }
    return found;
  }

  /** Oldest first; undefined where no such hub is known. */
  async lines(
    site: string,
    hub: string,
    sinceMs: number | undefined,
  ): Promise<FleetLine[] | undefined> {
    const storage = this.#options.sites().find(({ name }) => name === site)?.storage;
    if (storage === undefined) return undefined;
    const hubs = await storage.hubs();
    if (!hubs.some((contact) => contact.hub === hub)) return undefined;
    if (sinceMs !== undefined) return read(storage, hub, sinceMs);
    return this.#recent(storage, `${site}/${hub}`, hub, await storage.batches());
  }

  /** The last day that a hub has told of; kept until its site has a new batch. */
  async #recent(
    storage: SiteStorage,
    key: string,
    hub: string,
    batch: number,
  ): Promise<FleetLine[]> {
    const known = this.#known.get(key);
    if (known?.batch === batch) return known.lines;
    const nowMs = this.#options.clock.wallMs();
    let lines: FleetLine[] = [];
    for (const windowMs of WINDOWS_MS) {
      lines = await read(storage, hub, Math.max(0, nowMs - windowMs));
      if (lines.length > 0) break;
    }
    this.#known.set(key, { batch, lines });
    return lines;
  }
}

async function read(storage: SiteStorage, hub: string, sinceMs: number): Promise<FleetLine[]> {
  const lines: FleetLine[] = [];
  const part = { fromMs: sinceMs, pagesMax: PAGES_MAX };
  for await (const { payload } of saidUnder(syncLogKey(hub), storage, part)) {
    const line = lineOf(payload);
    if (line !== undefined) lines.push(line);
  }
  return lines.slice(-LINES_MAX);
}

function lineOf(payload: Uint8Array): FleetLine | undefined {
  try {
    const line: unknown = JSON.parse(textOf(payload) ?? '');
    return typeof line === 'object' && line !== null ? (line as FleetLine) : undefined;
  } catch {
    return undefined;
  }
}
