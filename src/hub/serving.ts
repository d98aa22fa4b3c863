/**
 * The part of the hub that serves devices: journal, door and broker, with the store beside them. When this
 * returns, devices can connect, and what they publish is acknowledged when it is durable.
 */
import type { Clock } from '../base/clock.ts';
import { Broker } from '../broker/broker.ts';
import type { Access } from '../security/access.ts';
import { openAccess } from './access.ts';
import { noteHub } from './data/data-note.ts';
import { AssetGate } from './assets/asset-gate.ts';
import { DocRoom } from './limits/doc-room.ts';
import { RecordRoom } from './limits/record-room.ts';
import { FullDoor } from './limits/full-door.ts';
import type { Ground } from './ground.ts';
import { formerHubs, noteIdentity } from './data/identity.ts';
import { keepHoles } from './storage/hole-file.ts';
import { keepPassedOver } from './storage/kept-note.ts';
import { openJournal } from './storage/journal.ts';
import { Lingers } from './power/linger.ts';
import { brokerLimits, type HubAddresses, listenMqtt } from './listeners.ts';
import { JournalSessionLog } from './storage/sessions.ts';
import { HubStore } from './storage/store.ts';
import { serveSync } from './sync/sync.ts';
import { Door } from '../ingest/door/door.ts';
import { recoverProgress } from '../ingest/progress.ts';
import type { Journal } from '../journal/journal.ts';
import { unfoldable } from '../merge/fold.ts';
import { isThatWrite } from '../merge/that-write.ts';
import { DOC, EVENT, type Op } from '../model/op.ts';
import { HlcClock } from '../model/hlc.ts';
import { MomentClock } from '../platform/clock.ts';
import type { Notices } from '../sync/notices.ts';
import { PROGRAM_VERSION } from '../versions.ts';

export interface Serving {
  readonly journal: Journal;
  readonly store: HubStore;
  readonly door: Door;
  readonly lingers: Lingers;
  readonly broker: Broker;
  readonly access: Access;
  readonly notices: Notices;
  readonly addresses: HubAddresses;
  readonly fullDoor: FullDoor;
  readonly assetGate: AssetGate;
}

/** `isNew`: a hub that has just begun over the data of another one. */
export async function serveDevices(ground: Ground, isNew = false): Promise<Serving> {
  const { config, machine, time, paths, closers } = ground;
  const access = closers.add(
    await openAccess(config, machine, [
      { host: config.broker.host, key: 'broker.host' },
      { host: config.http.host, key: 'http.host' },
    ]),
  );
  const journal = closers.add(await openJournal(config, machine, paths, isNew));
  noteIdentity(paths, machine, ground.identity);
  noteHub(config, ground.id, machine);
  journal.onFault((fault) => {
    if (fault.code === 'journal.poisoned') ground.fail(fault);
  });
  const store = closers.add(
    HubStore.open({ config, machine, clock: time.clock, paths, journal, signer: ground.identity }),
  );
  const lingers = new Lingers(config.journal);
  const assetGate = new AssetGate();
  const { door, hlc } = openDoor(ground, { journal, store, lingers, access, assetGate });
  const { clock, timers, log, files } = machine;
  const hub = ground.id;
  const broker = closers.add(
    Broker.open({
      door,
      sessionLog: new JournalSessionLog({ journal, hub, files, path: paths.sessions }),
      gatekeeper: access.gatekeeper,
      clock,
      timers,
      log,
      version: PROGRAM_VERSION,
      limits: brokerLimits(config.broker),
    }),
  );
  const notices = serveSync(ground, { journal, store, door, hlc, broker, access });
  access.members?.onChange(() => broker.recheckRights());
  if (access.desk !== undefined) {
    const { serveEnrolment } = await import('./enrol.ts');
    serveEnrolment(broker, access.desk, log);
  }
  const fullDoor = new FullDoor('broker.full', config.broker.connectionsMax, machine);
  const { addresses } = closers.add(await listenMqtt(ground, broker, fullDoor));
  const inside = { journal, store, door, lingers, broker, access, notices };
  return { ...inside, addresses, fullDoor, assetGate };
}

type DoorParts = Pick<Serving, 'journal' | 'store' | 'lingers' | 'access' | 'assetGate'>;

function openDoor(
  ground: Ground,
  { journal, store, lingers, access, assetGate }: DoorParts,
): { readonly door: Door; readonly hlc: HlcClock } {
  const { config, machine, time, paths, id } = ground;
  const { log, random } = machine;
  const moment = new MomentClock(time.clock);
  // A site in simulated time has a boot of its own.
  const boot = time.clock === machine.clock ? machine.boot : undefined;
  const keptNote = machine.files.read(paths.progress);
  const formerly = formerHubs(paths, machine.files);
  const known = { journal, store: store.state, keptNote };
  const progress = recoverProgress({ hub: id, formerly, ...known, log });
  const hlc = new HlcClock(moment, progress.lastHlc);
  const door = Door.open({
    journal,
    hub: id,
    log,
    clock: boot === undefined ? moment : sinceBoot(moment, boot.beforeMs),
    capture: config.capture,
    bootId: boot?.id ?? new DataView(random.bytes(4).buffer).getUint32(0),
    hlc,
    knownVector: progress.vector,
    lingerMs: (opClass) => lingers.of(opClass),
    bulkGivesWay: config.journal.onFull === 'drop-bulk',
    rosterEpoch: access.rosterEpoch,
    unfoldable,
    isAsKept: (op) => isAsKept(store, op),
    assets: assetGate,
    rooms: [new DocRoom(store), new RecordRoom(store)],
  });
  if (progress.passedOver) keepPassedOver({ ...machine, path: paths.progress, door });
  keepHoles(door.holes, progress.vector, { ...machine, path: paths.holes });
  return { door, hlc };
}

/** Ops on records alone are kept by their names. */
function isAsKept(store: HubStore, op: Op): boolean | undefined {
  if (op.kind === EVENT || op.kind === DOC) return undefined;
  const item = store.ask(({ reader }) => reader.writeItem(op));
  return item?.type === 'write' ? isThatWrite(item, op) : undefined;
}

/** The same time, with moments that count from the boot of the machine. */
function sinceBoot(clock: Clock, beforeMs: number): Clock {
  return {
    wallMs: () => clock.wallMs(),
    monotonicMs: () => clock.monotonicMs() + beforeMs,
    quality: () => clock.quality(),
  };
}
