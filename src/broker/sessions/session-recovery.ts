/**
 * Folds the log into sessions at a start: the file that sums up what came before, then every publish and record
 * behind it, in order. What the journal has read of its doubtful tail becomes durable a moment after the start, and is
 * folded then.
 */
import type { Clock } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { CborError } from '../../codec/reader.ts';
import { isReservedTopic } from '../../model/topic.ts';
import type { LoggedItem, LoggedPublish, Lsn, SessionLog } from '../contract.ts';
import { bytesOfPayload, keepPayload, type Message, type TopicTable } from '../topics/message.ts';
import { Publication } from '../topics/publication.ts';
import type { RetainedStore } from '../topics/retained.ts';
import { decodeRecord, type SessionRecord } from './session-records.ts';
import type { SessionRegistry } from './session-registry.ts';
import type { Session } from './session.ts';
import {
  decodeSessionsFile,
  encodeSessionsFile,
  type KeptSession,
  type SessionsFile,
} from './sessions-file.ts';

export interface RecoveryParts {
  readonly sessionLog: SessionLog;
  readonly sessions: SessionRegistry;
  readonly retained: RetainedStore;
  readonly topics: TopicTable;
  readonly clock: Clock;
  readonly log: Log;
  deliver(publication: Publication): void;
}

export class SessionRecovery {
  readonly #parts: RecoveryParts;
  /** Everything up to here is in the sessions. */
  #foldedLsn: Lsn = 0;
  /** The end of the log at the start: what comes later is delivered as it comes. */
  readonly #untilLsn: Lsn;
  #unreadable = 0;
  #isFileForeign = false;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
    this.#untilLsn = parts.sessionLog.lastLsn;
  }

  /** Reads the file and all of the log that is durable; returns the LSN that the file covers. */
  start(): Lsn {
    const { sessionLog, log, clock, sessions, retained } = this.#parts;
    const startMs = clock.monotonicMs();
    const fileLsn = this.#readFile();
    this.#foldedLsn = fileLsn;
    if (fileLsn + 1 < sessionLog.firstLsn) {
      log.error('broker.sessions.gap', { fromLsn: fileLsn + 1, toLsn: sessionLog.firstLsn - 1 });
    }
    this.#fold();
    for (const session of sessions.values()) session.owed?.recovered(this.#untilLsn);
    log.info('broker.sessions.recovered', {
      sessions: sessions.size,
      retained: retained.count,
      fileLsn,
      foldedLsn: this.#foldedLsn,
      unreadable: this.#unreadable,
      tookMs: Math.round(clock.monotonicMs() - startMs),
    });
    return fileLsn;
  }

  /** The file was about another journal. Once this one has come as far it would pass for its own: it is to be replaced soon. */
  get isFileForeign(): boolean {
    return this.#isFileForeign;
  }

  /** A commit: folds what was in the journal before the start and is durable now. */
  onDurable(durableLsn: Lsn): void {
    if (this.#foldedLsn < Math.min(durableLsn, this.#untilLsn)) this.#fold();
  }

  #fold(): void {
    for (const item of this.#parts.sessionLog.scan(this.#foldedLsn + 1)) {
      if (item.lsn > this.#untilLsn) break;
      this.#foldedLsn = item.lsn;
      this.#take(item);
    }
  }

  #readFile(): Lsn {
    const { sessionLog, log } = this.#parts;
    const bytes = sessionLog.load();
    if (bytes === undefined) return 0;
    let file: SessionsFile;
    try {
      file = decodeSessionsFile(bytes);
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== 'sessions.damaged') throw error;
      log.error('broker.sessions.damaged', { reason: error.message });
      return 0;
    }
    // The file of another journal: its LSNs mean nothing here, what clients asked for still does.
    const isOurs = file.lsn <= sessionLog.lastLsn;
    this.#isFileForeign = !isOurs;
    if (!isOurs) log.warn('broker.sessions.other-journal', { fileLsn: file.lsn });
    this.#restore(file, isOurs);
    return isOurs ? file.lsn : 0;
  }

  #restore({ sessions, retained }: SessionsFile, isOurs: boolean): void {
    const parts = this.#parts;
    for (const kept of sessions) {
      const { clientId, name, role, filters } = kept;
      const session = parts.sessions.restore({ clientId, name, role });
      for (const { filter, qos } of filters) parts.sessions.applySubscribe(session, filter, qos);
      session.detachedMs = parts.clock.monotonicMs() - kept.awayMs;
      if (!isOurs) continue;
      for (const [packetId, lsn] of kept.received) session.receivedLsnById.set(packetId, lsn);
      session.owed?.restore(kept);
    }
    for (const { topic, payload, qos, lsn } of retained) {
      const message = this.#keptMessage(
        { topic, payload, qos: qos as 0 | 1 | 2, retain: true },
        lsn,
      );
      if (message !== undefined) parts.retained.set(message);
    }
  }

  #take(item: LoggedItem): void {
    try {
      if ('publish' in item) this.#takePublish(item.publish, item.lsn);
      else {
        const record = decodeRecord(item.record);
        if (record !== undefined) this.#takeRecord(record, item.lsn);
      }
    } catch (error) {
      if (!(error instanceof CborError)) throw error;
      this.#unreadable += 1;
    }
  }

  #takePublish(publish: LoggedPublish, lsn: Lsn): void {
    const { clientId, packetId, qos, retain } = publish;
    if (qos === 2 && packetId !== 0) {
      this.#parts.sessions.get(clientId)?.receivedLsnById.set(packetId, lsn);
    }
    const topic = this.#topicOf(publish.topic);
    if (topic === undefined) return;
    if (retain) {
      const message = this.#keptMessage(publish, lsn);
      if (message !== undefined) this.#parts.deliver(Publication.ofMessage(message));
    } else {
      this.#parts.deliver(Publication.ofLogged({ topic, qos, retain }, lsn));
    }
  }

  #takeRecord(record: SessionRecord, lsn: Lsn): void {
    const { sessions } = this.#parts;
    if (record.kind === 'message') return this.#takePublish(record.publish, lsn);
    const { clientId } = record;
    const session = sessions.get(clientId);
    if (record.kind === 'opened') {
      if (session === undefined) sessions.restore(record);
      return;
    }
    if (session === undefined) return;
    switch (record.kind) {
      case 'ended':
        return sessions.drop(session);
      case 'subscribed':
        for (const { filter, qos } of record.filters) sessions.applySubscribe(session, filter, qos);
        return;
      case 'unsubscribed':
        for (const filter of record.filters) sessions.applyUnsubscribe(session, filter);
        return;
      case 'received':
        return session.owed?.restoreReceived(record.sequence);
      case 'progress':
        return session.owed?.restoreProgress(record.progress);
      case 'released':
        session.receivedLsnById.delete(record.packetId);
    }
  }

  #topicOf(bytes: Uint8Array): Message['topic'] | undefined {
    return this.#parts.topics.ofBytes(Buffer.from(bytes).toString('latin1'));
  }

  #keptMessage(
    { topic, payload, qos, retain }: Pick<LoggedPublish, 'topic' | 'payload' | 'qos' | 'retain'>,
    lsn: Lsn,
  ): Message | undefined {
    const known = this.#topicOf(topic);
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
    return (
      known && { topic: known, payload: keepPayload(bytes, 0, bytes.length), qos, retain, lsn }
    );
  }
}

