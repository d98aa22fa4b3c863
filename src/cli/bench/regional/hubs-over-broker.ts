/**
 * The hubs of the bench as the broker sees them: one session that greets for each of them, sends all chunks once the region
 * has greeted back, and counts receipts. What it costs is small: a batch of 20,000 ops is two or three chunks.
 */
import { HubError } from '../../../base/errors.ts';
import type { Random } from '../../../base/random.ts';
import type { BatchId } from '../../../batch/batch-id.ts';
import { chunkSpan, encodeChunk, layoutOf } from '../../../batch/wire/chunks.ts';
import { CHUNK_DATA_BYTES_MAX } from '../../../batch/limits.ts';
import { encodeHello, NONCE_BYTES, READABLE } from '../../../batch/wire/messages.ts';
import { parseReceipt } from '../../../batch/wire/receipt.ts';
import {
  chunkTopic,
  downstreamFilters,
  helloTopic,
  type HubAddress,
  parseDownstreamTopic,
} from '../../../batch/wire/topics.ts';
import { verifyEd25519 } from '../../../keys/identity.ts';
import type { Origin } from '../../../model/origin.ts';
import { machineTimers } from '../../../platform/clock.ts';
import type { MqttSession } from '../../../platform/network/mqtt-client.ts';
import { machineMqttClient } from '../../../platform/network/machine-mqtt-client.ts';
import { HOST } from '../contenders.ts';
import type { BenchHub } from './batches.ts';

interface HubsAtBroker {
  /** Resolves when every hub has been greeted. */
  greet(): Promise<void>;
  /** Sends everything, the batches of all hubs in turn; resolves with the ops of the receipts when each batch has one. */
  sendAll(): Promise<number>;
  close(): Promise<void>;
}

interface BenchBroker {
  readonly port: number;
  readonly site: string;
  readonly regionKey: Uint8Array;
  readonly random: Random;
}

/** Of a topic, counted from 0. */
const HUB_LEVEL = 3;
const GREET_MS_MAX = 60_000;
const CONNECT_MS_MAX = 10_000;
const KEEPALIVE_S = 60;

export async function hubsAtBroker(
  hubs: readonly BenchHub[],
  { port, site, regionKey, random }: BenchBroker,
): Promise<HubsAtBroker> {
  const ungreeted = new Set<Origin>(hubs.map(({ id }) => id));
  const unreceipted = new Set<BatchId>(hubs.flatMap(({ batches }) => batches.map(({ id }) => id)));
  const greeted = signal();
  const receipted = signal();
  let ops = 0;
  const onMessage = (topic: string, payload: Uint8Array): void => {
    const hub = topic.split('/')[HUB_LEVEL] as Origin;
    const parsed = parseDownstreamTopic({ site, hub }, topic);
    if (parsed?.kind === 'down-hello' && ungreeted.delete(hub) && ungreeted.size === 0) {
      greeted.resolve();
    }
    if (parsed?.kind !== 'receipt' || !unreceipted.has(parsed.batch)) return;
    const receipt = parseReceipt(payload, regionKey, verifyEd25519);
    if (receipt?.outcome !== 'stored') {
      return receipted.reject(new HubError('bench.broken', receipt?.reason ?? 'no receipt'));
    }
    unreceipted.delete(parsed.batch);
    ops += receipt.ops;
    if (unreceipted.size === 0) receipted.resolve();
  };
  const session = await machineMqttClient.connect(
    {
      url: `mqtt://${HOST}:${port}`,
      clientId: 'heliograph-bench',
      keepaliveS: KEEPALIVE_S,
      connectTimeoutMs: CONNECT_MS_MAX,
    },
    { onMessage, onClose: (why) => receipted.reject(new HubError('bench.broken', why)) },
  );
  const addressOf = ({ id }: BenchHub): HubAddress => ({ site, hub: id });
  await session.subscribe(hubs.flatMap((hub) => downstreamFilters(addressOf(hub))));
  return {
    greet: async () => {
      for (const hub of hubs) {
        const named = { site, nonce: random.bytes(NONCE_BYTES), software: 'bench' };
        const spooled = hub.batches.map(({ id }) => id);
        const hello = { ...named, ...READABLE, spooled };
        await session.publish(helloTopic(addressOf(hub)), encodeHello(hello, hub.signer), {
          qos: 1,
        });
      }
      const late = new HubError('bench.broken', 'the region does not greet');
      machineTimers.after(GREET_MS_MAX, () => greeted.reject(late));
      await greeted.promise;
    },
    sendAll: async () => {
      const rounds = Math.max(...hubs.map(({ batches }) => batches.length));
      for (let round = 0; round < rounds; round++) {
        for (const hub of hubs) await sendBatch(session, addressOf(hub), hub.batches[round]);
      }
      await receipted.promise;
      return ops;
    },
    close: () => session.close(),
  };
}

async function sendBatch(
  session: MqttSession,
  address: HubAddress,
  batch: BenchHub['batches'][number] | undefined,
): Promise<void> {
  if (batch === undefined) return;
  const layout = layoutOf(batch.bytes.length, CHUNK_DATA_BYTES_MAX);
  for (let index = 0; index < layout.total; index++) {
    const { from, to } = chunkSpan(layout, index);
    const message = encodeChunk(batch.bytes.subarray(from, to), layout, index);
    await session.publish(chunkTopic(address, batch.id, index), message, { qos: 1 });
  }
}

interface Signal {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: HubError) => void;
}

function signal(): Signal {
  let resolve: () => void = () => undefined;
  let reject: (error: HubError) => void = () => undefined;
  const promise = new Promise<void>((yes, no) => ([resolve, reject] = [yes, no]));
  // Nobody may be waiting when the session ends.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
