/**
 * Who wants a topic: a tree of filter levels. Adding or removing a filter costs its own levels, whatever else is
 * subscribed. Answers for topics in use are remembered, within a budget, until any subscription changes.
 *
 * A subscriber whose filters overlap is found once, with the highest QoS among them [MQTT-3.3.5-1].
 */
import { isReservedTopic } from '../../model/topic.ts';
import type { Qos } from '../contract.ts';

export interface Match<S> {
  readonly subscriber: S;
  readonly qos: Qos;
}

/** Matches that are remembered, over all topics. */
const REMEMBERED_MATCHES_MAX = 65_536;

interface Level<S> {
  /** Next levels by their text; `+` among them. */
  readonly next: Map<string, Level<S>>;
  /** Subscribers of the filter that ends here. */
  readonly here: Map<S, Qos>;
  /** Subscribers of the filter that ends here with `/#`, which names this level itself too. */
  readonly below: Map<S, Qos>;
}

export class TopicIndex<S> {
  readonly #root: Level<S> = newLevel();
  readonly #matchesByTopic = new Map<string, readonly Match<S>[]>();
  #remembered = 0;
  #size = 0;

  /** Subscriptions: pairs of filter and subscriber. */
  get size(): number {
    return this.#size;
  }

  /** Levels of the tree, its root included: what its memory depends on. */
  get levels(): number {
    return countLevels(this.#root);
  }

  /** Adds or changes a subscription; true where it is new. The filter must be valid. */
  subscribe(filter: string, subscriber: S, qos: Qos): boolean {
    this.#forget();
    const levels = filter.split('/');
    const isBelow = levels.at(-1) === '#';
    let level = this.#root;
    for (const text of isBelow ? levels.slice(0, -1) : levels) {
      let next = level.next.get(text);
      if (next === undefined) {
        next = newLevel();
        level.next.set(text, next);
      }
      level = next;
    }
    const place = isBelow ? level.below : level.here;
    const isNew = !place.has(subscriber);
    place.set(subscriber, qos);
    if (isNew) this.#size += 1;
    return isNew;
  }

  /** Removes a subscription; false where there was none. */
  unsubscribe(filter: string, subscriber: S): boolean {
    const levels = filter.split('/');
    const isBelow = levels.at(-1) === '#';
    if (isBelow) levels.pop();
    const path: Level<S>[] = [this.#root];
    for (const text of levels) {
      const next = path.at(-1)?.next.get(text);
      if (next === undefined) return false;
      path.push(next);
    }
    const last = path.at(-1) as Level<S>;
    if (!(isBelow ? last.below : last.here).delete(subscriber)) return false;
    this.#forget();
    this.#size -= 1;
    for (let depth = levels.length; depth > 0 && isBare(path[depth] as Level<S>); depth--) {
      path[depth - 1]?.next.delete(levels[depth - 1] as string);
    }
    return true;
  }

  /** Everyone who wants `topic`, each once. */
  match(topic: string): readonly Match<S>[] {
    const known = this.#matchesByTopic.get(topic);
    if (known !== undefined) return known;
    const qosBySubscriber = new Map<S, Qos>();
    collect(this.#root, topic.split('/'), 0, qosBySubscriber);
    const matches = Array.from(qosBySubscriber, ([subscriber, qos]) => ({ subscriber, qos }));
    this.#remembered += 1 + matches.length;
    if (this.#remembered > REMEMBERED_MATCHES_MAX) {
      this.#forget();
      this.#remembered = 1 + matches.length;
    }
    this.#matchesByTopic.set(topic, matches);
    return matches;
  }

  #forget(): void {
    if (this.#remembered === 0) return;
    this.#matchesByTopic.clear();
    this.#remembered = 0;
  }
}

function newLevel<S>(): Level<S> {
  return { next: new Map(), here: new Map(), below: new Map() };
}

function countLevels<S>(level: Level<S>): number {
  let count = 1;
  for (const next of level.next.values()) count += countLevels(next);
  return count;
}

function isBare<S>(level: Level<S>): boolean {
  return level.next.size === 0 && level.here.size === 0 && level.below.size === 0;
}

function collect<S>(
  level: Level<S>,
  topic: readonly string[],
  depth: number,
  found: Map<S, Qos>,
): void {
  const wildcards = depth > 0 || !isReservedTopic(topic[0] ?? '');
  if (wildcards) add(level.below, found);
  if (depth === topic.length) {
    add(level.here, found);
    return;
  }
  const exact = level.next.get(topic[depth] as string);
  if (exact !== undefined) collect(exact, topic, depth + 1, found);
  const any = wildcards ? level.next.get('+') : undefined;
  if (any !== undefined) collect(any, topic, depth + 1, found);
}

function add<S>(subscribers: ReadonlyMap<S, Qos>, found: Map<S, Qos>): void {
  for (const [subscriber, qos] of subscribers) {
    const other = found.get(subscriber);
    if (other === undefined || other < qos) found.set(subscriber, qos);
  }
}
