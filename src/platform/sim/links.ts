/** Links of a simulated machine: the table is what the test or the simulation last set. */
import type { Cancel, Timers } from '../../base/clock.ts';
import { ipv4Of, type LinkDevice, type Links, type LinkTable } from '../links/links.ts';

const SETTLE_MS = 150;

export class SimLinks implements Links {
  readonly #timers: Timers;
  readonly #listeners = new Set<() => void>();
  #table: LinkTable | undefined;

  constructor(timers: Timers, table?: LinkTable) {
    this.#timers = timers;
    this.#table = table;
  }

  read(): LinkTable | undefined {
    return this.#table;
  }

  watch(onChange: () => void): Cancel {
    this.#listeners.add(onChange);
    return () => void this.#listeners.delete(onChange);
  }

  /** Listeners hear of it a moment later, as from the kernel, and only where something is different. */
  set(table: LinkTable | undefined): void {
    const isSame = JSON.stringify(table) === JSON.stringify(this.#table);
    this.#table = table;
    if (isSame) return;
    this.#timers.after(SETTLE_MS, () => {
      for (const listener of this.#listeners) listener();
    });
  }
}

/** A device that is up, as a test needs it. */
export function simDevice(name: string, facts: Partial<LinkDevice> = {}): LinkDevice {
  return { name, isUp: true, isWireless: false, isModem: false, ...facts };
}

/** A table with one default route for each device, the first preferred. */
export function simTable(...devices: readonly LinkDevice[]): LinkTable {
  const routes = devices.map(({ name }, index) => {
    return { device: name, network: 0, prefix: 0, metric: 100 * (index + 1) };
  });
  return { devices, routes };
}

/** The same with a route into a network beside: `simRoute('eth0', '192.168.1.0', 24)`. */
export function simRoute(
  device: string,
  network: string,
  prefix: number,
): LinkTable['routes'][number] {
  return { device, network: ipv4Of(network) ?? 0, prefix, metric: 0 };
}
