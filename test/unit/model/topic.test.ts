import assert from 'node:assert/strict';
import { test } from 'vitest';

import {
  isTopicFilter,
  isTopicName,
  TOPIC_BYTES_MAX,
  topicMatches,
} from '../../../src/model/topic.ts';

test('the examples of MQTT 3.1.1 §4.7', () => {
  const matching = [
    ['sport/tennis/player1/#', 'sport/tennis/player1'],
    ['sport/tennis/player1/#', 'sport/tennis/player1/ranking'],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon'],
    ['sport/#', 'sport'],
    ['#', 'sport/tennis'],
    ['sport/tennis/+', 'sport/tennis/player1'],
    ['sport/+', 'sport/'],
    ['+/+', '/finance'],
    ['/+', '/finance'],
    ['$SYS/#', '$SYS/monitor/Clients'],
    ['$SYS/monitor/+', '$SYS/monitor/Clients'],
  ] as const;
  for (const [filter, topic] of matching) assert.ok(topicMatches(filter, topic), filter);
  const parted = [
    ['sport/tennis/+', 'sport/tennis/player1/ranking'],
    ['sport/+', 'sport'],
    ['+', '/finance'],
    ['#', '$SYS/monitor'],
    ['+/monitor/Clients', '$SYS/monitor/Clients'],
    ['ACCOUNTS', 'Accounts'],
  ] as const;
  for (const [filter, topic] of parted) assert.ok(!topicMatches(filter, topic), filter);
});

test('filters with a wildcard inside a level, or # before the end, are refused', () => {
  for (const filter of [
    'sport/tennis#',
    'sport/tennis/#/ranking',
    'sport+',
    'a+',
    'a#',
    '##',
    '',
  ]) {
    assert.ok(!isTopicFilter(filter), filter);
  }
  for (const filter of ['#', '+', '+/tennis/#', 'sport/+/player1', '/', '//']) {
    assert.ok(isTopicFilter(filter), filter);
  }
});

test('names with wildcards or U+0000 are refused', () => {
  for (const name of ['a/+', '#', 'a\u0000b', '']) assert.ok(!isTopicName(name), name);
  assert.ok(isTopicName('sensors/ü/1'));
});

test('the limits count bytes and levels', () => {
  assert.ok(isTopicName('a'.repeat(TOPIC_BYTES_MAX)));
  assert.ok(isTopicName('ü'.repeat(TOPIC_BYTES_MAX / 2)));
  assert.ok(!isTopicName('a'.repeat(TOPIC_BYTES_MAX + 1)));
  assert.ok(!isTopicName(`${'ü'.repeat(TOPIC_BYTES_MAX / 2)}a`));
  assert.ok(isTopicName('/'.repeat(200)));
  assert.ok(!isTopicName('/'.repeat(201)));
});
