/**
 * `heliograph enrol …`: members of mode `enrolled`, in files that a running hub follows within a second. They work on
 * the data directory of the site's authority, be that a hub's or one on the operator's own machine; the first
 * command makes the authority where there is none.
 */
import { hexOf, utf8 } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import type { Config } from '../../config/schema.ts';
import { hubPaths } from '../../hub/data/data.ts';
import { authorityParts } from '../../hub/enrol.ts';
import { checkEnrolment } from '../../hub/data/folders.ts';
import { hashPassword, makePassword } from '../../security/passwords.ts';
import { Authority } from '../../security/enrolment/authority.ts';
import { isLoopback } from '../../security/listening.ts';
import {
  fingerprintOf,
  makeKey,
  type MemberKind,
  pemOfKey,
  publicKeyOf,
} from '../../security/enrolment/certificate.ts';
import { readPem, readRosterFile, sitePaths } from '../../security/enrolment/site-folder.ts';
import { makeToken } from '../../security/enrolment/tokens.ts';
import { type Args, UsageError } from '../args.ts';
import { configOf, writableConfigOf } from '../config-options.ts';
import { runtimeOf } from '../asking/hub-api.ts';
import type { CliIo } from '../io.ts';
import { print } from '../print.ts';
import { columns } from '../text.ts';
import { nameOperand, roleOf } from '../user.ts';
import { encodeHubFile, hubNames } from './hub-file.ts';
import { encodeLink, fingerprintOfCa } from './link.ts';

const MINUTES = 30;
const MINUTES_MAX = 7 * 24 * 60;

/** `enrol token NAME`: a device fetches its own credentials with it. */
export async function enrolToken(args: Args, io: CliIo): Promise<void> {
  const name = nameOperand(args);
  const { config, authority, paths } = await authorityOf(args, io);
  const minutes = args.number('minutes', 1, MINUTES_MAX) ?? MINUTES;
  const kind: MemberKind = args.has('hub') ? 'hub' : 'device';
  const role = roleOf(args.text('role') ?? 'device');
  const replaces = args.has('replace');
  if (!replaces && authority.roster().memberByName.has(name))
    throw new HubError('enrol.exists', `${name} is enrolled already`);
  const wanted = { name, kind, role, minutes, replaces };
  const secret = await makeToken(wanted, paths, io);
  const at = args.text('at') ?? runtimeOf(config.data, io)?.http ?? '';
  warnAboutAddress(at, io);
  const link = encodeLink({
    name,
    token: secret,
    at,
    ca: fingerprintOfCa(readPem(io.files, paths.ca)),
  });
  print(args, io, { name, kind, role, token: secret, minutes, link }, () => [secret]);
  if (args.has('json')) return;
  if (!args.has('no-qr') && io.isTty) {
    const { renderUnicodeCompact } = await import('uqr');
    io.stdout(`\n${renderUnicodeCompact(link)}\n\n`);
  }
  io.stderr(`For ${role} ${name}: once, within ${minutes} minutes. ${link}\n`);
  warnAboutMode(config, io);
}

/** A link that leads a device to itself, or nowhere, fails on site and says nothing of why. */
function warnAboutAddress(at: string, io: CliIo): void {
  const host = URL.canParse(at) ? new URL(at).hostname : '';
  if (host !== '' && host !== '0.0.0.0' && host !== '[::]' && !isLoopback(host)) return;
  const where = host === '' ? 'no address' : `${at}, where no other machine finds this hub`;
  io.stderr(
    `The link names ${where}. Name one that does: --at http://192.0.2.7:8080/ ` +
      '(and http.host, if the hub listens on loopback alone).\n',
  );
}

