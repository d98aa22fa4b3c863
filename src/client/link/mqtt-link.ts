/** MQTT 3.1.1 by MQTT.js, over TCP in Node and over WebSocket in both. */
import mqtt from 'mqtt';

import type { DownCause, OpenLink, TlsTrust } from './link.ts';

/** Its type names Node's bytes, its code takes any. */
type Payload = Parameters<mqtt.MqttClient['publish']>[1];

const CONNECT_TIMEOUT_MS = 10_000;
const KEEPALIVE_S = 30;
const NOT_GRANTED = 128;
/** Answers to CONNECT [MQTT-3.2.2.3]; MQTT.js has them in `code`, with words of its own. */
const CAUSES: ReadonlyMap<unknown, DownCause> = new Map([
  [3, 'unavailable'],
  [4, 'refused'],
  [5, 'refused'],
]);

export const openMqttLink: OpenLink = (target, handlers) => {
  const { url, clientId, username, password, filters, tls } = target;
  const client = mqtt.connect(url, {
    clientId,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...tlsOf(tls),
    clean: true,
    protocolVersion: 4,
    // Its owner decides when to try again.
    reconnectPeriod: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepalive: KEEPALIVE_S,
    queueQoSZero: false,
    // It would keep a buffer for each of the 65,536 packet identifiers: 6 MB of a phone.
    writeCache: false,
    // Its worker would be a script from nowhere, which a page with a strict policy refuses.
    timerVariant: 'native',
  });
  let isOver = false;
  const end = (reason: string, cause: DownCause = 'lost'): void => {
    if (isOver) return;
    isOver = true;
    client.end(true);
    handlers.onDown(reason, cause);
  };
  client.on('connect', () => {
    client.subscribe([...filters], { qos: 1 }, (error, granted = []) => {
      if (error !== null) return end(error.message);
      const denied = granted.find(({ qos }) => qos === NOT_GRANTED);
      if (denied !== undefined) return end(`the hub does not let us hear ${denied.topic}`);
      if (isOver) return;
      handlers.onUp({
        publish: (topic, payload, qos) => {
          if (!isOver) client.publish(topic, payload as Payload, { qos });
        },
        close: () => end('closed'),
      });
    });
  });
  client.on('message', (topic, payload) => {
    if (!isOver) handlers.onMessage(topic, new Uint8Array(payload));
  });
  client.on('error', (error) => {
    const code = 'code' in error ? error.code : 0;
    const cause = CAUSES.get(code) ?? tlsCauseOf(code);
    end(
      cause === 'untrusted'
        ? `whoever answers is not known to be the hub: ${error.message}`
        : error.message,
      cause,
    );
  });
  client.on('close', () => end('the connection was lost'));
  return () => end('closed');
};

function tlsOf(tls: TlsTrust = {}): Pick<mqtt.IClientOptions, 'ca' | 'cert' | 'key'> {
  const { ca, cert, key } = tls;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** What OpenSSL and Node say of certificates: of the hub's, and of ours. */
const UNTRUSTED = /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_|INVALID_CA)/;
const REFUSED = /ALERT.*(?:CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/;

function tlsCauseOf(code: unknown): DownCause | undefined {
  if (typeof code !== 'string') return undefined;
  return UNTRUSTED.test(code) ? 'untrusted' : REFUSED.test(code) ? 'refused' : undefined;
}
