/** What is remembered of topics has a limit in bytes as well: a flood of long ones must not cost what one of short ones does many times over. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { TopicTable } from '../../../../src/broker/topics/message.ts';
import { TopicIndex } from '../../../../src/broker/topics/topic-index.ts';

const longTopic = (number: number): string => `${number}/${'x'.repeat(1000)}`;
const shortTopic = (number: number): string => `s/${number}`;

/** How many topics can be found after each other before the first one is forgotten; at most `countMax`. */
function rememberedOf(
  find: (topic: string) => object | undefined,
  topic: (number: number) => string,
  countMax: number,
): number {
  const first = find(topic(0));
  for (let number = 1; number < countMax; number++) {
    find(topic(number));
    if (number % 250 === 0 && find(topic(0)) !== first) return number;
  }
  return countMax;
}

/** Finds topics in an index of its own, where one subscriber wants them all. */
function findInIndex(): (topic: string) => object {
  const index = new TopicIndex<string>();
  index.subscribe('#', 'everyone', 0);
  return (topic) => index.match(topic);
}

function findInTable(): (topic: string) => object | undefined {
  const table = new TopicTable(2000);
  return (topic) => table.ofBytes(topic);
}

test('answers for topics', () => {
  assert.equal(rememberedOf(findInIndex(), shortTopic, 30_000), 30_000);
  const long = rememberedOf(findInIndex(), longTopic, 30_000);
  assert.ok(long >= 1000 && long <= 5000, `${long}`);
});

test('topics themselves', () => {
  assert.equal(rememberedOf(findInTable(), shortTopic, 2000), 2000);
  const long = rememberedOf(findInTable(), longTopic, 2000);
  assert.ok(long >= 250 && long <= 750, `${long}`);
});
