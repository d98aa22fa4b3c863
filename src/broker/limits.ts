/** Every limit of the broker, with the policy for the moment it is reached. */
export interface BrokerLimits {
  /** A longer CONNECT (will and password included) closes the connection before memory is spent on it. */
  readonly connectBytesMax: number;
  /** A longer packet closes the connection before memory is spent on it. */
  readonly packetBytesMax: number;
  /** A connection that has not sent its CONNECT by then is closed. */
  readonly connectDeadlineMs: number;
  /** Longer client ids are refused with return code 2. */
  readonly clientIdBytesMax: number;
  /** Sessions, connected or kept; a CONNECT beyond is refused with return code 3. */
  readonly sessionsMax: number;
  /** A kept session whose client stayed away this long is forgotten. */
  readonly sessionExpiryMs: number;
  /** QoS 1 and 2 messages under way to one client; the rest waits in its queue. */
  readonly inflightMax: number;
  /** Waiting messages of one session, in number and bytes; beyond, the oldest are cut and counted. */
  readonly queueMessagesMax: number;
  readonly queueBytesMax: number;
  /** Waiting bytes of all sessions together; beyond, the session that gets more loses its oldest. */
  readonly queueBytesTotalMax: number;
  /** Bytes written to one client that it has not taken; beyond, QoS 0 messages to it are dropped and counted. */
  readonly writeBufferBytesMax: number;
  /** Subscriptions of one session and of all; SUBSCRIBE beyond is answered with 0x80. */
  readonly subscriptionsPerSessionMax: number;
  readonly subscriptionsMax: number;
  /** What all of them may cost, by the levels and texts of their filters; SUBSCRIBE beyond is answered with 0x80. */
  readonly subscriptionBytesMax: number;
  /** Retained messages in number and bytes; new topics beyond are delivered but not retained, and counted. */
  readonly retainedMessagesMax: number;
  readonly retainedBytesMax: number;
}

const MIB = 1 << 20;
const DAY_MS = 86_400_000;

export const DEFAULT_LIMITS: BrokerLimits = {
  connectBytesMax: 16 * 1024,
  packetBytesMax: MIB + 2048,
  connectDeadlineMs: 10_000,
  clientIdBytesMax: 256,
  sessionsMax: 10_000,
  sessionExpiryMs: 14 * DAY_MS,
  inflightMax: 1000,
  queueMessagesMax: 200_000,
  queueBytesMax: 32 * MIB,
  queueBytesTotalMax: 64 * MIB,
  writeBufferBytesMax: MIB,
  subscriptionsPerSessionMax: 10_000,
  subscriptionsMax: 100_000,
  subscriptionBytesMax: 96 * MIB,
  retainedMessagesMax: 20_000,
  retainedBytesMax: 16 * MIB,
};