/** `enrol device NAME`: credentials made here, as files or as a password. */
export async function enrolDevice(args: Args, io: CliIo): Promise<void> {
  const name = nameOperand(args);
  const role = roleOf(args.text('role') ?? 'device');
  const { config, authority, paths } = await authorityOf(args, io);
  const member = { name, kind: 'device', role } as const;
  const options = { replaces: args.has('replace') };
  if (args.has('password')) {
    const password = makePassword(io.random);
    await authority.add({ ...member, password: await hashPassword(password, io.random) }, options);
    print(args, io, { name, role, password }, () => [password]);
    io.stderr(`Enrolled ${role} ${name}. The password is shown this once and kept nowhere.\n`);
    warnAboutMode(config, io);
    return;
  }
  const given = givenKey(args, io);
  const key = given ?? makeKey(io.random);
  const added = await authority.add({ ...member, key: fingerprintOf(key) }, options);
  const dir = args.text('out')?.replace(/(?<=.)\/+$/, '') ?? '.';
  const files = {
    certificate: `${dir}/${name}.crt`,
    ca: `${dir}/${name}.ca.pem`,
    ...(given === undefined ? { key: `${dir}/${name}.key` } : {}),
  };
  io.files.makeDir(dir);
  if (files.key !== undefined) io.files.replace(files.key, utf8(pemOfKey(key)));
  io.files.replace(files.certificate, utf8(authority.certify(added, key)));
  io.files.replace(files.ca, utf8(readPem(io.files, paths.ca)));
  print(args, io, { name, role, files }, () => Object.values(files));
  io.stderr(
    `Enrolled ${role} ${name}. Bring the files to the device${given ? '' : ', and remove them here'}.\n`,
  );
  warnAboutMode(config, io);
}

/** `enrol hub NAME`: a file for another hub of the site. */
export async function enrolHub(args: Args, io: CliIo): Promise<void> {
  const name = nameOperand(args);
  const { config, authority, paths } = await authorityOf(args, io);
  const key = makeKey(io.random);
  const names = hubNames(args, name);
  const member = await authority.add(
    { name, kind: 'hub', role: 'device', key: fingerprintOf(key) },
    { replaces: args.has('replace') },
  );
  const path = args.text('out') ?? `${name}.enrol`;
  const bytes = encodeHubFile({
    authority: hexOf(authority.roster().authority),
    ca: readPem(io.files, paths.ca),
    roster: io.files.read(paths.roster) as Uint8Array,
    certificate: authority.certify(member, key, names),
    key: pemOfKey(key),
  });
  io.files.replace(path, bytes);
  print(args, io, { name, file: path, names }, () => [path]);
  io.stderr(`Enrolled hub ${name}. On that hub: heliograph enrol import ${path}\n`);
  warnAboutMode(config, io);
}

export async function revokeMember(args: Args, io: CliIo): Promise<void> {
  const { authority } = await authorityOf(args, io);
  const epoch = await authority.revoke(args.operand(0));
  if (args.has('json')) io.stdout(`${JSON.stringify({ revoked: args.operand(0), epoch })}\n`);
  else
    io.stderr(
      `Revoked ${args.operand(0)}. A running hub ends its connections within two seconds.\n`,
    );
}

export function listMembers(args: Args, io: CliIo): void {
  const { data } = configOf(args, io);
  const parts = authorityParts(data, io);
  const roster = readRosterFile(io.files, sitePaths(data), parts.verify);
  const members = [...(roster?.memberByName.values() ?? [])].map((member) => ({
    name: member.name,
    kind: member.kind,
    role: member.role,
    since: member.since,
    credential: member.key === undefined ? 'password' : 'certificate',
  }));
  const rows = members.map(({ name, kind, role, since, credential }) => [
    name,
    kind,
    role,
    `since epoch ${since}`,
    credential,
  ]);
  const document = { site: roster?.site ?? null, epoch: roster?.epoch ?? 0, members };
  print(args, io, document, () => columns(rows));
}

interface AuthorityHere {
  readonly config: Config;
  readonly authority: Authority;
  readonly paths: ReturnType<typeof sitePaths>;
}

async function authorityOf(args: Args, io: CliIo): Promise<AuthorityHere> {
  const config = writableConfigOf(args, io);
  io.files.makeDir(config.data);
  const parts = authorityParts(config.data, io);
  if (!args.has('new-site')) checkEnrolment(hubPaths(config.data), parts.paths.anchor, io.files);
  return { config, authority: await Authority.openOrMake(parts, config.site), paths: parts.paths };
}

function givenKey(args: Args, io: CliIo): ReturnType<typeof publicKeyOf> {
  const path = args.text('public-key');
  if (path === undefined) return undefined;
  const key = publicKeyOf(readPem(io.files, path));
  if (key === undefined)
    throw new UsageError(`--public-key: ${path} is no P-256 key in PEM (SPKI)`);
  return key;
}

function warnAboutMode({ security }: Config, io: CliIo): void {
  if (security.mode === 'enrolled') return;
  io.stderr(`It counts in mode enrolled only; security.mode is "${security.mode}" here.\n`);
}
