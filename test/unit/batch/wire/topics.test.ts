import assert from 'node:assert/strict';

import { test } from 'vitest';

import type { BatchId } from '../../../../src/batch/batch-id.ts';
import { CHUNKS_MAX } from '../../../../src/batch/limits.ts';
import {
  BRIEF_FILTER,
  briefTopic,
  chunkTopic,
  downHelloTopic,
  downstreamFilters,
  haveTopic,
  helloTopic,
  isSiteName,
  parseDownstreamTopic,
  parseUpstreamTopic,
  receiptTopic,
  resumedTopic,
  resumeTopic,
  shortChunkTopic,
  UPSTREAM_FILTERS,
} from '../../../../src/batch/wire/topics.ts';
import { topicMatches } from '../../../../src/model/topic.ts';
import { HUB_ID, SITE } from '../../../support/made/batches.ts';

const BATCH = '0123456789abcdef0123456789abcdef' as BatchId;
const ADDRESS = { site: SITE, hub: HUB_ID };

test('names say what they carry, and the filters match them', () => {
  const chunk = chunkTopic(ADDRESS, BATCH, 12);
  assert.equal(chunk, `heliograph/v1/demo/${HUB_ID}/up/${BATCH}/12`);
  assert.deepEqual(parseUpstreamTopic(chunk), {
    kind: 'chunk',
    address: ADDRESS,
    batch: BATCH,
    index: 12,
  });
  assert.deepEqual(parseUpstreamTopic(helloTopic(ADDRESS)), { kind: 'hello', address: ADDRESS });
  const [short, resume] = [shortChunkTopic(ADDRESS), resumeTopic(ADDRESS)];
  assert.deepEqual(parseUpstreamTopic(short), { kind: 'short-chunk', address: ADDRESS });
  assert.deepEqual(parseUpstreamTopic(resume), { kind: 'resume', address: ADDRESS });
  for (const topic of [chunk, helloTopic(ADDRESS), short, resume]) {
    assert.ok(UPSTREAM_FILTERS.some((filter) => topicMatches(filter, topic)));
  }
  const brief = briefTopic(HUB_ID);
  assert.deepEqual(parseUpstreamTopic(brief), { kind: 'brief-chunk', name: HUB_ID.slice(0, 8) });
  assert.ok(topicMatches(BRIEF_FILTER, brief));
  const down: [string, ReturnType<typeof parseDownstreamTopic>][] = [
    [downHelloTopic(ADDRESS), { kind: 'down-hello' }],
    [haveTopic(ADDRESS, BATCH), { kind: 'have', batch: BATCH }],
    [receiptTopic(ADDRESS, BATCH), { kind: 'receipt', batch: BATCH }],
    [resumedTopic(ADDRESS), { kind: 'resumed' }],
  ];
  for (const [topic, parsed] of down) {
    assert.deepEqual(parseDownstreamTopic(ADDRESS, topic), parsed);
    assert.ok(downstreamFilters(ADDRESS).some((filter) => topicMatches(filter, topic)));
  }
});

test('anything else is none of ours', () => {
  for (const topic of [
    '',
    'heliograph/v1',
    'hg/0123456',
    'hg/0123456G',
    'hg/01234567/c',
    `heliograph/v2/demo/${HUB_ID}/hello`,
    `heliograph/v1/../${HUB_ID}/hello`,
    `heliograph/v1/demo/ABCDEF0123456789/hello`,
    `heliograph/v1/demo/${HUB_ID}/hello/x`,
    `heliograph/v1/demo/${HUB_ID}/up/${BATCH}`,
    `heliograph/v1/demo/${HUB_ID}/up/${BATCH}/01`,
    `heliograph/v1/demo/${HUB_ID}/up/${BATCH}/-1`,
    `heliograph/v1/demo/${HUB_ID}/up/${BATCH}/${CHUNKS_MAX}`,
    `heliograph/v1/demo/${HUB_ID}/up/${BATCH}/1/2`,
    `heliograph/v1/demo/${HUB_ID}/up/../1`,
  ]) {
    assert.equal(parseUpstreamTopic(topic), undefined, topic);
    assert.equal(parseDownstreamTopic(ADDRESS, topic), undefined, topic);
  }
});

test('a site name is safe as a topic level and as a folder', () => {
  for (const good of ['demo', 'Kaleya-7', 'a.b_c', 'x'.repeat(64)]) assert.ok(isSiteName(good));
  for (const bad of ['', '.', '..', '.x', 'a/b', 'a+b', 'a#', 'ä', 'a b', 'x'.repeat(65)]) {
    assert.equal(isSiteName(bad), false, bad);
  }
});
