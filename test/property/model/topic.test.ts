/** Laws of topic matching, against a second and slower reading of MQTT 3.1.1 §4.7. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { isTopicFilter, isTopicName, topicMatches } from '../../../src/model/topic.ts';

const anyLevel = fc.constantFrom('', 'a', 'b', 'ab', '$SYS', 'ü');
const anyTopic = fc
  .array(anyLevel, { minLength: 1, maxLength: 5 })
  .map((levels) => levels.join('/'))
  .filter((topic) => topic !== '');
const anyFilter = fc
  .tuple(
    fc.array(fc.oneof(anyLevel, fc.constant('+')), { minLength: 1, maxLength: 5 }),
    fc.boolean(),
  )
  .map(([levels, open]) => [...levels, ...(open ? ['#'] : [])].join('/'))
  .filter((filter) => filter !== '');

test('generated names and filters are valid', () => {
  fc.assert(fc.property(anyTopic, (topic) => isTopicName(topic) && isTopicFilter(topic)));
  fc.assert(fc.property(anyFilter, (filter) => isTopicFilter(filter)));
});

test('matching agrees with a regular expression made of the filter', () => {
  fc.assert(
    fc.property(anyFilter, anyTopic, (filter, topic) => {
      assert.equal(topicMatches(filter, topic), matchesByExpression(filter, topic));
    }),
    { numRuns: 3_000 },
  );
});

test('a name matches itself as a filter, and no other name', () => {
  fc.assert(
    fc.property(anyTopic, anyTopic, (a, b) => {
      assert.equal(topicMatches(a, b), a === b);
    }),
  );
});

test('a level turned into + still matches, and # behind any beginning matches all below it', () => {
  fc.assert(
    fc.property(anyTopic, fc.nat(), (topic, place) => {
      const levels = topic.split('/');
      const at = place % levels.length;
      const hidden = topic.startsWith('$') && at === 0;
      assert.equal(topicMatches(levels.with(at, '+').join('/'), topic), !hidden);
      assert.equal(topicMatches([...levels.slice(0, at), '#'].join('/'), topic), !hidden);
      assert.ok(topicMatches(`${topic}/#`, topic));
    }),
  );
});

function matchesByExpression(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false;
  if (filter === '#') return true;
  const open = filter.endsWith('/#');
  const fixed = (open ? filter.slice(0, -2) : filter)
    .split('/')
    .map((level) => (level === '+' ? '[^/]*' : level.replaceAll('$', String.raw`\$`)))
    .join('/');
  return new RegExp(`^${fixed}${open ? '(/.*)?' : ''}$`, 'u').test(topic);
}
