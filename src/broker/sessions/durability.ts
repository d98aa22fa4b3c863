/**
 * What makes sessions outlive a crash. Kept sessions are a fold over the log: admitted publishes in their order, and
 * between them records of what clients asked for. A change is therefore made when its record is durable, at its place
 * among the publishes (`after`), and a start that folds the same log comes to the same sessions.
 *
 * Nothing is written for a message that is queued or sent. What a client has confirmed is noted now and then:
 * losing that costs a redelivery. PUBREC, PUBREL, SUBSCRIBE and a CONNECT that ends a kept session are answered when their record
 * is durable: losing one of those would deliver twice, not at all, or what nobody wants any more.
 */
import type { Cancel, Timers } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import { isReservedTopic } from '../../model/topic.ts';
import type { LoggedItem, LoggedPublish, Lsn, SessionLog } from '../contract.ts';
import { bytesOfPayload, type Message, type Topic, type TopicTable } from '../topics/message.ts';
import type { RetainedStore } from '../topics/retained.ts';
import {
  decodeRecord,
  encodeRecord,
  type LaneProgress,
  type SessionRecord,
} from './session-records.ts';

/** A session that notes how far its client has come. */
export interface ProgressingSession {
  readonly clientId: string;
  readonly isOver: boolean;
  readonly progress: LaneProgress;
}

/** Who runs a change when its record is durable; the router does, between the messages. */
export interface Sequencer {
  /** Runs `change` when everything up to `lsn` is durable and delivered; at once where it is. */
  after(lsn: Lsn, change: () => void): void;
}

interface DurabilityParts {
  readonly sessionLog: SessionLog;
  readonly sequencer: Sequencer;
  readonly retained: RetainedStore;
  readonly topics: TopicTable;
  readonly timers: Timers;
}

/** Reads messages of the log for one lane. */
export interface LaneReader {
  find(lsn: Lsn): Message | undefined;
}

/** That a client is there is noted sooner: from then on it may have been sent something. */
const ARRIVAL_LINGER_MS = 50;
const NOTE_PERIOD_MS = 1_000;
/** Notes wait so long for company: alone they are not worth a sync. */
const NOTE_LINGER_MS = 2_000;

export class Durability {
  readonly #parts: DurabilityParts;
  readonly #progressing = new Set<ProgressingSession>();
  /** Topics whose retained message is not in the log: QoS 0 promises nothing, so the last of a second is enough. */
  readonly #unnotedTopics = new Set<string>();
  #retainedNotedLsn: Lsn = 0;
  readonly #cancel: Cancel;

  constructor(parts: DurabilityParts) {
    this.#parts = parts;
    this.#cancel = parts.timers.every(NOTE_PERIOD_MS, () => this.note());
  }

  /** Writes a record; throws `HubError` where the log does not take it. */
  write(record: SessionRecord, lingerMs = 0): Lsn {
    return this.#parts.sessionLog.append(encodeRecord(record), lingerMs);
  }

  after(lsn: Lsn, change: () => void): void {
    this.#parts.sequencer.after(lsn, change);
  }

  /** The client has come. */
  arrived(session: ProgressingSession): void {
    this.#progressing.add(session);
    orLater(() => this.#noteProgress(session, ARRIVAL_LINGER_MS));
  }

  /** The client has confirmed something, or left. */
  progressed(session: ProgressingSession): void {
    this.#progressing.add(session);
  }

  /** A message was retained; `lsn` 0 where it is not in the log. */
  retained(topic: string, lsn: Lsn): void {
    // A note that went into the log before this message became durable lies behind it and would win.
    const isNoted = lsn > this.#retainedNotedLsn;
    if (!isNoted && !isReservedTopic(topic)) this.#unnotedTopics.add(topic);
  }

  reader(): LaneReader {
    const finder = this.#parts.sessionLog.finder();
    let last: Topic | undefined;
    return {
      find: (lsn) => {
        const item = finder.find(lsn);
        const publish = item === undefined ? undefined : publishOf(item);
        if (publish === undefined) return undefined;
        const { topic, payload, qos, retain } = publish;
        // Messages of one topic often lie together: comparing is quicker than looking up.
        if (last === undefined || !isSame(last.encoded, topic)) {
          last = this.#parts.topics.ofBytes(Buffer.from(topic).toString('latin1'));
        }
        return last && { topic: last, payload, qos, retain, lsn };
      },
    };
  }

  /** Notes what clients have confirmed and what QoS 0 has retained. */
  note(): void {
    orLater(() => {
      for (const session of this.#progressing) this.#noteProgress(session, NOTE_LINGER_MS);
      for (const topic of this.#unnotedTopics) {
        const publish = this.#retainedPublish(topic);
        this.#retainedNotedLsn = this.write({ kind: 'message', publish }, NOTE_LINGER_MS);
        this.#unnotedTopics.delete(topic);
      }
    });
  }

  close(): void {
    this.#cancel();
    this.note();
  }

  #noteProgress(session: ProgressingSession, lingerMs: number): void {
    const { clientId, progress, isOver } = session;
    if (!isOver) this.write({ kind: 'progress', clientId, progress }, lingerMs);
    this.#progressing.delete(session);
  }

  #retainedPublish(topic: string): LoggedPublish {
    const payload = this.#parts.retained.get(topic)?.payload ?? '';
    return {
      topic: Buffer.from(topic),
      payload: bytesOfPayload(payload),
      qos: 0,
      retain: true,
      clientId: '',
      packetId: 0,
    };
  }
}

/** What the log does not take now stays to be noted; the journal says itself what is wrong. */
function orLater(note: () => void): void {
  try {
    note();
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
  }
}

/** The publish in an item, be it an op or a message of the broker's own. */
function publishOf(item: LoggedItem): LoggedPublish | undefined {
  if ('publish' in item) return item.publish;
  const record = decodeRecord(item.record);
  return record?.kind === 'message' ? record.publish : undefined;
}

/** Whether the text behind the two bytes of its length is `topic`. */
function isSame(encoded: Uint8Array, topic: Uint8Array): boolean {
  if (encoded.length !== topic.length + 2) return false;
  for (let i = topic.length - 1; i >= 0; i--) if (encoded[i + 2] !== topic[i]) return false;
  return true;
}
