/**
 * The hub's way upstream as the site pays for it: every attempt brings the radio up and costs energy, whether or
 * not anybody answers; bytes cost besides, and count on the contract. The hub sees the device as its kernel and
 * NetworkManager would show it, metered or not.
 */
import { pause, type Timers } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type {
  MqttClient,
  MqttSession,
  MqttSessionHandlers,
  MqttSessionOptions,
} from '../../platform/network/mqtt-client.ts';
import { simDevice, SimLinks, simTable } from '../../platform/sim/links.ts';
import type { SimMqttClient } from '../../platform/sim/mqtt-client.ts';
import { LINK_COSTS, type LinkKind, transferEnergyWh } from '../../power/govern/energy.ts';
import type { Contract } from './contract.ts';

export interface PilotLinkOptions {
  readonly kind: LinkKind;
  readonly client: SimMqttClient;
  readonly timers: Timers;
  readonly contract: Contract;
  /** The battery pays. */
  readonly spend: (energyWh: number) => void;
  /** The radio was switched on: before anything else happens. */
  readonly onAttempt: () => void;
  /** A session stands: there is a network, and with it the time. */
  readonly onUp: () => void;
}

/** From switching the radio on to the first byte. */
const BOOT_MS: Readonly<Record<LinkKind, number>> = {
  ethernet: 100,
  wifi: 2_000,
  cellular: 8_000,
  satellite: 50_000,
  carried: 0,
};
const PORTAL_MS = 10_000;
const MIB = 1 << 20;
/** What is metered costs what a modem does, whatever carries it (uplink/links/ways.ts). */
const METERED_AS: LinkKind = 'cellular';
/** One way, once the link is up. */
export const LINK_DELAY_MS: Readonly<Record<LinkKind, number>> = {
  ethernet: 5,
  wifi: 20,
  cellular: 80,
  satellite: 300,
  carried: 0,
};

/** A stand-in for the usual way, whose bytes are paid for. */
const STAND_IN = 'usb0';

export class PilotLink implements MqttClient {
  /** A page of the network's owner answers instead of the broker. */
  isPortal = false;
  attempts = 0;
  sessions = 0;
  energyWh = 0;
  bytes = 0;
  readonly kind: LinkKind;
  /** As the kernel names it. */
  readonly device = 'up0';
  readonly links: SimLinks;
  readonly #options: PilotLinkOptions;
  #isMetered = false;
  /** What carries the session that runs, or the last one. */
  #way: LinkKind;

  constructor(options: PilotLinkOptions) {
    this.kind = options.kind;
    this.#way = options.kind;
    this.links = new SimLinks(options.timers, simTable(simDevice(this.device)));
    this.#options = options;
  }

  setMetered(isMetered: boolean): void {
    const way = isMetered ? simDevice(STAND_IN, { isMetered }) : simDevice(this.device);
    this.#isMetered = isMetered;
    this.links.set(simTable(way));
  }

  /** The contract as the hub's config has it: of the usual link, and of whatever is metered. */
  quotaSets(): string[] {
    const { bytesMax } = this.#options.contract;
    if (bytesMax === undefined) return [];
    const kinds = [...new Set<string>([this.kind, METERED_AS])];
    return kinds.map((kind) => `uplink.quota_mib.${kind}=${bytesMax / MIB}`);
  }

  async connect(options: MqttSessionOptions, handlers: MqttSessionHandlers): Promise<MqttSession> {
    const { client, timers, contract, onAttempt, onUp } = this.#options;
    onAttempt();
    this.attempts += 1;
    const way = this.#isMetered ? METERED_AS : this.kind;
    this.#way = way;
    this.#pay(LINK_COSTS[way].sessionWh);
    await pause(timers, BOOT_MS[way]);
    if (this.isPortal) {
      await pause(timers, PORTAL_MS);
      throw new HubError('uplink.unreachable', `${options.url}: a portal answers`);
    }
    const session = await client.connect(options, {
      onMessage: (topic, payload) => {
        this.#count(topic.length + payload.length);
        void handlers.onMessage(topic, payload);
      },
      onClose: (reason) => {
        contract.end();
        handlers.onClose(reason);
      },
      onVain: (lineBytes) => handlers.onVain?.(lineBytes),
    });
    this.sessions += 1;
    contract.begin(way);
    onUp();
    return {
      publish: (topic, payload, how) => {
        this.#count(topic.length + payload.length);
        return session.publish(topic, payload, how);
      },
      subscribe: (filters) => session.subscribe(filters),
      close: () => {
        contract.end();
        return session.close();
      },
      get bytesIn() {
        return session.bytesIn;
      },
      get bytesOut() {
        return session.bytesOut;
      },
    };
  }

  #count(bytes: number): void {
    this.bytes += bytes;
    this.#options.contract.count(bytes);
    this.#pay(transferEnergyWh(LINK_COSTS[this.#way], bytes));
  }

  #pay(energyWh: number): void {
    this.energyWh += energyWh;
    this.#options.spend(energyWh);
  }
}
