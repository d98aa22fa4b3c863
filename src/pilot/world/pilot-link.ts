/**
 * The hub's way upstream as the site pays for it: every attempt brings the radio up and costs energy, whether or
 * not anybody answers; bytes cost besides. What the hub believes that it spends is written down beside it.
 */
import { pause, type Timers } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type {
  MqttClient,
  MqttSession,
  MqttSessionHandlers,
  MqttSessionOptions,
} from '../../platform/network/mqtt-client.ts';
import type { SimMqttClient } from '../../platform/sim/mqtt-client.ts';
import { LINK_COSTS, type LinkKind, transferEnergyWh } from '../../power/govern/energy.ts';

export interface PilotLinkOptions {
  readonly kind: LinkKind;
  readonly client: SimMqttClient;
  readonly timers: Timers;
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
/** One way, once the link is up. */
export const LINK_DELAY_MS: Readonly<Record<LinkKind, number>> = {
  ethernet: 5,
  wifi: 20,
  cellular: 80,
  satellite: 300,
  carried: 0,
};

export class PilotLink implements MqttClient {
  /** A page of the network's owner answers instead of the broker. */
  isPortal = false;
  attempts = 0;
  sessions = 0;
  energyWh = 0;
  bytes = 0;
  readonly kind: LinkKind;
  readonly #options: PilotLinkOptions;

  constructor(options: PilotLinkOptions) {
    this.kind = options.kind;
    this.#options = options;
  }

  async connect(options: MqttSessionOptions, handlers: MqttSessionHandlers): Promise<MqttSession> {
    const { kind, client, timers, onAttempt, onUp } = this.#options;
    onAttempt();
    this.attempts += 1;
    this.#pay(LINK_COSTS[kind].sessionWh);
    await pause(timers, BOOT_MS[kind]);
    if (this.isPortal) {
      await pause(timers, PORTAL_MS);
      throw new HubError('uplink.unreachable', `${options.url}: a portal answers`);
    }
    const session = await client.connect(options, {
      onMessage: (topic, payload) => {
        this.#count(topic.length + payload.length);
        void handlers.onMessage(topic, payload);
      },
      onClose: (reason) => handlers.onClose(reason),
    });
    this.sessions += 1;
    onUp();
    return {
      publish: (topic, payload, how) => {
        this.#count(topic.length + payload.length);
        return session.publish(topic, payload, how);
      },
      subscribe: (filters) => session.subscribe(filters),
      close: () => session.close(),
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
    this.#pay(transferEnergyWh(LINK_COSTS[this.#options.kind], bytes));
  }

  #pay(energyWh: number): void {
    this.energyWh += energyWh;
    this.#options.spend(energyWh);
  }
}
