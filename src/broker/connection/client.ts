/**
 * One connection and the protocol on it: CONNECT first and once, then packets until DISCONNECT, silence, a
 * breach of the standard or the end of the line. Every packet is dealt with where it stands, without promises,
 * so that answers leave in the order of the requests; only CONNECT waits, for the gatekeeper, and what is
 * pipelined behind it waits unread.
 */
import type { Clock } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type { RareLog } from '../../base/log.ts';
import type { Connection, ConnectionHandlers } from '../../platform/network/network.ts';
import type { Principal, Qos } from '../contract.ts';
import {
  authenticate,
  publishOf,
  type Refusal,
  refusalOf,
  refusalOfSession,
  willToSay,
} from './handshake.ts';
import type { KeepaliveWheel, Watched } from './keepalive-wheel.ts';
import type { BrokerLimits } from '../limits.ts';
import type { HeldPublisher, PublisherGate } from '../publishing/publisher-gate.ts';
import {
  Publishing,
  type PublishingClient,
  type PublishingSurroundings,
} from '../publishing/publishing.ts';
import { Backpressure, WAIT_FOR } from './backpressure.ts';
import type { SessionRegistry } from '../sessions/session-registry.ts';
import type { SessionLink } from '../sessions/session-link.ts';
import type { Session } from '../sessions/session.ts';
import { expectFilter, grant } from './subscribing.ts';
import type { Message } from '../topics/message.ts';
import type { Publication } from '../topics/publication.ts';
import * as frames from '../wire/frames.ts';
import { Framer, type FrameTaker, type FrameVerdict } from '../wire/framer.ts';
import { FrameWriter, type WriterSurroundings } from '../wire/frame-writer.ts';
import * as packets from '../wire/packets.ts';
import { type Connect, PacketError, type Will } from '../wire/packets.ts';

/** What all clients share. */
export interface ClientSurroundings extends WriterSurroundings, PublishingSurroundings {
  readonly limits: BrokerLimits;
  readonly clock: Clock;
  readonly rareLog: RareLog;
  readonly sessions: SessionRegistry;
  readonly wheel: KeepaliveWheel;
  readonly gate: PublisherGate;
  /** Connections that were accepted, and of these the clients that have a session. */
  readonly connected: Set<Client>;
  readonly online: Set<Client>;
  newClientId(): string;
  soon(callback: () => void): void;
}

/** A client may be silent for one and a half times what it promised [MQTT-3.1.2-24]. */
const KEEPALIVE_FACTOR = 1.5;
const MQTT_3_1 = 3;

