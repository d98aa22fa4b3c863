/**
 * What the regional node knows of its hubs for the fleet page: when each was heard, and what its log says, from the
 * readings of its site.
 */
import { textOf } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { isoTime } from '../base/iso-time.ts';
import { syncLogKey } from '../hub/data/data.ts';
import type { SiteStorage } from '../regional/site-storage.ts';
import {
  type FleetHub,
  type FleetLine,
  type FleetWord,
  fleetWordOf,
} from '../status/region/fleet.ts';
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
  /** Of each hub, with the batch of its site that it is up to date with: not the lines, which for hundreds of hubs are hundreds of megabytes. */
  readonly #words = new Map<string, { readonly batch: number; readonly word: FleetWord }>();
  /** The log that somebody looks at: the page asks again and again. */
  #shown: { readonly key: string; readonly batch: number; readonly lines: FleetLine[] } | undefined;

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
        found.push({ ...facts, ...(await this.#wordOf(storage, `${site}/${hub}`, hub, batch)) });
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
    const [key, batch] = [`${site}/${hub}`, await storage.batches()];
    if (this.#shown?.key === key && this.#shown.batch === batch) return this.#shown.lines;
    const lines = await this.#lastDay(storage, hub);
    this.#shown = { key, batch, lines };
    return lines;
  }

  async #wordOf(storage: SiteStorage, key: string, hub: string, batch: number): Promise<FleetWord> {
    const known = this.#words.get(key);
    if (known?.batch === batch) return known.word;
    const word = fleetWordOf(await this.#lastDay(storage, hub));
    this.#words.set(key, { batch, word });
    return word;
  }

  /** The last day that a hub has told of. */
  async #lastDay(storage: SiteStorage, hub: string): Promise<FleetLine[]> {
    const nowMs = this.#options.clock.wallMs();
    for (const windowMs of WINDOWS_MS) {
      const lines = await read(storage, hub, Math.max(0, nowMs - windowMs));
      if (lines.length > 0) return lines;
    }
    return [];
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
