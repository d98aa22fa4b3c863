/**
 * Who may publish and read what, in mode `password`: defaults by role, widened by `[[grant]]` of the config.
 * Patterns are topic filters with %u (user name) and %c (client id).
 *
 * Above all grants stand the topics of the protocol: `sync/<device>/…` belongs to that device alone, in
 * `hub/…` only the hub speaks, and nobody publishes to `$…`.
 *
 * A subscription is allowed where one pattern covers all of its filter. So a wildcard never shows more than
 * what was granted, and a refusal is visible at once (SUBACK 0x80) instead of silence later. As `$…` for the
 * standard, `sync/…` is not matched by a wildcard at the front of a pattern: whoever delivers asks again
 * with the topic.
 */
import type { Role } from '../model/op.ts';
import { isReservedTopic } from '../model/topic.ts';

export interface Principal {
  /** User name in mode `password`, client id in mode `open`. */
  readonly name: string;
  readonly role: Role;
  readonly clientId: string;
}

export interface Grant {
  /** Exactly one of both says whom it is for; the other is empty. */
  readonly user: string;
  readonly role: Role | '';
  readonly publish: readonly string[];
  readonly read: readonly string[];
}

interface Patterns {
  readonly publish: readonly string[];
  readonly read: readonly string[];
}

const OWN = ['devices/%u/#', 'sync/%u/#'];

/** Devices see themselves and the hub; people see all, and act on devices or on everything. */
const ROLE_PATTERNS: Readonly<Record<Role, Patterns>> = {
  device: { publish: OWN, read: [...OWN, 'hub/#'] },
  technician: { publish: [...OWN, 'devices/#'], read: [...OWN, '#', '$SYS/#'] },
  supervisor: { publish: [...OWN, '#'], read: [...OWN, '#', '$SYS/#'] },
  operator: { publish: [...OWN, '#'], read: [...OWN, '#', '$SYS/#'] },
};

export class Acl {
  readonly #grants: readonly Grant[];

  constructor(grants: readonly Grant[]) {
    this.#grants = grants;
  }

  mayPublish(who: Principal, topic: string): boolean {
    if (!isOpenToPublishers(who, topic)) return false;
    return this.#patternsOf(who, 'publish').some((pattern) => coversFor(who, pattern, topic));
  }

  /** `filter` is a topic to be delivered or a filter to be subscribed to. */
  mayRead(who: Principal, filter: string): boolean {
    if (!isOpenToReaders(who, filter)) return false;
    return this.#patternsOf(who, 'read').some((pattern) => coversFor(who, pattern, filter));
  }

  #patternsOf(who: Principal, action: keyof Patterns): readonly string[] {
    const granted = this.#grants
      .filter((grant) => grant.user === who.name || grant.role === who.role)
      .flatMap((grant) => grant[action]);
    return [...ROLE_PATTERNS[who.role][action], ...granted];
  }
}

/** What the protocol forbids whatever was granted. */
export function isOpenToPublishers(who: Principal, topic: string): boolean {
  if (isReservedTopic(topic)) return false;
  return isOpenToReaders(who, topic);
}

export function isOpenToReaders(who: Principal, filter: string): boolean {
  const [first, device] = filter.split('/', 2);
  return first !== 'sync' || (device === who.name && isLevel(who.name));
}

function coversFor(who: Principal, pattern: string, filter: string): boolean {
  if (pattern.includes('%u') && !isLevel(who.name)) return false;
  if (pattern.includes('%c') && !isLevel(who.clientId)) return false;
  return covers(
    pattern.replaceAll('%u', () => who.name).replaceAll('%c', () => who.clientId),
    filter,
  );
}

/** A client may choose its id: one with separators or wildcards must not widen a pattern. */
function isLevel(name: string): boolean {
  return name !== '' && !/[+#/%]/.test(name);
}

/** True where every topic that `filter` names is one that `pattern` names. */
export function covers(pattern: string, filter: string): boolean {
  const wanted = pattern.split('/');
  const levels = filter.split('/');
  if (filter.startsWith('$') && wanted[0] !== levels[0]) return false;
  for (const [index, want] of wanted.entries()) {
    if (want === '#') return true;
    const level = levels[index];
    if (level === undefined || level === '#') return false;
    if (want !== '+' && want !== level) return false;
  }
  return wanted.length === levels.length;
}
