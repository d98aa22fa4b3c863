/** Sync by stick on the hub: the carrier of its uplink, as the API asks it. */
import { batchIdOfText } from '../../batch/batch-id.ts';
import type { Config } from '../../config/schema.ts';
import type { HubPaths } from '../data/data.ts';
import type { HubPower, SiteTime } from '../power/power.ts';
import { batchSealer } from '../../keys/batch-seal.ts';
import { type Identity, verifyEd25519 } from '../../keys/identity.ts';
import type { Machine } from '../../machine.ts';
import type { BundleDoor } from '../../status/api/bundle.ts';
import { Carrier } from '../../uplink/carrier.ts';
import type { Uplink } from '../../uplink/uplink.ts';
import { PROGRAM_VERSION } from '../../versions.ts';

export interface CarrierParts {
  readonly config: Config;
  readonly machine: Machine;
  readonly paths: HubPaths;
  readonly identity: Identity;
  readonly uplink: Uplink;
  readonly power: HubPower;
  readonly time: SiteTime;
}

/** Of one answer, before base64. */
const PAGE_BYTES = 512 << 10;

export function bundleDoorOf(parts: CarrierParts): BundleDoor {
  const { config, machine, paths, identity, uplink, power, time } = parts;
  const { operatorKey, jurisdiction } = config.uplink;
  const { files, random, log } = machine;
  const carrier = new Carrier(
    {
      files,
      random,
      log,
      dir: paths.uplink,
      site: config.site,
      signer: identity,
      verify: verifyEd25519,
      sealer: operatorKey === '' ? undefined : batchSealer(operatorKey, random),
      jurisdiction: jurisdiction === '' ? undefined : jurisdiction,
      clock: time.clock,
      syncLog: power.syncLogWriter(),
      software: PROGRAM_VERSION,
    },
    uplink.carrierPort(),
  );
  return {
    handOut: (to) => carrier.handOut(to),
    messages: (batch, from) => {
      const id = batchIdOfText(batch);
      return id === undefined ? [] : carrier.messages(id, from, PAGE_BYTES);
    },
    carried: (name) => carrier.carried(name),
    take: (messages) => carrier.take(messages),
  };
}
