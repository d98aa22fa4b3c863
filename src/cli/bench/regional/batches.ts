/** What hubs would send: signed and encrypted batches of meter readings, made before the clock runs. */
import { turn } from '../../../base/clock.ts';
import { HubError } from '../../../base/errors.ts';
import type { Random } from '../../../base/random.ts';
import { threadedCompressor } from '../../../batch/compression.ts';
import { DEFAULT_SEAL_LIMITS } from '../../../batch/limits.ts';
import type { TreeHead } from '../../../batch/manifest.ts';
import type { PayloadSealer } from '../../../batch/payload-seal.ts';
import { BatchBuilder, type SealContext, type SealedBatch } from '../../../batch/seal-batch.ts';
import { Identity } from '../../../keys/identity.ts';
import { TreeHasher } from '../../../ledger/tree-hasher.ts';
import { TELEMETRY } from '../../../model/class.ts';
import { AUTHORITY, encodeOp, EVENT, type Op, type StampedOp } from '../../../model/op.ts';
import type { Origin } from '../../../model/origin.ts';
import { machineTimers } from '../../../platform/clock.ts';
import { type MeterPublish, meterDay, METERS } from '../uplink/meters.ts';

export interface BenchHub {
  readonly id: Origin;
  readonly signer: Identity;
  readonly batches: readonly SealedBatch[];
}

const SEED_BYTES = 32;

/** Each hub with `opsPerHub` readings, in batches as a hub with a ledger seals them. */
export async function benchHubs(
  site: string,
  { hubs, opsPerHub }: { readonly hubs: number; readonly opsPerHub: number },
  sealer: PayloadSealer,
  random: Random,
): Promise<BenchHub[]> {
  const day = meterDay(Math.ceil(opsPerHub / METERS)).slice(0, opsPerHub);
  const made: BenchHub[] = [];
  for (let hub = 0; hub < hubs; hub++) {
    const identity = Identity.fromSeed(random.bytes(SEED_BYTES));
    const batches = await sealed(site, identity, sealer, day);
    made.push({ id: identity.id, signer: identity, batches });
  }
  return made;
}

async function sealed(
  site: string,
  signer: Identity,
  sealer: PayloadSealer,
  day: readonly MeterPublish[],
): Promise<SealedBatch[]> {
  const history = new TreeHasher();
  const batches: SealedBatch[] = [];
  let builder = new BatchBuilder(TELEMETRY, DEFAULT_SEAL_LIMITS, 'columns');
  let fromLsn = 1;
  const seal = async (throughLsn: number): Promise<void> => {
    const tree = { size: history.size, root: history.root() };
    const place = { site, previous: batches.at(-1)?.id, fromLsn, throughLsn };
    const context: SealContext & { readonly tree: TreeHead } = {
      ...place,
      createdMs: day[throughLsn - 1]?.atMs ?? 0,
      quality: 'ntp',
      tree,
    };
    const tools = {
      signer,
      sealer,
      compressor: threadedCompressor,
      pause: () => turn(machineTimers),
    };
    batches.push(await builder.seal(context, tools));
    builder = new BatchBuilder(TELEMETRY, DEFAULT_SEAL_LIMITS, 'columns');
    fromLsn = throughLsn + 1;
  };
  for (const [index, publish] of day.entries()) {
    const stamped = opOf(signer.id, index + 1, publish);
    if (builder.add(stamped) === 'full') {
      await seal(index);
      if (builder.add(stamped) !== 'added')
        throw new HubError('bench.broken', 'an op fits no batch');
    }
    history.add(stamped.bytes);
  }
  await seal(day.length);
  return batches;
}

function opOf(hub: Origin, seq: number, { atMs, topic, payload }: MeterPublish): StampedOp {
  const hlc = { ms: atMs, counter: 0 };
  const op: Op = {
    origin: hub,
    class: TELEMETRY,
    seq,
    hlc,
    clock: { quality: 'ntp', bootId: 7, monotonicMs: seq },
    kind: EVENT,
    key: `${hub}/${topic}`,
    body: payload,
  };
  return {
    bytes: encodeOp(op),
    op,
    stamp: { hub, hlc, authority: AUTHORITY.device, rosterEpoch: 0 },
  };
}
