/** The power brain's part of the config, in its own terms. */
import type { OpClass } from '../model/class.ts';
import type { LinkKind } from './govern/energy.ts';
import type { SolarSite } from './forecast/forecast.ts';
import type { Battery } from './estimate/state-of-charge.ts';
import {
  type Chemistry,
  type PowerThresholds,
  type ThresholdOverrides,
  thresholdsFor,
} from './govern/thresholds.ts';

export interface PowerConfig {
  readonly battery: Battery;
  readonly site: SolarSite;
  readonly thresholds: PowerThresholds;
  /** Instead of the defaults of class.ts. */
  readonly deadlinesMs?: Readonly<Record<OpClass, number>>;
  /** Bytes a month by link; a link that is absent has no quota. */
  readonly quotaBytes?: Readonly<Partial<Record<LinkKind, number>>>;
}

/** Section `[uplink.quota_mib]`: MiB a month. */
export type QuotaSection = Readonly<Partial<Record<LinkKind, number | undefined>>>;

const MIB = 1 << 20;

/** Section `[power]` as config/ reads it. */
export interface PowerSection {
  readonly chemistry: Chemistry;
  readonly nominalV: number;
  readonly capacityWh: number;
  readonly panelW: number;
  readonly baseLoadW: number;
  readonly latitude: number;
  readonly longitude: number;
  readonly thresholds?: ThresholdOverrides;
}

/** Throws `config.invalid` where the thresholds do not rise. */
export function powerConfigOf(section: PowerSection, quotaMib: QuotaSection = {}): PowerConfig {
  const { chemistry, nominalV, capacityWh, panelW, baseLoadW, latitude, longitude } = section;
  return {
    battery: { chemistry, nominalVolts: nominalV, capacityWh },
    site: { latitude, longitude, panelWatts: panelW, baseLoadWatts: baseLoadW },
    thresholds: thresholdsFor(chemistry, nominalV, section.thresholds),
    quotaBytes: Object.fromEntries(
      Object.entries(quotaMib).flatMap(([link, mib]) =>
        mib === undefined ? [] : [[link, mib * MIB]],
      ),
    ),
  };
}
