/**
 * What has been folded, beside the state itself: the ops seen of each lane, and the newest stamp of each hub.
 * Both lie in memory and are written down with every commit.
 */
import { hexOf } from '../../base/bytes.ts';
import type { StateItem } from '../../merge/state/state-item.ts';
import type { OpClass } from '../../model/class.ts';
import type { HeldLane } from '../../model/held.ts';
import { decodeHlc, encodeHlc, type Hlc } from '../../model/hlc.ts';
import { type Lane, laneOf, type Origin, ORIGIN_BYTES } from '../../model/origin.ts';
import { ByteCache } from './byte-cache.ts';
import type { OpScan } from './op-scan.ts';
import { decodeRanges, encodeRanges, type LaneOps, SeenOps } from './seen-ops.ts';
import type { SqliteFile } from '../database/sqlite.ts';

const LANES_CACHED_MAX = 4096;
const HUBS_CACHED_MAX = 64;
/** Origin and class as they lie in an op. */
const LANE_BYTES = ORIGIN_BYTES + 1;
const PUT_LANE = 'INSERT OR REPLACE INTO lanes (lane, up_to, beyond) VALUES (?, ?, ?)';
const PUT_HUB = 'INSERT OR REPLACE INTO hubs (hub, hlc) VALUES (?, ?)';

/** The newest stamp of a hub. */
interface HubStamp {
  ms: number;
  counter: number;
  isChanged: boolean;
}

export class FoldProgress {
  readonly seen = new SeenOps();
  readonly #stamps = new Map<Origin, HubStamp>();
  #fills = 0;
  #filledLsn = 0;
  #isJoined = false;
  #joinedLsn = 0;
  readonly #lanes = new ByteCache<LaneOps>(LANES_CACHED_MAX);
  readonly #hubs = new ByteCache<HubStamp>(HUBS_CACHED_MAX);

  /** LSN of the last op that came after others of its lane. */
  get filledLsn(): number {
    return this.#filledLsn;
  }

  /** LSN at which a state was taken over last: what it brought is no op behind which somebody who follows could come. */
  get joinedLsn(): number {
    return this.#joinedLsn;
  }

  /** A state has been taken over that has these ops in it. */
  join(lanes: readonly HeldLane[]): void {
    for (const lane of lanes) this.seen.join(lane);
    this.#isJoined = true;
  }

  /** The journal has been folded up to here. */
  noteFills(lsn: number): void {
    if (this.#isJoined) this.#joinedLsn = lsn;
    this.#isJoined = false;
    if (this.seen.fills === this.#fills) return;
    this.#fills = this.seen.fills;
    this.#filledLsn = lsn;
  }

  /** The lane of the op that the scan stands on. */
  laneOf(scan: OpScan): LaneOps {
    const { bytes, laneAt, class: opClass } = scan;
    const known = this.#lanes.find(bytes, laneAt, laneAt + LANE_BYTES);
    if (known !== undefined) return known;
    const origin = hexOf(bytes.subarray(laneAt, laneAt + ORIGIN_BYTES)) as Origin;
    const lane = this.seen.lane(laneOf(origin, opClass as OpClass));
    this.#lanes.add(bytes, laneAt, laneAt + LANE_BYTES, lane);
    return lane;
  }

  /** Takes note of the stamp that the scan stands on. */
  noteStampOf(scan: OpScan): void {
    const { bytes, hubAt } = scan;
    let stamp = this.#hubs.find(bytes, hubAt, hubAt + ORIGIN_BYTES);
    if (stamp === undefined) {
      stamp = this.#stampOf(hexOf(bytes.subarray(hubAt, hubAt + ORIGIN_BYTES)) as Origin);
      this.#hubs.add(bytes, hubAt, hubAt + ORIGIN_BYTES, stamp);
    }
    raise(stamp, scan.stampMs, scan.stampCounter);
  }

  noteStamp(hub: Origin, hlc: Hlc): void {
    raise(this.#stampOf(hub), hlc.ms, hlc.counter);
  }

  lastStamp(hub: Origin): Hlc | undefined {
    const stamp = this.#stamps.get(hub);
    return stamp === undefined ? undefined : { ms: stamp.ms, counter: stamp.counter };
  }

  /** Writes down what has changed. */
  save(db: SqliteFile): void {
    for (const { lane, upTo, beyond } of this.seen.takeChanges()) {
      db.run(PUT_LANE, [lane, upTo, encodeRanges(beyond)]);
    }
    for (const [hub, stamp] of this.#stamps) {
      if (!stamp.isChanged) continue;
      stamp.isChanged = false;
      db.run(PUT_HUB, [hub, encodeHlc(stamp)]);
    }
  }

  /** Reads what was written down. */
  load(db: SqliteFile): void {
    for (const row of db.rows('SELECT lane, up_to, beyond FROM lanes')) {
      const lane = row['lane'] as Lane;
      const beyond = decodeRanges(row['beyond'] as Uint8Array);
      this.seen.restore({ lane, upTo: row['up_to'] as number, beyond });
    }
    for (const row of db.rows('SELECT hub, hlc FROM hubs')) {
      const hlc = decodeHlc(row['hlc'] as Uint8Array) as Hlc;
      this.#stamps.set(row['hub'] as Origin, { ...hlc, isChanged: false });
    }
  }

  *items(): Generator<StateItem> {
    for (const { lane, upTo, beyond } of this.seen.all()) {
      yield { type: 'lane', lane, upTo, beyond };
    }
    for (const [hub, { ms, counter }] of this.#stamps) {
      yield { type: 'hub', hub, hlc: { ms, counter } };
    }
  }

  #stampOf(hub: Origin): HubStamp {
    let stamp = this.#stamps.get(hub);
    if (stamp === undefined) {
      stamp = { ms: 0, counter: 0, isChanged: false };
      this.#stamps.set(hub, stamp);
    }
    return stamp;
  }
}

function raise(stamp: HubStamp, ms: number, counter: number): void {
  if (ms < stamp.ms || (ms === stamp.ms && counter <= stamp.counter)) return;
  stamp.ms = ms;
  stamp.counter = counter;
  stamp.isChanged = true;
}