export class Client
  implements ConnectionHandlers, FrameTaker, SessionLink, PublishingClient, HeldPublisher, Watched
{
  readonly remote: string;
  clientId = '';
  username: string | undefined;
  heardTick = 0;
  silenceSMax: number;
  readonly #around: ClientSurroundings;
  readonly #connection: Connection;
  readonly #framer: Framer;
  readonly #writer: FrameWriter;
  #state: 'new' | 'authenticating' | 'open' | 'closed' = 'new';
  #session: Session | undefined;
  #principal: Principal | undefined;
  #publishing: Publishing | undefined;
  #will: Will | undefined;
  #level: 3 | 4 = 4;
  readonly #backpressure: Backpressure;

  constructor(connection: Connection, around: ClientSurroundings) {
    this.remote = connection.remote;
    this.#connection = connection;
    this.#backpressure = new Backpressure(connection, around.counters);
    this.#around = around;
    this.#framer = new Framer(this, around.limits.connectBytesMax);
    this.#writer = new FrameWriter(connection, around);
    this.silenceSMax = Math.ceil(around.limits.connectDeadlineMs / 1000);
    around.connected.add(this);
    around.wheel.watch(this);
  }

  get principal(): Principal {
    return this.#principal as Principal;
  }

  get certificate(): Uint8Array | undefined {
    return this.#connection.peerCertificate;
  }

  get canSend(): boolean {
    return this.#writer.canSend;
  }

  get isExcused(): boolean {
    return this.#backpressure.isPaused || this.#publishing?.isWaiting === true;
  }

  onData(bytes: Uint8Array): void {
    if (this.#state === 'closed') return;
    // Before its CONNECT is whole, trickling bytes win no time.
    if (this.#state !== 'new') this.heardTick = this.#around.wheel.tick;
    this.#around.counters.bytesIn += bytes.length;
    const chunk = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    // What cannot be a CONNECT is not worth waiting for.
    if (this.#state === 'new' && this.#framer.isEmpty && !packets.isConnect(chunk[0])) {
      this.drop('not MQTT: the first packet is no CONNECT [MQTT-3.1.0-1]');
      return;
    }
    this.#backpressure.beginTurn();
    this.#afterFrames(this.#framer.feed(chunk));
  }

  onDrain(): void {
    this.#writer.onDrain();
    this.#session?.pump();
    this.#writer.flush();
    this.#readOn(WAIT_FOR.client);
  }

  /** The other half may still listen for its acknowledgements; its will goes out, as it has not said goodbye. */
  onEnd(): void {
    if (this.#state !== 'closed') this.#leave();
  }

  onClose(): void {
    this.#close();
  }

  onSilence(): void {
    this.drop(`silent for too long: ${this.#isOpen() ? 'keepalive' : 'no CONNECT in time'}`);
  }

  onTakeover(): void {
    this.drop('another connection uses this client id [MQTT-3.1.4-2]');
  }

  onFrame(first: number, buffer: Buffer, start: number, end: number): FrameVerdict {
    this.#around.counters.packetsIn += 1;
    try {
      if (first >> 4 === packets.PUBLISH && this.#publishing !== undefined) {
        return this.#publishing.onPublish(first, buffer, start, end);
      }
      const verdict = this.#onControl(first, buffer, start, end);
      return verdict === 'next' && this.#backpressure.isTurnOver ? this.#endTurn() : verdict;
    } catch (error) {
      if (error instanceof HubError) this.drop(`not taken: ${error.code}: ${error.message}`);
      else if (error instanceof PacketError) this.drop(error.message);
      else throw error;
      return 'stop';
    }
  }

  holdBack(): void {
    if (this.#backpressure.isPausedBy(WAIT_FOR.card)) return;
    this.#backpressure.pause(WAIT_FOR.card);
    this.#around.gate.hold(this);
  }

  goOn(): void {
    this.#readOn(WAIT_FOR.card);
  }

  sendFrame(publication: Publication): void {
    if (this.#writer.waitingBytes > this.#around.limits.writeBufferBytesMax) {
      this.#around.counters.dropped += 1;
      this.#around.counters.slowClient = this.clientId;
      return;
    }
    this.#around.counters.messagesOut += 1;
    const frame = publication.makeFrame();
    this.#writer.frame(frame, publication.frameStart, publication.frameEnd);
  }

  sendPublish(message: Message, qos: Qos, retain: boolean, dup: boolean, packetId: number): void {
    this.#around.counters.messagesOut += 1;
    this.#writer.publish(message, frames.publishFirst(qos, retain, dup), packetId);
  }

  sendRelease(packetId: number): void {
    this.#writer.ack(frames.PUBREL_FIRST, packetId);
  }

  pumpLater(): void {
    this.#around.soon(() => this.#session?.pump());
  }

  /** Ends the connection without a will: the broker itself stops. */
  shutDown(): void {
    this.#will = undefined;
    this.#close();
    this.#connection.destroy();
  }

  /** Ends the connection because of what the client did, or did not do; what came before that has its answers. */
  drop(reason: string): void {
    if (this.#state === 'closed') return;
    const { remote, clientId } = this;
    this.#around.rareLog.warn('broker.client.dropped', { remote, clientId, reason });
    this.#writer.flush();
    this.#close();
    this.#connection.destroy();
  }

  #afterFrames(fault: string | undefined): void {
    if (fault !== undefined) return this.drop(fault);
    this.#writer.flush();
    const { canSend, waitingBytes } = this.#writer;
    if (!canSend && waitingBytes > this.#around.limits.writeBufferBytesMax)
      this.#backpressure.pause(WAIT_FOR.client);
    if (this.#backpressure.isTurnOver && this.#isOpen()) this.#endTurn();
  }

  /** Lets others have their turn. */
  #endTurn(): FrameVerdict {
    if (!this.#backpressure.isPausedBy(WAIT_FOR.turn))
      this.#around.soon(() => this.#readOn(WAIT_FOR.turn));
    this.#backpressure.pause(WAIT_FOR.turn);
    return 'pause';
  }

  /** The reason is gone: what was held is dealt with, then the connection is read again. */
  #readOn(reason: number): void {
    if (this.#state === 'closed' || !this.#backpressure.isPausedBy(reason)) return;
    this.#backpressure.clear(reason);
    if (this.#backpressure.isPaused) return;
    this.#backpressure.beginTurn();
    this.#afterFrames(this.#framer.resume());
    if (this.#isOpen()) this.#backpressure.resume();
  }

  #isOpen(): boolean {
    return this.#state === 'open';
  }

  #onControl(first: number, buffer: Buffer, start: number, end: number): FrameVerdict {
    const type = first >> 4;
    if (this.#state === 'new') return this.#onConnect(first, buffer, start, end);
    this.#checkFlags(type, first & 0x0f);
    const session = this.#session as Session;
    switch (type) {
      case packets.PUBACK:
        session.onPuback(packets.parsePacketId(buffer, start, end));
        return 'next';
      case packets.PUBREC:
        session.onPubrec(packets.parsePacketId(buffer, start, end));
        return 'next';
      case packets.PUBREL:
        return (this.#publishing as Publishing).onPubrel(packets.parsePacketId(buffer, start, end));
      case packets.PUBCOMP:
        session.onPubcomp(packets.parsePacketId(buffer, start, end));
        return 'next';
      case packets.SUBSCRIBE:
        return this.#onSubscribe(session, packets.parseSubscribe(buffer, start, end));
      case packets.UNSUBSCRIBE: {
        const { packetId, filters } = packets.parseUnsubscribe(buffer, start, end);
        filters.forEach(expectFilter);
        this.#around.sessions.unsubscribe(session, filters, () => {
          if (this.#isOpen()) this.#send(frames.unsubackFrame(packetId));
        });
        return this.#endTurn();
      }
      case packets.PINGREQ:
        packets.expectEmpty(start, end);
        this.#send(frames.PINGRESP_FRAME);
        return 'next';
      case packets.DISCONNECT:
        packets.expectEmpty(start, end);
        this.#will = undefined; // [MQTT-3.14.4-3]
        return this.#leave();
      default:
        throw new PacketError(`packet type ${type} is not for clients, or CONNECT came twice`);
    }
  }

  /** The client says no more: it goes when what it published has its acknowledgements, as with Mosquitto. */
  #leave(): FrameVerdict {
    if (this.#publishing?.isWaiting === true) {
      this.#backpressure.pause(WAIT_FOR.acks);
      this.#publishing.onAcknowledged = () => this.#leave();
      return 'pause';
    }
    this.#writer.flush();
    this.#close();
    this.#connection.end();
    return 'stop';
  }

  /** Reserved bits of the first byte [MQTT-2.2.2-2]; MQTT 3.1 reserves none. */
  #checkFlags(type: number, flags: number): void {
    if (this.#level === MQTT_3_1) return;
    const withBit1 =
      type === packets.PUBREL || type === packets.SUBSCRIBE || type === packets.UNSUBSCRIBE;
    if (flags !== (withBit1 ? 2 : 0)) throw new PacketError('reserved flags [MQTT-2.2.2-2]');
  }

  #onSubscribe(session: Session, { packetId, requests }: packets.Subscribe): FrameVerdict {
    const { gatekeeper, sessions, rareLog } = this.#around;
    const canRefuse = this.#level !== MQTT_3_1;
    const parts = { session, principal: this.principal, gatekeeper, sessions, canRefuse, rareLog };
    const { granted, codes } = grant(requests, parts);
    let isInForce = false;
    sessions.subscribe(session, granted, () => {
      isInForce = true;
      for (const { filter, qos } of granted) session.replay(filter, qos);
      if (!this.#isOpen()) return;
      this.#send(frames.subackFrame(packetId, codes));
      session.pump();
      this.#readOn(WAIT_FOR.subscriptions);
    });
    if (isInForce) return this.#endTurn(); // It may be worth thousands of retained messages.
    this.#backpressure.pause(WAIT_FOR.subscriptions);
    return 'pause';
  }

  #onConnect(first: number, buffer: Buffer, start: number, end: number): FrameVerdict {
    if (!packets.isConnect(first)) throw new PacketError('no CONNECT first [MQTT-3.1.0-1]');
    const connect = packets.parseConnect(first & 0x0f, buffer, start, end);
    const refused = refusalOf(connect, this.#around);
    if (refused !== undefined || 'foreign' in connect) return this.#refuse(refused as Refusal);
    const { clientId } = connect;
    this.#level = connect.level;
    this.clientId = clientId === '' ? this.#around.newClientId() : clientId;
    this.username = connect.username;
    this.#state = 'authenticating';
    this.#backpressure.pause(WAIT_FOR.gatekeeper);
    void this.#authenticate(connect);
    return 'pause';
  }

  async #authenticate(connect: Connect): Promise<void> {
    const answer = await authenticate(connect, this, this.#around.gatekeeper);
    if (this.#state !== 'authenticating') return;
    if ('connack' in answer) this.#refuse(answer);
    else this.#open(connect, answer);
  }

  #open(connect: Connect, principal: Principal): void {
    const around = this.#around;
    const outcome = around.sessions.open(principal, connect.clean);
    if (outcome.kind !== 'opened') {
      if (outcome.kind === 'full') around.counters.sessionsRefused += 1;
      this.#refuse(refusalOfSession(outcome));
      return;
    }
    const { session } = outcome;
    this.#state = 'open';
    this.#session = session;
    this.#principal = principal;
    this.#will = willToSay(connect);
    this.#publishing = new Publishing(around, this, session, this.#writer);
    this.#framer.bodyBytesMax = around.limits.packetBytesMax;
    this.silenceSMax = Math.ceil(connect.keepaliveS * KEEPALIVE_FACTOR);
    if (connect.keepaliveS > 0) around.wheel.watch(this);
    else around.wheel.forget(this);
    around.online.add(this);
    around.counters.clientsMax = Math.max(around.counters.clientsMax, around.online.size);
    const isPresent = outcome.present && this.#level !== MQTT_3_1;
    outcome.onceEnded(() => {
      if (session.isOver) return this.onTakeover();
      this.#send(frames.connackFrame(isPresent, packets.ACCEPTED));
      session.attach(this);
      this.#readOn(WAIT_FOR.gatekeeper);
    });
  }

  #refuse({ connack, reason }: Refusal): FrameVerdict {
    if (this.#state === 'closed') return 'stop';
    const { remote, clientId } = this;
    this.#around.rareLog.warn('broker.client.refused', { remote, clientId, reason });
    this.#send(connack);
    return this.#leave();
  }

  #send(frame: Buffer): void {
    this.#writer.frame(frame, 0, frame.length);
  }

  #close(): void {
    if (this.#state === 'closed') return;
    const around = this.#around;
    this.#state = 'closed';
    this.#framer.stop();
    this.#writer.close();
    this.#publishing?.close();
    around.wheel.forget(this);
    around.gate.release(this);
    around.connected.delete(this);
    around.online.delete(this);
    const session = this.#session;
    if (session === undefined) return;
    session.detach(around.clock.monotonicMs());
    if (session.clean) around.sessions.remove(session);
    this.#publishWill();
  }

  #publishWill(): void {
    const will = this.#will;
    if (will === undefined) return;
    const admission = this.#around.router.accept(publishOf(will, this.#around.topics), this);
    if (admission.kind === 'refused' && admission.fault.code === 'journal.busy') {
      this.#around.gate.hold({ goOn: () => this.#publishWill() });
      return;
    }
    this.#will = undefined;
    if (admission.kind === 'refused') this.#around.counters.refused += 1;
  }
}
