/**
 * The publishing half of a client: takes its PUBLISH packets to the router and sends the acknowledgements, each
 * when what it promises is true, all in the order of the publishes.
 *
 * A QoS 2 publish is taken once, however often it comes: its identifier is remembered until PUBREL, and PUBREC
 * waits for the journal like any acknowledgement [MQTT-4.3.3-2].
 */
import type { RareLog } from '../../base/log.ts';
import { AckList, WAITING_ACKS_MAX } from './ack-list.ts';
import type { Admission, Gatekeeper, Lsn, PublishDoor, Qos } from '../contract.ts';
import type { Counters } from '../counters.ts';
import { PublishReader } from './publish-reader.ts';
import type { AckWaiter, Publisher, Router } from '../router.ts';
import type { Session } from '../sessions/session.ts';
import type { TopicTable } from '../topics/message.ts';
import { PUBACK_FIRST, PUBCOMP_FIRST, PUBREC_FIRST } from '../wire/frames.ts';
import type { FrameVerdict } from '../wire/framer.ts';
import type { FrameWriter } from '../wire/frame-writer.ts';
import { PacketError } from '../wire/packets.ts';

export interface PublishingSurroundings {
  readonly door: PublishDoor;
  readonly router: Router;
  readonly counters: Counters;
  readonly topics: TopicTable;
  readonly gatekeeper: Gatekeeper;
  readonly rareLog: RareLog;
}

/** What it needs of its connection. */
export interface PublishingClient extends Publisher {
  /** Stops reading until the door has room. */
  holdBack(): void;
  /** Ends the connection. */
  drop(reason: string): void;
}

export class Publishing implements AckWaiter {
  /** Called when no acknowledgement waits any more. */
  onAcknowledged: (() => void) | undefined;
  readonly #around: PublishingSurroundings;
  readonly #client: PublishingClient;
  readonly #session: Session;
  readonly #writer: FrameWriter;
  readonly #reader: PublishReader;
  readonly #acks = new AckList();

  constructor(
    around: PublishingSurroundings,
    client: PublishingClient,
    session: Session,
    writer: FrameWriter,
  ) {
    this.#around = around;
    this.#client = client;
    this.#session = session;
    this.#writer = writer;
    this.#reader = new PublishReader(around, client.principal);
  }

  /** True while acknowledgements wait for the journal. */
  get isWaiting(): boolean {
    return this.#acks.size > 0;
  }

  onPublish(first: number, buffer: Buffer, start: number, end: number): FrameVerdict {
    const { counters, router } = this.#around;
    const packet = this.#reader.read(first, buffer, start, end);
    const { qos, packetId } = packet;
    counters.messagesIn += 1;
    const earlierLsn = qos === 2 ? this.#session.receivedLsnById.get(packetId) : undefined;
    if (earlierLsn !== undefined) return this.#acknowledge(qos, packetId, earlierLsn);
    if (!this.#reader.isAllowed) {
      counters.denied += 1;
      this.#noteDenied(packet.topic.name);
      return this.#acknowledge(qos, packetId, 0);
    }
    const admission = router.accept(packet, this.#client);
    if (admission.kind === 'refused') return this.#onRefused(admission);
    return this.#acknowledge(qos, packetId, admission.kind === 'journaled' ? admission.lsn : 0);
  }

  /** MQTT 3.1.1 has no way to tell the client: who looks for its data finds the reason in the log. */
  #noteDenied(topic: string): void {
    const { clientId, principal } = this.#client;
    const { rareLog } = this.#around;
    rareLog.warn('broker.publish.denied', { clientId, user: principal.name, topic });
  }

  /**
   * PUBREL: the client knows that we have the message, and may use the identifier for another when it hears PUBCOMP:
   * by then it is on record that the identifier is free. Throws `HubError` where that cannot be.
   */
  onPubrel(packetId: number): FrameVerdict {
    return this.#answer(PUBCOMP_FIRST, packetId, this.#session.releaseReceived(packetId));
  }

  releaseAcks(durableLsn: Lsn): boolean {
    this.#acks.release(durableLsn, this.#writer);
    if (this.isWaiting) return true;
    this.onAcknowledged?.();
    return false;
  }

  /** The connection is over; what was taken goes its way without it. */
  close(): void {
    this.onAcknowledged = undefined;
    this.#acks.clear();
  }

  /** Sends the ack of a publish now or when `lsn` is durable, behind those that already wait. */
  #acknowledge(qos: Qos, packetId: number, lsn: Lsn): FrameVerdict {
    if (qos === 0) return 'next';
    if (qos === 2) this.#session.receivedLsnById.set(packetId, lsn);
    return this.#answer(qos === 1 ? PUBACK_FIRST : PUBREC_FIRST, packetId, lsn);
  }

  #answer(first: number, packetId: number, lsn: Lsn): FrameVerdict {
    const { router, door } = this.#around;
    if (this.#acks.size === 0) {
      if (lsn <= router.durableLsn) {
        this.#writer.ack(first, packetId);
        return 'next';
      }
      router.awaitDurable(this);
    } else if (this.#acks.size === WAITING_ACKS_MAX) {
      throw new PacketError('packet identifiers used twice [MQTT-2.3.1-2]');
    }
    this.#acks.push(lsn, first, packetId);
    if (!door.saturated) return 'next';
    this.#client.holdBack();
    return 'pause';
  }

  #onRefused({ fault }: Admission & { kind: 'refused' }): FrameVerdict {
    if (fault.code === 'journal.busy') {
      this.#client.holdBack();
      return 'again';
    }
    this.#around.counters.refused += 1;
    this.#client.drop(`publish not taken: ${fault.code}: ${fault.message}`);
    return 'stop';
  }
}
