/**
 * The regional node's own broker as an MQTT client sees one, without a socket in between: what hubs publish
 * reaches the node by a handler, what the node publishes goes straight to the hubs.
 */
import type { Broker } from '../broker/broker.ts';
import type { MqttClient } from '../platform/network/mqtt-client.ts';

export function clientOf(broker: Broker): MqttClient {
  return {
    connect: (_options, handlers) => {
      let bytesIn = 0;
      let bytesOut = 0;
      return Promise.resolve({
        publish: (topic, payload, { qos, retain = false }) => {
          bytesOut += payload.length;
          broker.publish(topic, payload, { qos, retain });
          return Promise.resolve();
        },
        subscribe: (filters) => {
          for (const filter of filters) {
            broker.onMessage(filter, ({ topic, payload }) => {
              bytesIn += payload.length;
              void handlers.onMessage(topic, payload);
            });
          }
          return Promise.resolve();
        },
        get bytesIn() {
          return bytesIn;
        },
        get bytesOut() {
          return bytesOut;
        },
        close: () => {
          handlers.onClose('closed');
          return Promise.resolve();
        },
      });
    },
  };
}
