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
  /** The client that one of both was for last. */
  slowClient = '';
  /** Publishes that were not allowed: acknowledged, not delivered. */
  denied = 0;
  /** Publishes that the door refused. */
  refused = 0;
  /** Messages that asked to be retained and found no room. */
  notRetained = 0;
  /** Clients turned away because there was no room for their session. */
  sessionsRefused = 0;
  /** Sessions forgotten because their clients stayed away too long. */
  sessionsExpired = 0;
  /** Highest number of clients connected at once. */
  clientsMax = 0;

  /** `messages` gave way in the queue of a client. */
  cutFor(clientId: string, messages: number): void {
    if (messages === 0) return;
    this.cut += messages;
    this.slowClient = clientId;
  }
}

/** How the broker stands: what it counts, and what there is now. */
export interface BrokerStat extends Readonly<Omit<Counters, 'packetsIn' | 'cutFor'>> {
  readonly clients: number;
  readonly sessions: number;
  readonly subscriptions: number;
  readonly retained: number;
  /** QoS 1 and 2 messages that wait for clients or their acknowledgement, and what they cost. */
  readonly queued: number;
  readonly queuedBytes: number;
  /** Publishers that are not read because the card is behind. */
  readonly held: number;
}
