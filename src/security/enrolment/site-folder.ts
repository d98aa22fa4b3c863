/**
 * Where the credentials of mode `enrolled` lie, below `enrol/` of the data directory (all mode 0600):
 *
 *   authority.pub           the authority's public key, hex: what this node trusts
 *   ca.pem                  the site's certificate: what devices get as `--cafile`
 *   roster.cbor             the roster
 *   authority.pem, ca.key   keys of the authority, on its node alone
 *   hub.key, hub.crt        this hub's own certificate
 *   tokens.json, used.json  tokens that wait for their device (tokens.ts)
 */
import { textOf } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import type { Verify } from '../../codec/cose.ts';
import type { Files } from '../../platform/files/files.ts';
import { anchorOf, decodeRoster, type Roster } from './roster.ts';

export type SitePaths = Readonly<ReturnType<typeof sitePaths>>;

export function sitePaths(dataDir: string) {
  const dir = `${dataDir}/enrol`;
  return {
    dir,
    anchor: `${dir}/authority.pub`,
    ca: `${dir}/ca.pem`,
    roster: `${dir}/roster.cbor`,
    authorityKey: `${dir}/authority.pem`,
    caKey: `${dir}/ca.key`,
    hubKey: `${dir}/hub.key`,
    hubCertificate: `${dir}/hub.crt`,
    tokens: `${dir}/tokens.json`,
    usedTokens: `${dir}/used.json`,
  };
}

export type SiteFiles = Pick<Files, 'read' | 'replace' | 'makeDir' | 'lockDir' | 'remove'>;

/** The roster in force; undefined where the node belongs to no site yet. Throws `enrol.untrusted`. */
export function readRosterFile(
  files: Pick<Files, 'read'>,
  paths: SitePaths,
  verify: Verify,
): Roster | undefined {
  const anchor = anchorOf(files.read(paths.anchor), paths.anchor);
  const bytes = files.read(paths.roster);
  return anchor === undefined || bytes === undefined
    ? undefined
    : decodeRoster(bytes, anchor, verify);
}

/** A PEM file of the folder; throws `keys.damaged` where it is not there or not a text. */
export function readPem(files: Pick<Files, 'read'>, path: string): string {
  const text = textOf(files.read(path) ?? new Uint8Array(0));
  if (text === undefined || text === '') {
    throw new HubError('keys.damaged', `${path} is not there or not a text`);
  }
  return text;
}

type Installed = 'installed' | 'known';

/** Takes a roster that came from elsewhere, where it is newer than ours; throws `enrol.untrusted`. */
export function installRoster(
  files: SiteFiles,
  paths: SitePaths,
  bytes: Uint8Array,
  verify: Verify,
): Installed {
  const anchor = anchorOf(files.read(paths.anchor), paths.anchor);
  if (anchor === undefined) {
    throw new HubError(
      'enrol.untrusted',
      'this hub has not been enrolled: whose roster would that be?',
    );
  }
  const offered = decodeRoster(bytes, anchor, verify);
  const known = readRosterFile(files, paths, verify);
  if (known !== undefined && known.epoch >= offered.epoch) return 'known';
  files.replace(paths.roster, bytes);
  return 'installed';
}
