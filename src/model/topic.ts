/** Topic names and filters of MQTT 3.1.1 §4.7, strict: what the standard forbids is refused. */
import { isLongerThan } from '../base/bytes.ts';

export const TOPIC_BYTES_MAX = 1024;
/** As many as Mosquitto takes. */
export const TOPIC_LEVELS_MAX = 201;

/** True for a name one may publish to: 1 … TOPIC_BYTES_MAX bytes, no wildcard, no U+0000 [MQTT-4.7.3-1, -2]. */
export function isTopicName(topic: string): boolean {
  return isTopicText(topic) && !topic.includes('+') && !topic.includes('#');
}

/** True for a filter one may subscribe to: wildcards fill whole levels, `#` stands last [MQTT-4.7.1-2, -3]. */
export function isTopicFilter(filter: string): boolean {
  if (!isTopicText(filter)) return false;
  const levels = filter.split('/');
  return levels.every((level, index) => {
    if (level === '#') return index === levels.length - 1;
    return level === '+' || (!level.includes('+') && !level.includes('#'));
  });
}

function isTopicText(text: string): boolean {
  if (text === '' || isLongerThan(text, TOPIC_BYTES_MAX) || text.includes('\u0000')) return false;
  return levelsOf(text) <= TOPIC_LEVELS_MAX;
}

/** How many levels a topic or filter has. */
export function levelsOf(text: string): number {
  let levels = 1;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) === 0x2f) levels += 1;
  return levels;
}

/**
 * True where the broker itself speaks and clients only listen: `$…` and `hub/…`. Wildcards at the front do not match these: the
 * standard says so of `$…` [MQTT-4.7.2-1], and who listens to a whole site (`#`, `+/+`) means its devices. Takes a topic or
 * its first level.
 */
export function isReservedTopic(topic: string): boolean {
  return topic.startsWith('$') || topic === 'hub' || topic.startsWith('hub/');
}

/** True for topics that no message between clients has: the broker's own and the protocol's (`sync/…`). */
export function isSystemTopic(topic: string): boolean {
  return isReservedTopic(topic) || topic === 'sync' || topic.startsWith('sync/');
}

/** True where `topic` is one of those that `filter` names. */
export function topicMatches(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  const first = wanted[0];
  if ((first === '+' || first === '#') && isReservedTopic(topic)) return false;
  for (const [index, want] of wanted.entries()) {
    if (want === '#') return true;
    if (index >= levels.length) return false;
    if (want !== '+' && want !== levels[index]) return false;
  }
  return wanted.length === levels.length;
}
