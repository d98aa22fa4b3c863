/** What the regional node's API asks of whoever sends down, and what its wishes have in common. */
import type { JsonValue } from '../../codec/json.ts';
import type { Role } from '../../model/op.ts';
import { jsonAnswer } from '../http/answers.ts';
import { problem } from '../http/problem.ts';

export interface SendWish {
  readonly site: string;
  readonly key: string;
  /** Fields to set, counters to raise; neither: the record is removed. */
  readonly set?: Readonly<Record<string, JsonValue>>;
  readonly add?: Readonly<Record<string, number>>;
  readonly role: Role;
}

interface Delivery {
  /** Ids of the hubs that have said that they have it, and of the others. */
  readonly has: readonly string[];
  readonly waits: readonly string[];
}

export interface SendDoor {
  /** The op that was made of it, or why not. */
  send(wish: SendWish): Promise<{ readonly op: string } | { readonly refused: string }>;
  /** Sends a roster down, which hubs verify. */
  sendRoster(
    site: string,
    roster: Uint8Array,
  ): Promise<{ readonly op: string } | { readonly refused: string }>;
  /** Undefined where no such site or op can be. */
  delivery(site: string, op: string): Promise<Delivery | undefined>;
  /** By the node's clock. */
  wallMs(): number;
}

/** The answer to a wish: the op that was made of it, and who has it. */
export async function sent(
  door: SendDoor,
  outcome: Awaited<ReturnType<SendDoor['send']>>,
  site: string,
): Promise<Response> {
  if ('refused' in outcome) return problem(409, `${outcome.refused}.`);
  const delivery = await door.delivery(site, outcome.op);
  return jsonAnswer({ op: outcome.op, site, ...delivery });
}

/** The id of a hub, or `all` of the site. */
export function isHubOrAll(hub: JsonValue): hub is string {
  return typeof hub === 'string' && /^(all|[0-9a-f]{16})$/.test(hub);
}

export function isObject(
  value: JsonValue | undefined,
): value is { readonly [key: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
