import type { Qos } from '../contract.ts';
import type { Message } from '../topics/message.ts';
import type { Publication } from '../topics/publication.ts';

/** The connected client of a session. */
export interface SessionLink {
  /** False while the client takes less than it is sent. */
  readonly canSend: boolean;
  /** Sends at QoS 0, or drops where too much waits already. */
  sendFrame(publication: Publication): void;
  /** `packetId` 0 at QoS 0. */
  sendPublish(message: Message, qos: Qos, retain: boolean, dup: boolean, packetId: number): void;
  sendRelease(packetId: number): void;
  /** Calls `pump` again in the next turn of the event loop. */
  pumpLater(): void;
  /** Another connection took the session over. */
  onTakeover(): void;
}
