/** Decides about the filters of a SUBSCRIBE: which are granted, and what its SUBACK says. */
import { isLongerThan } from '../../base/bytes.ts';
import type { RareLog } from '../../base/log.ts';
import { isTopicFilter, levelsOf, TOPIC_BYTES_MAX, TOPIC_LEVELS_MAX } from '../../model/topic.ts';
import type { Gatekeeper, Principal } from '../contract.ts';
import type { Adding, SessionRegistry } from '../sessions/session-registry.ts';
import type { WantedFilter } from '../sessions/session-records.ts';
import type { Session } from '../sessions/session.ts';
import { PacketError, SUBSCRIPTION_REFUSED } from '../wire/packets.ts';

/** So much of a malformed filter stands in the log. */
const SHOWN_LENGTH_MAX = 100;

interface SubscribingParts {
  readonly session: Session;
  readonly principal: Principal;
  readonly gatekeeper: Gatekeeper;
  readonly sessions: SessionRegistry;
  /** MQTT 3.1 has no way to refuse a subscription: it is granted in words and left out in deed. */
  readonly canRefuse: boolean;
  readonly rareLog: RareLog;
}

interface Grants {
  readonly granted: readonly WantedFilter[];
  /** One for each request, in order [MQTT-3.9.3-1]. */
  readonly codes: readonly number[];
}

/** Throws `PacketError` where a filter is malformed; what is only too long for us is refused by its code. */
export function grant(requests: readonly WantedFilter[], parts: SubscribingParts): Grants {
  const { session, canRefuse, rareLog } = parts;
  for (const { filter } of requests) expectFilter(filter);
  const granted: WantedFilter[] = [];
  const adding: Adding = { filters: new Set(), bytes: 0 };
  const codes = requests.map(({ filter, qos }) => {
    const reason = refusalOf(filter, adding, parts);
    if (reason === undefined) {
      granted.push({ filter, qos });
      return qos;
    }
    const shown = filter.slice(0, SHOWN_LENGTH_MAX);
    const { clientId } = session;
    rareLog.warn('broker.subscribe.refused', { clientId, filter: shown, reason });
    return canRefuse ? SUBSCRIPTION_REFUSED : qos;
  });
  return { granted, codes };
}

function refusalOf(filter: string, adding: Adding, parts: SubscribingParts): string | undefined {
  const { session, principal, gatekeeper, sessions } = parts;
  if (isLongerThan(filter, TOPIC_BYTES_MAX)) return `longer than ${TOPIC_BYTES_MAX} bytes`;
  if (filter.startsWith('$share/')) return 'shared subscriptions are not offered';
  if (!gatekeeper.mayRead(principal, filter)) return 'not allowed';
  return sessions.addIfRoom(session, filter, adding) ? undefined : 'too many subscriptions';
}

/** Throws `PacketError` where a filter of SUBSCRIBE or UNSUBSCRIBE is malformed, beyond being too long for us. */
export function expectFilter(filter: string): void {
  const isOnlyLong = isLongerThan(filter, TOPIC_BYTES_MAX) && levelsOf(filter) <= TOPIC_LEVELS_MAX;
  if (isOnlyLong || isTopicFilter(filter)) return;
  const shown = filter.slice(0, SHOWN_LENGTH_MAX);
  throw new PacketError(
    `not a topic filter of 1 to ${TOPIC_LEVELS_MAX} levels [MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.7.3-1]: ${shown}`,
  );
}
