/**
 * An MQTT client session as uplink and regional node need it, over MQTT.js. The simulated twin
 * (sim/mqtt-client.ts) is an in-memory broker with links that lose, delay and cut.
 */

export interface MqttSessionOptions {
  /** `mqtt://host:port`, `mqtts://…`, `ws://…`. */
  readonly url: string;
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string;
  readonly ca?: Uint8Array;
  /** Our own certificate and its key, PEM, where the broker asks for one. */
  readonly certificate?: { readonly cert: Uint8Array; readonly key: Uint8Array };
  /**
   * Says why a broker whose certificate the CA has signed will not do, instead of a comparison with the host name; DER.
   */
  readonly refuseBroker?: (certificate: Uint8Array) => string | undefined;
  readonly keepaliveS: number;
  readonly connectTimeoutMs: number;
  /** What the broker says for us when we vanish. */
  readonly will?: {
    readonly topic: string;
    readonly payload: Uint8Array;
    readonly retain: boolean;
  };
}

export interface MqttSessionHandlers {
  /** A promise holds back the broker's next messages and, of QoS 1, the acknowledgement until it is settled. */
  onMessage(topic: string, payload: Uint8Array): void | Promise<void>;
  /** The session ended, by whichever side; it does not reconnect by itself: its owner decides when energy allows. */
  onClose(reason: string): void;
  /** No session came of the attempt: what it took of the line, both directions, as far as we can see it. Once, before `connect` throws. */
  onVain?(lineBytes: number): void;
}

export interface MqttSession {
  /** Resolves when the broker has acknowledged (QoS 1) or the bytes were handed over (QoS 0). */
  publish(
    topic: string,
    payload: Uint8Array,
    options: { qos: 0 | 1; retain?: boolean },
  ): Promise<void>;
  /** Rejects with `uplink.refused` where the broker refuses one of them, `uplink.unreachable` where it does not answer in `connectTimeoutMs`. */
  subscribe(filters: readonly string[]): Promise<void>;
  /** Bytes sent and received on this session, MQTT included, as far as we can see them. */
  readonly bytesOut: number;
  readonly bytesIn: number;
  /** TLS went on with the keys of an earlier session: a shorter handshake. Absent where nobody can tell. */
  readonly isResumed?: boolean;
  close(): Promise<void>;
}

export interface MqttClient {
  /** Resolves when the broker has accepted us; throws `HubError` (`uplink.unreachable`, `uplink.refused`). */
  connect(options: MqttSessionOptions, handlers: MqttSessionHandlers): Promise<MqttSession>;
}
