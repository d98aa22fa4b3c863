/** Law: the topic index and the retained store agree with the plain matcher of model/topic.ts, after any history. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import type { Qos } from '../../../src/broker/contract.ts';
import { type Message, TopicTable } from '../../../src/broker/topics/message.ts';
import { RetainedStore } from '../../../src/broker/topics/retained.ts';
import { TopicIndex } from '../../../src/broker/topics/topic-index.ts';
import { topicMatches } from '../../../src/model/topic.ts';

const level = fc.constantFrom('a', 'b', '', '$x', 'ä');
const topic = fc
  .array(level, { minLength: 1, maxLength: 4 })
  .map((levels) => levels.join('/'))
  .filter((name) => name !== '');
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 4 }), fc.boolean())
  .map(([levels, isOpen]) => [...levels, ...(isOpen ? ['#'] : [])].join('/'))
  .filter((text) => text !== '');
const qos = fc.constantFrom<Qos>(0, 1, 2);

const change = fc.record({
  add: fc.boolean(),
  filter,
  subscriber: fc.constantFrom('s1', 's2', 's3'),
  qos,
});

test('matches are those of the plain matcher, each subscriber once at its highest QoS', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), fc.array(topic), (changes, topics) => {
      const index = new TopicIndex<string>();
      const model = new Map<string, { filter: string; subscriber: string; qos: Qos }>();
      for (const step of changes) {
        const key = `${step.subscriber} ${step.filter}`;
        if (step.add) {
          assert.equal(index.subscribe(step.filter, step.subscriber, step.qos), !model.has(key));
          model.set(key, step);
        } else {
          assert.equal(index.unsubscribe(step.filter, step.subscriber), model.delete(key));
        }
        assert.equal(index.size, model.size);
        // Asked in between too, so that what is remembered must be forgotten at the next change.
        for (const name of topics) assert.deepEqual(found(index, name), expected(model, name));
      }
    }),
  );
});

function found(index: TopicIndex<string>, name: string): string[] {
  const matches = index.match(name);
  return matches.map(({ subscriber, qos: granted }) => `${subscriber} ${granted}`).toSorted();
}

function expected(
  model: ReadonlyMap<string, { filter: string; subscriber: string; qos: Qos }>,
  name: string,
): string[] {
  const best = new Map<string, number>();
  for (const { filter: text, subscriber, qos: granted } of model.values()) {
    if (!topicMatches(text, name)) continue;
    best.set(subscriber, Math.max(granted, best.get(subscriber) ?? 0));
  }
  return Array.from(best, ([subscriber, granted]) => `${subscriber} ${granted}`).toSorted();
}

test('an index that everyone has left is empty inside too', () => {
  fc.assert(
    fc.property(fc.uniqueArray(filter, { maxLength: 20 }), (filters) => {
      const index = new TopicIndex<string>();
      for (const text of filters) index.subscribe(text, 's', 1);
      for (const text of filters) assert.equal(index.unsubscribe(text, 's'), true);
      assert.equal(index.bytes, 0);
    }),
  );
});

const retainedStep = fc.record({ topic, payload: fc.constantFrom('', 'x', 'yy') });

test('retained messages are the last of each topic, and a filter finds its own', () => {
  fc.assert(
    fc.property(fc.array(retainedStep, { maxLength: 30 }), filter, (steps, wanted) => {
      const topics = new TopicTable(100);
      const store = new RetainedStore({ retainedMessagesMax: 100, retainedBytesMax: 1 << 20 });
      const model = new Map<string, string>();
      for (const step of steps) {
        store.set(messageOf(topics, step.topic, step.payload));
        if (step.payload === '') model.delete(step.topic);
        else model.set(step.topic, step.payload);
      }
      const names = store.match(wanted).map(({ message }) => message?.topic.name ?? '');
      const matching = [...model.keys()].filter((name) => topicMatches(wanted, name));
      assert.deepEqual(names.toSorted(), matching.toSorted());
      assert.equal(store.count, model.size);
      for (const name of model.keys()) store.set(messageOf(topics, name, ''));
      assert.deepEqual([store.count, store.bytes], [0, 0]);
    }),
  );
});

function messageOf(topics: TopicTable, name: string, payload: string): Message {
  return { topic: topics.named(name), payload, qos: 0, retain: true, lsn: 0 };
}
