/** `heliograph enrol import|join`: this node becomes a hub of a site that has its authority elsewhere. */
import { createPublicKey, X509Certificate } from 'node:crypto';

import { hexOf, utf8 } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import { authorityParts } from '../../hub/enrol.ts';
import { makeKey, pemOfKey } from '../../security/enrolment/certificate.ts';
import type { Credentials } from '../../security/enrolment/desk.ts';
import { anchorOf, decodeRoster } from '../../security/enrolment/roster.ts';
import { installRoster, readRosterFile, sitePaths } from '../../security/enrolment/site-folder.ts';
import { type Args, UsageError } from '../args.ts';
import { writableConfigOf } from '../config-options.ts';
import { HubApi } from '../asking/hub-api.ts';
import type { CliIo } from '../io.ts';
import { decodeHubFile, type HubFile, hubNames } from './hub-file.ts';
import { decodeLink, fingerprintOfCa } from './link.ts';

/** A hub's file, or a newer roster of the site it belongs to. */
export function importFile(args: Args, io: CliIo): void {
  const { data } = writableConfigOf(args, io);
  const path = args.operand(0);
  const bytes = io.files.read(path);
  if (bytes === undefined) throw new UsageError(`${path} is not there`);
  const hub = decodeHubFile(bytes);
  if (hub === undefined) {
    const outcome = installRoster(
      io.files,
      sitePaths(data),
      bytes,
      authorityParts(data, io).verify,
    );
    io.stderr(outcome === 'known' ? 'This roster is no newer than ours.\n' : 'Took the roster.\n');
    return;
  }
  takeOver(data, hub, io);
}

/** Makes a key here, shows the token of the link to the authority's hub, and keeps what it answers. */
export async function joinSite(args: Args, io: CliIo): Promise<void> {
  const { data } = writableConfigOf(args, io);
  const link = decodeLink(args.operand(0));
  const at = args.text('at') ?? link.at;
  if (at === '') throw new UsageError('the link does not say where: give --at http://HUB:8080');
  checkUnbound(data, io);
  const key = makeKey(io.random);
  const names = hubNames(args, link.name);
  const publicKey = publicPemOf(key);
  const { name, token } = link;
  const answer = await redeemed(new HubApi(at, args, io), { name, token, publicKey, names });
  const { ca, certificate, authority, roster } = answer;
  if (certificate === undefined || authority === undefined || roster === undefined) {
    throw new HubError('enrol.refused', 'the token is not for a hub (`enrol token NAME --hub`)');
  }
  if (fingerprintOfCa(ca) !== link.ca) {
    throw new HubError('enrol.untrusted', `${at} answers for another site than the link says`);
  }
  const rosterBytes = new Uint8Array(Buffer.from(roster, 'base64'));
  takeOver(data, { authority, ca, certificate, roster: rosterBytes, key: pemOfKey(key) }, io);
}

/** What a token gives; throws `HubError`, for one that is not taken `enrol.refused`. */
async function redeemed(api: HubApi, request: object): Promise<Credentials> {
  try {
    return (await api.post('/api/v1/enrol', request)) as Credentials;
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== 'hub.refused') throw error;
    throw new HubError('enrol.refused', error.message, error);
  }
}

/** Writes the files of a hub that belongs to a site; the anchor last, with which it is one. */
function takeOver(data: string, hub: HubFile, io: CliIo): void {
  const paths = checkUnbound(data, io);
  const { verify } = authorityParts(data, io);
  const anchor = anchorOf(utf8(hub.authority), 'authority') as Uint8Array;
  const roster = decodeRoster(hub.roster, anchor, verify);
  if (hexOf(roster.ca) !== hexOf(new Uint8Array(new X509Certificate(hub.ca).raw))) {
    throw new HubError(
      'enrol.untrusted',
      'the certificate in the file is not the one of the roster',
    );
  }
  io.files.makeDir(paths.dir);
  for (const path of [paths.authorityKey, paths.caKey]) io.files.remove(path);
  io.files.replace(paths.ca, utf8(hub.ca));
  io.files.replace(paths.hubKey, utf8(hub.key));
  io.files.replace(paths.hubCertificate, utf8(hub.certificate));
  io.files.replace(paths.roster, hub.roster);
  io.files.replace(paths.anchor, utf8(`${hub.authority}\n`));
  io.stderr(
    `This hub belongs to site ${roster.site} now, with ${roster.memberByName.size} members. Restart it.\n`,
  );
}

/** Throws where this node is the authority of others, who would be left without one. */
function checkUnbound(data: string, io: CliIo): ReturnType<typeof sitePaths> {
  const { paths, verify } = authorityParts(data, io);
  const others = [...(readRosterFile(io.files, paths, verify)?.memberByName.values() ?? [])];
  const isAuthority = io.files.read(paths.caKey) !== undefined;
  if (isAuthority && others.some(({ kind }) => kind === 'device')) {
    throw new HubError('enrol.exists', `${paths.dir} is the authority of ${others.length} members`);
  }
  return paths;
}

function publicPemOf(key: ReturnType<typeof makeKey>): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
}
