/** The checker of promise 1 on running programs: acknowledged ⊆ present, here and upstream. */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';

import { type Digest, eventually, getJson, readingsOf, uplinked } from './api.ts';
import type { RunningHub } from './hub.ts';
import type { Publisher } from './publisher.ts';

/** Fails where a message that the publisher saw acknowledged is not in the hub's store. */
export async function assertNothingLost(
  hub: Pick<RunningHub, 'httpUrl'>,
  publisher: Publisher,
): Promise<void> {
  await getJson<Digest>(`${hub.httpUrl}api/v1/digest`); // Answers when everything durable is folded.
  const topics = new Set(publisher.acknowledged.map(({ topic }) => topic));
  for (const topic of topics) {
    const kept = await readingsOf(hub.httpUrl, topic);
    const acknowledged = publisher.acknowledged.filter((message) => message.topic === topic);
    const lost = acknowledged.filter(({ payload }) => !kept.has(payload));
    assert.deepEqual(lost, [], `${lost.length} of ${acknowledged.length} acknowledged are lost`);
  }
}

/** Waits until the region has everything; fails where hub and region still differ after `withinMs`. */
export async function assertSameUpstream(
  hub: Pick<RunningHub, 'httpUrl'>,
  region: Pick<RunningHub, 'httpUrl'>,
  withinMs?: number,
): Promise<void> {
  await uplinked(hub.httpUrl, withinMs);
  // The backlog is counted a little behind the journal: what came last may not be in it yet.
  await eventually(
    async () => ({
      here: await getJson<Digest>(`${hub.httpUrl}api/v1/digest`),
      there: await getJson<Digest>(`${region.httpUrl}api/v1/digest?site=demo`),
    }),
    ({ here, there }) => isDeepStrictEqual(here, there),
    withinMs,
  );
}
