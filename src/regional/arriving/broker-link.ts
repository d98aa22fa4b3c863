/**
 * The connection of a regional node to its broker: kept up for as long as the node lives, with pauses that grow while it
 * cannot be had. Why it cannot is logged each time, with what to do where that is not plain.
 */
import { Backoff } from '../../base/backoff.ts';
import type { Cancel, Timers } from '../../base/clock.ts';
import { FAULTS, HubError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { BRIEF_FILTER, UPSTREAM_FILTERS } from '../../batch/wire/topics.ts';
import type { MqttClient, MqttSession } from '../../platform/network/mqtt-client.ts';
import type { Trouble } from './troubles.ts';

export interface BrokerAddress {
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  readonly ca?: Uint8Array;
}

interface BrokerLinkOptions {
  readonly mqtt: MqttClient;
  readonly broker: BrokerAddress;
  readonly clientId: string;
  /** Every message goes to one of those that share by this name; undefined: all comes here. */
  readonly group: string | undefined;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  /** Resolves when the message needs no keeping by the broker any more. */
  readonly onMessage: (topic: string, payload: Uint8Array) => Promise<void>;
  /** Takes errors that nobody may catch. */
  readonly onFatal: (error: unknown) => void;
}

const KEEPALIVE_S = 60;
const CONNECT_MS_MAX = 30_000;
const PAUSE_MS_MIN = 500;
const PAUSE_MS_MAX = 60_000;

export class BrokerLink {
  readonly #options: BrokerLinkOptions;
  readonly #backoff: Backoff;
  #session: MqttSession | undefined;
  #cancelPause: Cancel = (): void => undefined;
  #isClosed = false;
  #hearsBrief = false;
  #trouble: Trouble | undefined;

  constructor(options: BrokerLinkOptions) {
    this.#options = options;
    this.#backoff = new Backoff(PAUSE_MS_MIN, PAUSE_MS_MAX, options.random);
  }

  /** Resolves also while the broker cannot be reached yet. */
  open(): Promise<void> {
    return this.#connect();
  }

  get isConnected(): boolean {
    return this.#session !== undefined;
  }

  /** Why there is no connection; undefined where there is one, or none was tried yet. */
  get trouble(): Trouble | undefined {
    return this.#trouble;
  }

  /** The broker lets short chunks on brief topics through to us. */
  get hearsBrief(): boolean {
    return this.#hearsBrief;
  }

  /** What does not get through is asked for again by the hub's next hello. */
  publish(topic: string, payload: Uint8Array): void {
    this.#session?.publish(topic, payload, { qos: 1 }).catch((error: unknown) => {
      if (!(error instanceof HubError)) this.#options.onFatal(error);
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelPause();
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }

  async #connect(): Promise<void> {
    const { mqtt, broker, clientId, group, log, onMessage } = this.#options;
    const limits = { keepaliveS: KEEPALIVE_S, connectTimeoutMs: CONNECT_MS_MAX };
    let isOver = false;
    try {
      const session = await mqtt.connect(
        { ...broker, clientId, ...limits },
        {
          onMessage,
          onClose: (why) => {
            isOver = true;
            this.#lost(new HubError('uplink.unreachable', why));
          },
        },
      );
      if (this.#isClosed) return await session.close();
      this.#session = session;
      const share = group === undefined ? '' : `$share/${group}/`;
      await session.subscribe(UPSTREAM_FILTERS.map((filter) => `${share}${filter}`));
      this.#hearsBrief = await isGranted(session, `${share}${BRIEF_FILTER}`);
      this.#backoff.reset();
      this.#trouble = undefined;
      log.info('regional.connected', { broker: broker.url });
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      if (!isOver) await this.#abandon(error);
    }
  }

  /** A session that came up and cannot be used, or none at all. */
  async #abandon(why: HubError): Promise<void> {
    const session = this.#session;
    if (session === undefined) this.#lost(why);
    else await session.close();
  }

  #lost({ code, message: why }: HubError): void {
    this.#session = undefined;
    if (this.#isClosed) return;
    const { log, broker, timers, onFatal } = this.#options;
    // What is said of a broker that does not answer is meant for hubs.
    const fault = code === 'uplink.unreachable' ? 'region.broker-away' : code;
    log.warn('regional.disconnected', {
      broker: broker.url,
      why,
      code: fault,
      hint: FAULTS[fault],
    });
    this.#trouble = { code: fault, message: `${broker.url}: ${why}` };
    this.#cancelPause = timers.after(this.#backoff.nextMs(), () => {
      this.#connect().catch((error: unknown) => onFatal(error));
    });
  }
}

/** False where the broker's rules refuse it. */
async function isGranted(session: MqttSession, filter: string): Promise<boolean> {
  try {
    await session.subscribe([filter]);
    return true;
  } catch (error) {
    if (error instanceof HubError && error.code === 'uplink.refused') return false;
    throw error;
  }
}
