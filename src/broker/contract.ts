/**
 * What the broker needs of others, and what it asks of them: a door that makes publishes durable and a
 * gatekeeper that knows users. `hub/` joins them with ingest/ and security/; the regional node's own broker uses
 * `PASSING_DOOR`.
 */
import type { HubError } from '../base/errors.ts';
import type { Role } from '../model/op.ts';

/** What clients publish below it goes to handlers alone: to no subscriber, and not through the door. */
export const INTERNAL_PREFIX = 'sync/';

/** Number of a journal entry: 1, 2, 3 … */
export type Lsn = number;
export type Qos = 0 | 1 | 2;

export interface InboundPublish {
  readonly topic: string;
  /** Valid during the call only. */
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
  /** The client says it sent this before. */
  readonly dup: boolean;
  readonly clientId: string;
  readonly username?: string;
  /** 1 … 65535; 0 for a will. */
  readonly packetId: number;
}

export type Admission =
  /** Not captured: acknowledged at once. */
  | { readonly kind: 'pass' }
  /** Acknowledged when `lsn` is durable; an `lsn` that was given before marks a redelivery. */
  | { readonly kind: 'journaled'; readonly lsn: Lsn }
  /** Not taken. `journal.busy` means: offer it again in a moment; all else closes the connection. */
  | { readonly kind: 'refused'; readonly fault: HubError };

/** Takes every QoS 1 and QoS 2 publish before it is acknowledged. */
export interface PublishDoor {
  admit(publish: InboundPublish): Admission;
  /** What is durable already: a redelivery may be of something an earlier run has journaled. */
  readonly durableLsn: Lsn;
  /** Once per group commit, in order. */
  onDurable(listener: (durableLsn: Lsn) => void): void;
  /** The card is behind: stop reading from publishers until a commit finds this false. */
  readonly saturated: boolean;
  /** Why nothing can be taken now; new clients are turned away meanwhile. */
  readonly fault: HubError | undefined;
}

/** A publish as it lies in the log; bytes stay as they are as long as somebody holds them. */
export interface LoggedPublish {
  /** UTF-8 of the topic. */
  readonly topic: Uint8Array;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
  /** Whose QoS 2 identifier `packetId` is; empty where it does not matter. */
  readonly clientId: string;
  readonly packetId: number;
}

export type LoggedItem =
  | { readonly lsn: Lsn; readonly publish: LoggedPublish }
  | { readonly lsn: Lsn; readonly record: Uint8Array };

/**
 * Where sessions that outlive a crash are kept: the journal, in which admitted publishes lie already and to which
 * the broker adds its own records, and one file that sums up what came before.
 */
export interface SessionLog {
  /** Nothing before it can be read. */
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  /** Takes a record, one CBOR item; throws `HubError` where it cannot. */
  append(record: Uint8Array, lingerMs: number): Lsn;
  /** Admitted publishes and records from `fromLsn` on, in order, as far as they are durable. */
  scan(fromLsn: Lsn): Iterable<LoggedItem>;
  finder(): LogFinder;
  /** What `save` was last given, undefined where there is nothing to go by. */
  load(): Uint8Array | undefined;
  /** Replaces the file, so that a crash leaves the old or the new one. */
  save(bytes: Uint8Array): Promise<void>;
}

/** Finds publishes and records by their LSN; quick where LSNs grow. */
export interface LogFinder {
  /** Undefined where the log has let go of it, or it is damaged. */
  find(lsn: Lsn): LoggedItem | undefined;
}

/** The admission of what nobody keeps. */
export const PASS: Admission = { kind: 'pass' };

/** A door that keeps nothing: acks promise memory only. */
export const PASSING_DOOR: PublishDoor = {
  admit: () => PASS,
  durableLsn: 0,
  onDurable: () => undefined,
  saturated: false,
  fault: undefined,
};

/** Who a client has proved to be. */
export interface Principal {
  readonly name: string;
  readonly role: Role;
  readonly clientId: string;
}

export interface Credentials {
  readonly clientId: string;
  readonly username?: string;
  readonly password?: Uint8Array;
  /** Of a TLS connection, DER; the handshake has proved that the client has its key. */
  readonly certificate?: Uint8Array;
  readonly remote: string;
}

export interface Gatekeeper {
  /** Undefined where the credentials are wrong; rejects only where the check itself failed. */
  authenticate(credentials: Credentials): Promise<Principal | undefined>;
  mayPublish(principal: Principal, topic: string): boolean;
  mayRead(principal: Principal, topicOrFilter: string): boolean;
  /** False where the client must be disconnected: who it was is no longer known. Absent: never. */
  isAdmitted?(principal: Principal): boolean;
  /** Another number when rights may have changed: answers that were kept count no more. */
  readonly revision: number;
}

/** A message for code inside the hub. */
export interface InternalMessage {
  readonly topic: string;
  /** In memory of its own. */
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
  /** Who published it; undefined at topics that are not `sync/…`, where delivery may outlive the publisher. */
  readonly from: Principal | undefined;
}

/** What a handler of `sync/…` answers: nothing to wait for, wait until `lsn` is durable, or not taken. */
export type MessageOutcome = void | { readonly lsn: Lsn } | { readonly refused: HubError };

export type MessageHandler = (message: InternalMessage) => MessageOutcome;
