/**
 * Retained messages: the last one of each topic, in a tree of levels, so that a filter finds its own without
 * looking at the rest. Bounded in number and bytes; what does not fit is not retained, and the caller counts it.
 */
import { isReservedTopic } from '../../model/topic.ts';
import { type Message, messageBytes } from './message.ts';

interface Level {
  readonly next: Map<string, Level>;
  slot: RetainedSlot | undefined;
}

/** Place of one topic: what it holds changes with each retained publish, undefined once it was cleared. */
export interface RetainedSlot {
  message: Message | undefined;
}

interface RetainedLimits {
  readonly retainedMessagesMax: number;
  readonly retainedBytesMax: number;
}

export class RetainedStore {
  readonly #limits: RetainedLimits;
  readonly #root: Level = { next: new Map(), slot: undefined };
  #count = 0;
  #bytes = 0;

  constructor(limits: RetainedLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps the message as its topic's last; false where the store is full. An empty payload clears the topic. */
  set(message: Message): boolean {
    const levels = message.topic.name.split('/');
    if (message.payload.length === 0) {
      this.#clear(levels);
      return true;
    }
    const old = this.#find(levels)?.slot?.message;
    const bytes = this.#bytes + messageBytes(message) - (old === undefined ? 0 : messageBytes(old));
    const count = this.#count + (old === undefined ? 1 : 0);
    if (count > this.#limits.retainedMessagesMax || bytes > this.#limits.retainedBytesMax) {
      return false;
    }
    let level = this.#root;
    for (const text of levels) {
      let next = level.next.get(text);
      if (next === undefined) {
        next = { next: new Map(), slot: undefined };
        level.next.set(text, next);
      }
      level = next;
    }
    level.slot ??= { message };
    level.slot.message = message;
    this.#count = count;
    this.#bytes = bytes;
    return true;
  }

  /** What the topic holds. */
  get(topic: string): Message | undefined {
    return this.#find(topic.split('/'))?.slot?.message;
  }

  /** All that is retained. */
  messages(): Message[] {
    const found: RetainedSlot[] = [];
    collectAll(this.#root, false, found);
    return found.map(({ message }) => message as Message);
  }

  /** The slots of all topics that the filter names, each holding a message now. */
  match(filter: string): RetainedSlot[] {
    const found: RetainedSlot[] = [];
    collect(this.#root, filter.split('/'), 0, found);
    return found;
  }

  #find(levels: readonly string[]): Level | undefined {
    let level: Level | undefined = this.#root;
    for (const text of levels) level = level?.next.get(text);
    return level;
  }

  #clear(levels: readonly string[]): void {
    const path: Level[] = [this.#root];
    for (const text of levels) {
      const next = path.at(-1)?.next.get(text);
      if (next === undefined) return;
      path.push(next);
    }
    const last = path.at(-1) as Level;
    const message = last.slot?.message;
    if (last.slot === undefined || message === undefined) return;
    last.slot.message = undefined;
    last.slot = undefined;
    this.#count -= 1;
    this.#bytes -= messageBytes(message);
    for (let depth = levels.length; depth > 0; depth--) {
      const level = path[depth] as Level;
      if (level.slot !== undefined || level.next.size > 0) return;
      path[depth - 1]?.next.delete(levels[depth - 1] as string);
    }
  }
}

function collect(
  level: Level,
  filter: readonly string[],
  depth: number,
  found: RetainedSlot[],
): void {
  const want = filter[depth];
  if (want === undefined) {
    if (level.slot !== undefined) found.push(level.slot);
  } else if (want === '#') {
    collectAll(level, depth === 0, found);
  } else if (want === '+') {
    for (const [text, next] of level.next) {
      if (depth > 0 || !isReservedTopic(text)) collect(next, filter, depth + 1, found);
    }
  } else {
    const next = level.next.get(want);
    if (next !== undefined) collect(next, filter, depth + 1, found);
  }
}

/** The level and all below it; at the root without what stands apart. */
function collectAll(level: Level, isRoot: boolean, found: RetainedSlot[]): void {
  if (level.slot !== undefined) found.push(level.slot);
  for (const [text, next] of level.next) {
    if (!isRoot || !isReservedTopic(text)) collectAll(next, false, found);
  }
}
