/** Devices with the SDK: their ops and receipts, what they pull, and what they are told (sync/PROTOCOL.md). */
import type { Access } from '../../security/access.ts';
import type { Broker } from '../../broker/broker.ts';
import type { InternalMessage, Principal } from '../../broker/contract.ts';
import type { Ground } from '../ground.ts';
import type { HubStore } from '../storage/store.ts';
import type { Door } from '../../ingest/door/door.ts';
import type { Journal } from '../../journal/journal.ts';
import { isDispute } from '../../merge/conflicts.ts';
import { EVENT, type Op } from '../../model/op.ts';
import type { HlcClock } from '../../model/hlc.ts';
import { tellSmallPackets } from '../limits/small-packets.ts';
import { passingOn } from './passing-on.ts';
import { NotedRights } from './rights.ts';
import { Notices } from '../../sync/notices.ts';
import { OPS_FILTER, OpsDoor } from '../../sync/ops-door.ts';
import { PULL_FILTER, PullDoor } from '../../sync/pull-door.ts';

interface SyncParts {
  readonly journal: Journal;
  readonly store: HubStore;
  readonly door: Door;
  readonly hlc: HlcClock;
  readonly broker: Broker;
  readonly access: Access;
}

/** Returns what tells devices of their ops. */
export function serveSync(ground: Ground, parts: SyncParts): Notices {
  const { config, machine, id: hub, closers } = ground;
  const { journal, store, door, hlc, broker, access } = parts;
  const { log, clock, timers } = machine;
  const { gatekeeper } = access;
  tellSmallPackets(config.broker, log);
  const publish = (topic: string, payload: Uint8Array): void =>
    broker.publish(topic, payload, { qos: 1 });
  const whenApplied = (lsn: number): Promise<void> => store.whenApplied(lsn);
  const notices = new Notices({
    openConflicts: (key, limit) =>
      store.state.records.openConflicts(key, limit).filter((conflict) => isDispute(conflict)),
    lag: () => journal.durableLsn - store.appliedLsn,
    deviceOf: (origin) => door.deviceOf(origin),
    whenApplied,
    publish,
  });
  const opsDoor = new OpsDoor({
    acceptOps: passingOn(door, broker),
    whenDurable: (lsn) => journal.whenDurable(lsn),
    conflictsOf: (edits, lsn) => notices.look(edits, lsn),
    tellClash: (device) => notices.tellClash(device),
    publish,
    log,
  });
  const startLsn = journal.durableLsn;
  const rights = new NotedRights({ hub, grants: config.grant, store, door, startLsn, log });
  const pullDoor = closers.add(
    new PullDoor({
      hub,
      journal,
      source: () => store.state.reader,
      appliedLsn: () => store.appliedLsn,
      now: () => hlc.now(),
      whenApplied,
      publish,
      clock,
      timers,
      log,
    }),
  );

  /** Events are messages, and need the right to publish them; who works on records may change what it may read. */
  const mayWrite = (who: Principal, { kind, key }: Pick<Op, 'kind' | 'key'>): boolean => {
    if (gatekeeper.mayPublish(who, key)) return true;
    return kind !== EVENT && who.role !== 'device' && gatekeeper.mayRead(who, key);
  };
  broker.onMessage(OPS_FILTER, (message) => {
    const who = makerOf(message);
    return opsDoor.handle({
      ...message,
      from: { role: who.role, mayWrite: (op) => mayWrite(who, op) },
    });
  });
  broker.onMessage(PULL_FILTER, (message) => {
    const who = makerOf(message);
    const mayRead = (key: string): boolean => gatekeeper.mayRead(who, key);
    const from = { role: who.role, mayRead, rights: () => rights.opsFor(who) };
    pullDoor.handle({ ...message, from });
  });
  return notices;
}

/** Whose message it is; where that is not known any more, a device of the topic's name. */
function makerOf({ topic, from }: InternalMessage): Principal {
  const name = topic.split('/')[1] ?? '';
  return from ?? { name, role: 'device', clientId: name };
}
