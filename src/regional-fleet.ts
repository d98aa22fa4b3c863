/**
 * What the regional node knows of its hubs for the fleet page: when each was heard, by watching what comes from
 * the broker on its way to the node, and what its log says, from the readings of its site's store.
 */
import { textOf } from './base/bytes.ts';
import type { Clock } from './base/clock.ts';
import { isoTime } from './base/iso-time.ts';
import { parseHello } from './batch/messages.ts';
import { parseUpstreamTopic } from './batch/topics.ts';
import { syncLogKey } from './hub-data.ts';
import { verifyEd25519 } from './keys/identity.ts';
import type { MqttClient } from './platform/mqtt-client.ts';
import { type FleetHub, fleetHubOf, type FleetLine } from './status/fleet.ts';
import type { Store } from './store/store.ts';

interface Contact {
  software: string | undefined;
  heardMs: number | undefined;
  /** The first hello that the broker gives us may be an old one that it kept. */
  nonce: string | undefined;
}

export interface FleetOptions {
  readonly clock: Clock;
  /** Sites with the hubs that were met. */
  readonly sites: () => readonly { readonly name: string; readonly hubs: readonly string[] }[];
}

const HUBS_WATCHED_MAX = 10_000;
const DAY_MS = 86_400_000;
/** How far back the last word of a hub is looked for: at last anywhere, since its clock may say 1970. */
const WINDOWS_MS = [DAY_MS, 30 * DAY_MS, Infinity];
const LINES_MAX = 2_000;
const PAGES_MAX = 50;

export class Fleet {
  readonly #options: FleetOptions;
  readonly #contacts = new Map<string, Contact>();
  readonly #storeBySite = new Map<string, Store>();
  /** Entries with the batch that they are up to date with. */
  readonly #known = new Map<string, { readonly batch: number; readonly lines: FleetLine[] }>();

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Remembers the store of a site, for its readings. */
  keep(site: string, store: Store): void {
    this.#storeBySite.set(site, store);
  }

  /** A client that notes which hub speaks, and hands everything on. */
  watch(mqtt: MqttClient): MqttClient {
    return {
      connect: (options, handlers) =>
        mqtt.connect(options, {
          ...handlers,
          onMessage: (topic, payload) => {
            this.#hear(topic, payload);
            handlers.onMessage(topic, payload);
          },
        }),
    };
  }

  /** By site and hub. */
  hubs(): FleetHub[] {
    return this.#options.sites().flatMap(({ name: site, hubs }) =>
      hubs.map((hub) => {
        const { software, heardMs } = this.#contacts.get(`${site}/${hub}`) ?? {};
        const heardAt = heardMs === undefined ? null : isoTime(heardMs);
        const facts = { site, hub, software: software ?? null, heardAt };
        return fleetHubOf(facts, this.#recent(site, hub));
      }),
    );
  }

  /** Oldest first; undefined where no such hub is known. */
  lines(site: string, hub: string, sinceMs: number | undefined): FleetLine[] | undefined {
    const isKnown = this.#options
      .sites()
      .some(({ name, hubs }) => name === site && hubs.includes(hub));
    if (!isKnown) return undefined;
    return sinceMs === undefined ? this.#recent(site, hub) : this.#read(site, hub, sinceMs);
  }

  #hear(topic: string, payload: Uint8Array): void {
    const parsed = parseUpstreamTopic(topic);
    if (parsed === undefined) return;
    const key = `${parsed.address.site}/${parsed.address.hub}`;
    if (!this.#contacts.has(key) && this.#contacts.size >= HUBS_WATCHED_MAX) return;
    const contact = this.#contacts.get(key) ?? {
      software: undefined,
      heardMs: undefined,
      nonce: undefined,
    };
    const nowMs = this.#options.clock.wallMs();
    if (parsed.kind === 'chunk') contact.heardMs = nowMs;
    else {
      const hello = parseHello(payload, verifyEd25519);
      if (hello === undefined || hello.hub !== parsed.address.hub) return;
      const nonce = hello.nonce.join();
      if (contact.nonce !== undefined && contact.nonce !== nonce) contact.heardMs = nowMs;
      contact.nonce = nonce;
      contact.software = hello.software;
    }
    this.#contacts.set(key, contact);
  }

  /** The last day that a hub has told of; kept until its site has a new batch. */
  #recent(site: string, hub: string): FleetLine[] {
    const key = `${site}/${hub}`;
    const batch = this.#storeBySite.get(site)?.checkpointLsn ?? 0;
    const known = this.#known.get(key);
    if (known?.batch === batch) return known.lines;
    const nowMs = this.#options.clock.wallMs();
    let lines: FleetLine[] = [];
    for (const windowMs of WINDOWS_MS) {
      lines = this.#read(site, hub, Math.max(0, nowMs - windowMs));
      if (lines.length > 0) break;
    }
    this.#known.set(key, { batch, lines });
    return lines;
  }

  #read(site: string, hub: string, sinceMs: number): FleetLine[] {
    const store = this.#storeBySite.get(site);
    if (store === undefined) return [];
    const query = { key: syncLogKey(hub), toMs: Number.MAX_SAFE_INTEGER, stepMs: 0 };
    const lines: FleetLine[] = [];
    let fromMs: number | undefined = sinceMs;
    for (let page = 0; page < PAGES_MAX && fromMs !== undefined; page++) {
      const { points, nextFromMs } = store.readings({ ...query, fromMs });
      for (const { payload } of points) {
        const line = payload === undefined ? undefined : lineOf(payload);
        if (line !== undefined) lines.push(line);
      }
      fromMs = nextFromMs;
    }
    return lines.slice(-LINES_MAX);
  }
}

function lineOf(payload: Uint8Array): FleetLine | undefined {
  try {
    const line: unknown = JSON.parse(textOf(payload) ?? '');
    return typeof line === 'object' && line !== null ? (line as FleetLine) : undefined;
  } catch {
    return undefined;
  }
}
