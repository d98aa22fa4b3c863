/**
 * A broker that takes smaller packets than devices with the SDK and other hubs send: each closes its connection, comes back and sends
 * the same again. Plain MQTT clients know what they send, so it is not forbidden; it is said.
 */
import type { Log } from '../../base/log.ts';
import type { Config } from '../../config/schema.ts';

/** Room for the largest op in one packet. */
const PACKET_BYTES = 1 << 20;

export function tellSmallPackets({ packetBytesMax }: Config['broker'], log: Log): void {
  if (packetBytesMax >= PACKET_BYTES) return;
  log.warn('sync.packets-small', {
    'broker.packet_bytes_max': packetBytesMax,
    next: `leave it at ${PACKET_BYTES} where devices with the SDK or other hubs come: with less, what they send may never arrive`,
  });
}
