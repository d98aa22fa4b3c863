/**
 * Reads the PUBLISH packets of one client. What is the same for every message of a topic is found out once: the
 * text, whether it is a topic name, whether this client may publish there.
 */
import { isReservedTopic } from '../../model/topic.ts';
import type { Gatekeeper, Principal, Qos } from '../contract.ts';
import type { Topic, TopicTable } from '../topics/message.ts';
import type { PublishPacket } from '../topics/publication.ts';
import { HAS_CONTROL, hasControl, PacketError } from '../wire/packets.ts';

/** Topics one client has in use; beyond, they are looked up again. */
const ROUTES_MAX = 64;
/** Up to this length a topic is compared byte by byte with the last one, which is quicker than making a string. */
const COMPARED_BYTES_MAX = 64;

interface Route {
  readonly topic: Topic;
  readonly isAllowed: boolean;
}

interface PublishRules {
  readonly topics: TopicTable;
  readonly gatekeeper: Gatekeeper;
}

export class PublishReader {
  readonly #rules: PublishRules;
  readonly #principal: Principal;
  readonly #routeByBytes = new Map<string, Route>();
  #lastRoute: Route | undefined;
  #revision: number;
  /** Whether the packet that was read last may be delivered. */
  isAllowed = false;

  constructor(rules: PublishRules, principal: Principal) {
    this.#rules = rules;
    this.#principal = principal;
    this.#revision = rules.gatekeeper.revision;
  }

  /** The packet with this first byte and body; throws `PacketError`. */
  read(first: number, buffer: Buffer, bodyStart: number, end: number): PublishPacket {
    const qos = ((first >> 1) & 3) as Qos | 3;
    if (qos === 3) throw new PacketError('QoS 3 [MQTT-3.3.1-4]');
    const dup = (first & 8) !== 0;
    if (dup && qos === 0) throw new PacketError('DUP at QoS 0 [MQTT-3.3.1-2]');
    const topicStart = bodyStart + 2;
    const topicEnd =
      topicStart + (((buffer[bodyStart] as number) << 8) | (buffer[bodyStart + 1] as number));
    const payloadStart = qos === 0 ? topicEnd : topicEnd + 2;
    if (topicStart > end || payloadStart > end) {
      throw new PacketError('the packet ends within a field');
    }
    let packetId = 0;
    if (qos !== 0) {
      packetId = ((buffer[topicEnd] as number) << 8) | (buffer[topicEnd + 1] as number);
      if (packetId === 0) throw new PacketError('packet identifier 0 [MQTT-2.3.1-1]');
    }
    const { topic, isAllowed } = this.#routeOf(buffer, bodyStart, topicEnd);
    this.isAllowed = isAllowed;
    const retain = (first & 1) !== 0;
    return { topic, qos, retain, dup, packetId, buffer, bodyStart, payloadStart, end };
  }

  #routeOf(buffer: Buffer, start: number, end: number): Route {
    if (this.#revision !== this.#rules.gatekeeper.revision) this.#forget();
    const last = this.#lastRoute;
    if (last !== undefined && isSame(last.topic.encoded, buffer, start, end)) return last;
    const bytes = buffer.toString('latin1', start + 2, end);
    const route = this.#routeByBytes.get(bytes) ?? this.#newRoute(bytes);
    this.#lastRoute = route;
    return route;
  }

  #forget(): void {
    this.#revision = this.#rules.gatekeeper.revision;
    this.#routeByBytes.clear();
    this.#lastRoute = undefined;
  }

  #newRoute(bytes: string): Route {
    const topic = this.#rules.topics.ofBytes(bytes);
    if (topic === undefined) {
      throw new PacketError('not a topic name [MQTT-3.3.2-2] [MQTT-4.7.3-1] [MQTT-1.5.3-1]');
    }
    // Here and not in the table: what an earlier version took in lies in the journal and stays readable.
    if (hasControl(topic.name)) throw new PacketError(HAS_CONTROL);
    const isAllowed =
      !isReservedTopic(topic.name) &&
      this.#rules.gatekeeper.mayPublish(this.#principal, topic.name);
    if (this.#routeByBytes.size >= ROUTES_MAX) this.#routeByBytes.clear();
    const route = { topic, isAllowed };
    this.#routeByBytes.set(bytes, route);
    return route;
  }
}

function isSame(encoded: Buffer, buffer: Buffer, start: number, end: number): boolean {
  const length = end - start;
  if (encoded.length !== length || length > COMPARED_BYTES_MAX) return false;
  // From the end: topics of one client mostly begin alike.
  for (let i = length - 1; i >= 2; i--) {
    if (encoded[i] !== buffer[start + i]) return false;
  }
  return true;
}
