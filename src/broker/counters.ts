/** What the broker counts, for the status page and `$SYS`. All grow from 0 at the start. */
export class Counters {
  messagesIn = 0;
  messagesOut = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Packets of any kind from clients. */
  packetsIn = 0;
  /** QoS 0 messages dropped because a client took too little. */
  dropped = 0;
  /** QoS 1 and 2 messages cut from full queues. */
  cut = 0;
  /** Publishes that were not allowed: acknowledged, not delivered. */
  denied = 0;
  /** Publishes that the door refused. */
  refused = 0;
  /** Messages that asked to be retained and found no room. */
  notRetained = 0;
  /** Highest number of clients connected at once. */
  clientsMax = 0;
}