/** The file for the sessions as they are now, everything up to `lsn` being in them. */
export function sumUp(
  lsn: Lsn,
  { sessions, retained, clock }: Pick<RecoveryParts, 'sessions' | 'retained' | 'clock'>,
): Uint8Array {
  const nowMs = clock.monotonicMs();
  return encodeSessionsFile({
    lsn,
    sessions: Array.from(sessions.values()).flatMap((session) => keptSession(session, lsn, nowMs)),
    retained: retained
      .messages()
      .filter(({ topic }) => !isReservedTopic(topic.name))
      .map(({ topic, payload, qos, lsn: at }) => ({
        topic: topic.encoded.subarray(2),
        payload: bytesOfPayload(payload),
        qos,
        lsn: at,
      })),
  });
}

function keptSession(session: Session, lsn: Lsn, nowMs: number): KeptSession[] {
  const { clientId, principal, qosByFilter, receivedLsnById, detachedMs, owed } = session;
  if (owed === undefined) return [];
  const { name, role } = principal;
  const awayMs = nowMs - (detachedMs ?? nowMs);
  const filters = Array.from(qosByFilter, ([filter, qos]) => ({ filter, qos }));
  // A publish that is not durable may be gone after a crash: then its identifier must be unknown.
  const received = Array.from(receivedLsnById).filter(([, at]) => at <= lsn);
  return [{ clientId, name, role, awayMs, filters, received, ...owed.kept() }];
}
