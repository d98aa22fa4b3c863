/**
 * Who wants a topic: a tree of filter levels. Adding or removing a filter costs its own levels, whatever else is
 * subscribed. Answers for topics in use are remembered, within a budget, until any subscription changes.
 *
 * A subscriber whose filters overlap is found once, with the highest QoS among them [MQTT-3.3.5-1].
 */
import { isReservedTopic, levelsOf } from '../../model/topic.ts';
import type { Qos } from '../contract.ts';

export interface Match<S> {
  readonly subscriber: S;
  readonly qos: Qos;
}

/** Matches that are remembered, over all topics; a long topic counts as some more of them. */
const REMEMBERED_MATCHES_MAX = 65_536;
const LENGTH_OF_A_MATCH = 64;

/** About what a level of the tree costs, and an entry in it. */
const LEVEL_BYTES = 256;
const ENTRY_BYTES = 128;

/** Most levels have one of the three: the others are not made. */
interface Level<S> {
  /** Next levels by their text; `+` among them. */
  next: Map<string, Level<S>> | undefined;
  /** Subscribers of the filter that ends here. */
  here: Map<S, Qos> | undefined;
  /** Subscribers of the filter that ends here with `/#`, which names this level itself too. */
  below: Map<S, Qos> | undefined;
}

/** The most that a subscription to `filter` can cost: nothing of it is in the tree yet. */
export function subscriptionBytesMax(filter: string): number {
  return ENTRY_BYTES + filter.length + levelsOf(filter) * LEVEL_BYTES;
}

export class TopicIndex<S> {
  readonly #root: Level<S> = newLevel();
  readonly #matchesByTopic = new Map<string, readonly Match<S>[]>();
  #remembered = 0;
  #size = 0;
  #bytes = 0;

  /** Subscriptions: pairs of filter and subscriber. */
  get size(): number {
    return this.#size;
  }

  /** About what the subscriptions cost: the levels of the tree, its entries, the texts of filters. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds or changes a subscription; true where it is new. The filter must be valid. */
  subscribe(filter: string, subscriber: S, qos: Qos): boolean {
    this.#forget();
    const levels = filter.split('/');
    const isBelow = levels.at(-1) === '#';
    let level = this.#root;
    for (const text of isBelow ? levels.slice(0, -1) : levels) {
      level.next ??= new Map();
      let next = level.next.get(text);
      if (next === undefined) {
        next = newLevel();
        level.next.set(text, next);
        this.#bytes += LEVEL_BYTES;
      }
      level = next;
    }
    const place = isBelow ? (level.below ??= new Map()) : (level.here ??= new Map());
    const isNew = !place.has(subscriber);
    place.set(subscriber, qos);
    if (!isNew) return false;
    this.#size += 1;
    this.#bytes += ENTRY_BYTES + filter.length;
    return true;
  }

  /** Removes a subscription; false where there was none. */
  unsubscribe(filter: string, subscriber: S): boolean {
    const levels = filter.split('/');
    const isBelow = levels.at(-1) === '#';
    if (isBelow) levels.pop();
    const path: Level<S>[] = [this.#root];
    for (const text of levels) {
      const next = path.at(-1)?.next?.get(text);
      if (next === undefined) return false;
      path.push(next);
    }
    const last = path.at(-1) as Level<S>;
    if ((isBelow ? last.below : last.here)?.delete(subscriber) !== true) return false;
    this.#forget();
    this.#size -= 1;
    this.#bytes -= ENTRY_BYTES + filter.length;
    for (let depth = levels.length; depth > 0 && isBare(path[depth] as Level<S>); depth--) {
      path[depth - 1]?.next?.delete(levels[depth - 1] as string);
      this.#bytes -= LEVEL_BYTES;
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
    const cost = 1 + matches.length + Math.floor(topic.length / LENGTH_OF_A_MATCH);
    this.#remembered += cost;
    if (this.#remembered > REMEMBERED_MATCHES_MAX) {
      this.#forget();
      this.#remembered = cost;
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
  return { next: undefined, here: undefined, below: undefined };
}

function isBare<S>({ next, here, below }: Level<S>): boolean {
  return (next?.size ?? 0) + (here?.size ?? 0) + (below?.size ?? 0) === 0;
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
  const exact = level.next?.get(topic[depth] as string);
  if (exact !== undefined) collect(exact, topic, depth + 1, found);
  const any = wildcards ? level.next?.get('+') : undefined;
  if (any !== undefined) collect(any, topic, depth + 1, found);
}

function add<S>(subscribers: ReadonlyMap<S, Qos> | undefined, found: Map<S, Qos>): void {
  if (subscribers === undefined) return;
  for (const [subscriber, qos] of subscribers) {
    const other = found.get(subscriber);
    if (other === undefined || other < qos) found.set(subscriber, qos);
  }
}
