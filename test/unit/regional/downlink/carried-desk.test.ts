import assert from 'node:assert/strict';

import { test } from 'vitest';

import { utf8 } from '../../../../src/base/bytes.ts';
import { encodeChunk } from '../../../../src/batch/wire/chunks.ts';
import { encodeReceipt } from '../../../../src/batch/wire/receipt.ts';
import { chunkTopic } from '../../../../src/batch/wire/topics.ts';
import { verifyEd25519 } from '../../../../src/keys/identity.ts';
import { WorkQueue } from '../../../../src/regional/arriving/work-queue.ts';
import { CarriedDesk } from '../../../../src/regional/downlink/carried-desk.ts';
import type { Site } from '../../../../src/regional/site.ts';
import {
  batchOf,
  HUB_ID,
  REGION,
  SITE,
  stampedOps,
  START_MS,
} from '../../../support/made/batches.ts';

test('of a batch that another worker was quicker to take, the receipt goes back all the same', async () => {
  const { id, bytes, manifest } = await batchOf(stampedOps(1, 3));
  const { class: opClass, ranges, ops, root } = manifest;
  const named = { hub: HUB_ID, batch: id, outcome: 'stored', reason: undefined } as const;
  const told = { awaits: undefined, atMs: START_MS, quality: 'ntp' } as const;
  const receipt = encodeReceipt({ ...named, class: opClass, ranges, ops, root, ...told }, REGION);
  const site: Pick<Site, 'put' | 'take' | 'answerFor'> = {
    put: async () => ({ kind: 'kept', isComplete: true, evicted: [], isContradiction: false }),
    take: async () => ({ answer: undefined, freed: [] }),
    answerFor: async () => ({ kind: 'receipt', bytes: receipt }),
  };
  const desk = new CarriedDesk({
    siteNamed: async () => site as Site,
    siteOf: async () => site as Site,
    greetingFor: () => utf8(''),
    queue: new WorkQueue(1, assert.ifError),
    signer: REGION,
    verify: verifyEd25519,
  });
  const payload = encodeChunk(bytes, { total: 1, batchBytes: bytes.length }, 0);
  const topic = chunkTopic({ site: SITE, hub: HUB_ID }, id, 0);
  const { stored, answers } = await desk.take([{ topic, payload }]);
  assert.equal(stored, 1);
  assert.deepEqual(
    answers.map((answer) => answer.payload),
    [receipt],
  );
});
