/**
 * Decides about a CONNECT: whether the version, the client id, the will and the credentials will do, and with
 * which words a client is turned away. Opening the session is the connection's own business (client.ts).
 */
import { messageOf } from '../../base/errors.ts';
import { isReservedTopic, isTopicName } from '../../model/topic.ts';
import type { Credentials, Gatekeeper, Principal, PublishDoor } from '../contract.ts';
import type { BrokerLimits } from '../limits.ts';
import type { OpenOutcome } from '../sessions/session-registry.ts';
import type { TopicTable } from '../topics/message.ts';
import type { PublishPacket } from '../topics/publication.ts';
import { connackFrame, MQTT5_REFUSAL_FRAME } from '../wire/frames.ts';
import * as packets from '../wire/packets.ts';
import { type Connect, type ForeignConnect, PacketError, type Will } from '../wire/packets.ts';

/** A client that is turned away: the CONNACK it gets, and why, for the log. */
export interface Refusal {
  readonly connack: Buffer;
  readonly reason: string;
}

function refusal(returnCode: number, reason: string): Refusal {
  return { connack: connackFrame(false, returnCode), reason };
}

interface HandshakeRules {
  readonly limits: BrokerLimits;
  readonly door: PublishDoor;
}

/** What speaks against a CONNECT before anyone is asked; throws `PacketError` where it breaks the standard. */
export function refusalOf(
  connect: Connect | ForeignConnect,
  rules: HandshakeRules,
): Refusal | undefined {
  if ('foreign' in connect) return refusalOfVersion(connect.level);
  const { will, clientId, clean, level } = connect;
  if (will !== undefined && !isTopicName(will.topic)) throw new PacketError('not a will topic');
  // MQTT 3.1 has no empty client ids; 3.1.1 has them for sessions that nobody comes back to [MQTT-3.1.3-8].
  const needsId = clientId === '' && (!clean || level === 3);
  if (needsId || Buffer.byteLength(clientId) > rules.limits.clientIdBytesMax) {
    return refusal(packets.IDENTIFIER_REJECTED, 'client id empty or too long [MQTT-3.1.3-8]');
  }
  const { fault } = rules.door;
  return fault === undefined ? undefined : refusal(packets.SERVER_UNAVAILABLE, fault.code);
}

/** Answers another version in its own terms where we know them [MQTT-3.1.2-2]. */
function refusalOfVersion(level: number): Refusal {
  if (level !== 5) return refusal(packets.UNACCEPTABLE_LEVEL, `protocol level ${level}`);
  const reason = 'the client speaks MQTT 5; set its protocol version to 3.1.1 (level 4)';
  return { connack: MQTT5_REFUSAL_FRAME, reason };
}

/** Who the client is, or why it may not come in. */
export async function authenticate(
  connect: Connect,
  {
    clientId,
    remote,
    certificate,
  }: Pick<Credentials, 'clientId' | 'remote'> & { readonly certificate?: Uint8Array | undefined },
  gatekeeper: Gatekeeper,
): Promise<Principal | Refusal> {
  const { username, password, will } = connect;
  const credentials: Credentials = {
    clientId,
    remote,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(certificate !== undefined && { certificate }),
  };
  let principal: Principal | undefined;
  try {
    principal = await gatekeeper.authenticate(credentials);
  } catch (error) {
    return refusal(packets.SERVER_UNAVAILABLE, messageOf(error));
  }
  if (principal === undefined) {
    const code = username === undefined ? packets.NOT_AUTHORISED : packets.BAD_CREDENTIALS;
    return refusal(code, 'wrong credentials');
  }
  const maySayWill =
    will === undefined ||
    isReservedTopic(will.topic) ||
    gatekeeper.mayPublish(principal, will.topic);
  if (maySayWill) return principal;
  return refusal(packets.NOT_AUTHORISED, `may not publish its will to ${will.topic}`);
}

/** Why there is no session for a client that may come in. */
export function refusalOfSession(outcome: Exclude<OpenOutcome, { kind: 'opened' }>): Refusal {
  if (outcome.kind === 'foreign') {
    return refusal(packets.IDENTIFIER_REJECTED, 'the client id belongs to another user');
  }
  const reason = outcome.kind === 'full' ? 'too many sessions' : outcome.fault.code;
  return refusal(packets.SERVER_UNAVAILABLE, reason);
}

/** The will that is published when it is due. One below `$…`, as bridges name it, goes nowhere, as a publish there. */
export function willToSay({ will }: Connect): Will | undefined {
  return will === undefined || isReservedTopic(will.topic) ? undefined : will;
}

/** A will as the publish that it becomes. */
export function publishOf(
  { topic, payload, qos, retain }: Will,
  topics: TopicTable,
): PublishPacket {
  const bytes = { buffer: payload, bodyStart: 0, payloadStart: 0, end: payload.length };
  return { topic: topics.named(topic), qos, retain, dup: false, packetId: 0, ...bytes };
}
