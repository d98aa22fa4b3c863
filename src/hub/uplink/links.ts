/** The link upstream of a running hub: the kernel's table as the config reads it, followed while the hub runs. */
import { messageOf } from '../../base/errors.ts';
import type { Ground } from '../ground.ts';
import type { Advice } from '../../power/govern/advice.ts';
import { LINK_COSTS, type LinkKind } from '../../power/govern/energy.ts';
import type { Pauses } from '../../uplink/session/attempts.ts';
import { LinkTracker } from '../../uplink/links/link-tracker.ts';
import type { WayKind } from '../../uplink/links/ways.ts';
import { DEFAULT_UPLINK_LIMITS } from '../../uplink/options.ts';

export interface HubLink {
  readonly kind: () => LinkKind;
  /** Undefined where no uplink is configured. */
  readonly tracker: LinkTracker | undefined;
}

export function openLink({ config, machine, closers }: Ground): HubLink {
  const { link, linkOf, url } = config.uplink;
  const override = link === 'auto' ? undefined : link;
  if (url === '') return { kind: () => override ?? 'ethernet', tracker: undefined };
  const kinds = linkOf.map((row) => row.split('=') as [string, WayKind]);
  const tracker = closers.add(
    new LinkTracker({
      links: machine.links,
      host: hostOf(url, machine.log),
      clock: machine.clock,
      log: machine.log,
      override,
      kindByDevice: new Map(kinds),
    }),
  );
  return { kind: () => tracker.view().kind, tracker };
}

/** Watts that attempts may take on average, soon after a failure and when failures go on. */
const FIRST_ATTEMPTS_WATTS = 12;
const LATER_ATTEMPTS_WATTS = 0.25;
/** And while alarms are born all the time. */
const ALARM_ATTEMPTS_WATTS = 2;

/** A failed attempt costs what a session costs: on a dear link, and with little energy, the pauses between them are longer. */
export function pausesOf(
  link: LinkKind,
  { probeIntervalS }: Pick<Advice, 'probeIntervalS'>,
): Pauses {
  const { pauseMsMin } = DEFAULT_UPLINK_LIMITS;
  const sessionMs = LINK_COSTS[link].sessionWh * 3_600_000;
  return {
    pauseMsMin: Math.max(pauseMsMin, sessionMs / FIRST_ATTEMPTS_WATTS),
    pauseMsUrgent: Math.max(pauseMsMin, sessionMs / ALARM_ATTEMPTS_WATTS),
    pauseMsMax: Math.max(1_000 * probeIntervalS, sessionMs / LATER_ATTEMPTS_WATTS),
  };
}

function hostOf(url: string, log: Ground['machine']['log']): string {
  try {
    return new URL(url).hostname;
  } catch (error) {
    // The config has checked it; what only our parser dislikes is looked up by the default route.
    log.warn('uplink.url.odd', { reason: messageOf(error) });
    return 'upstream.invalid';
  }
}
