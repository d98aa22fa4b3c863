/**
 * The promises, checked while the pilot runs. Each check knows the pilot's own books and what the parts say in
 * public; none looks into the parts.
 */
import { CLASS_NAMES, LOG, type OpClass } from '../../model/class.ts';
import { type HubLife, journalMibMax, SPOOL_MIB_MAX } from '../lives/hub-life.ts';
import type { PilotFailure } from '../events.ts';
import type { Recorder } from '../recorder.ts';
import type { Scenario } from '../scenario.ts';
import type { Contract } from '../world/contract.ts';
import { presetThresholds } from '../world/light-model.ts';
import type { PilotLink } from '../world/pilot-link.ts';
import type { Books } from './books.ts';

const MIB = 1 << 20;
const SYNC_LOG_BYTES_MAX = 8 * MIB + 64 * 1024;
/** The hub measures every ten seconds and judges by a median of five minutes. */
const RESERVE_TOLERANCE_PCT = 1;
/** A spool may exceed its limit by the batch that filled it. */
const BATCH_BYTES_MAX = 2 * MIB;

/** What a check sees of the pilot. */
export interface Judged {
  readonly scenario: Scenario;
  readonly site: { readonly socRatio: number };
  readonly books: Books;
  readonly contract: Contract;
  readonly link: PilotLink;
  readonly recorder: Recorder;
  readonly hub: HubLife | undefined;
  readonly hubDisk: { readonly crashed: boolean };
  /** Bytes of the files of a folder in the hub's data directory. */
  bytesBelow(folder: string): number;
  failure(message: string): PilotFailure;
}

export const checks = {
  /** Promise 4: no session is begun below the reserve. */
  reserve(pilot: Judged, hub: HubLife | undefined): void {
    const socPct = 100 * pilot.site.socRatio;
    const state = hub?.followers.power.monitor.decision().state;
    if (state === 'unknown' || hub === undefined) return;
    const reservePct = presetThresholds(pilot.scenario.preset).percent.alarmsStop;
    if (socPct >= reservePct - RESERVE_TOLERANCE_PCT) return;
    throw pilot.failure(`a session begins at ${socPct.toFixed(1)} %, below the reserve`);
  },

  /** The order of what is on the card, and of what may go. */
  order(pilot: Judged): void {
    const { hub } = pilot;
    if (hub === undefined) return;
    const { firstLsn, lastLsn, durableLsn } = hub.serving.journal;
    if (durableLsn > lastLsn || firstLsn > lastLsn + 1) {
      throw pilot.failure(`LSNs out of order: ${firstLsn} … ${durableLsn} … ${lastLsn}`);
    }
  },

  /** Every quarter of an hour. */
  quarter: checkJournalBytes,
  hour: checkHour,
  /** At each op that the region stores. */
  contract: checkContract,
  synced: checkSynced,
};

/** Promise 6: the journal does not grow beyond its limit. */
function checkJournalBytes(pilot: Judged): void {
  const bytes = pilot.hub?.serving.journal.stat().bytes ?? 0;
  if (bytes > journalMibMax(pilot.scenario) * MIB)
    throw pilot.failure(`the journal has ${bytes} bytes`);
}

function checkHour(pilot: Judged): void {
  const { hub, hubDisk } = pilot;
  if (hub === undefined || hubDisk.crashed) return;
  checkKept(pilot, hub);
  checkLog(pilot);
  const spool = pilot.bytesBelow('uplink/spool');
  if (spool > SPOOL_MIB_MAX * MIB + BATCH_BYTES_MAX)
    throw pilot.failure(`the spool has ${spool} bytes`);
  const log = pilot.bytesBelow('power');
  if (log > SYNC_LOG_BYTES_MAX) throw pilot.failure(`the sync log has ${log} bytes`);
}

/** Promises 1 and 3: what was acknowledged is in the journal until it is proven to be upstream. */
function checkKept(pilot: Judged, hub: HubLife): void {
  const { firstLsn } = hub.serving.journal.stat();
  const { receiptedLsn } = hub.followers.uplink;
  for (const [key, { lsn }] of pilot.books.outstanding()) {
    if (lsn < firstLsn) throw pilot.failure(`${key} was released and is not stored upstream`);
    if (lsn <= receiptedLsn) throw pilot.failure(`${key} has a receipt and is not stored upstream`);
  }
}

/** Every attempt upstream has its line in the sync log. */
function checkLog(pilot: Judged): void {
  const { attempts } = pilot.link;
  const { opens } = pilot.recorder;
  if (opens !== attempts)
    throw pilot.failure(`${attempts} sessions, ${opens} lines that tell of one`);
}

/** What the month's bytes do not cover waits: a class is never begun on a link whose share for it is used up. */
function checkContract(pilot: Judged, opClass: OpClass): void {
  if (opClass === LOG || pilot.contract.covers(opClass)) return;
  throw pilot.failure(`${CLASS_NAMES[opClass]} goes although the month's bytes are used up`);
}

/** Promise 2: the same ops, the same state. */
function checkSynced(pilot: Judged, hubDigest: string, regionDigest: string | undefined): void {
  for (const [key] of pilot.books.outstanding()) {
    throw pilot.failure(`nothing waits any more, and ${key} is not stored upstream`);
  }
  const { owedTotal } = pilot.books;
  if (owedTotal > 0) throw pilot.failure(`${owedTotal} acknowledged ops are not stored upstream`);
  if (hubDigest !== regionDigest) {
    throw pilot.failure(`digest ${hubDigest} here, ${regionDigest ?? 'none'} upstream`);
  }
}
