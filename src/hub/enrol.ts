/**
 * Mode `enrolled` and the site's own certificates, joined: the roster as it stands, the desk where tokens become
 * credentials, and the certificate by which this hub answers to TLS. Loaded only where one of them is needed.
 */
import { createPublicKey, X509Certificate } from 'node:crypto';

import { textOf, utf8 } from '../base/bytes.ts';
import { HubError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Broker } from '../broker/broker.ts';
import type { Config } from '../config/schema.ts';
import { hubPaths } from './data/data.ts';
import { checkEnrolment, noteFolder } from './data/folders.ts';
import { Identity, verifyEd25519 } from '../keys/identity.ts';
import type { Machine } from '../machine.ts';
import type { Access } from '../security/access.ts';
import type { Acl } from '../security/acl.ts';
import { Authority, type AuthorityParts } from '../security/enrolment/authority.ts';
import {
  fingerprintOf,
  makeKey,
  pemOfKey,
  privateKeyOf,
} from '../security/enrolment/certificate.ts';
import { type Credentials, enrolRequestOf, EnrolmentDesk } from '../security/enrolment/desk.ts';
import { EnrolledGatekeeper } from '../security/enrolment/enrolled-gatekeeper.ts';
import { Members } from '../security/enrolment/members.ts';
import { readPem, sitePaths } from '../security/enrolment/site-folder.ts';
import { TokenDesk } from '../security/enrolment/tokens.ts';
import { PasswordGatekeeper } from '../security/gatekeeper.ts';
import { LoginLimit } from '../security/login-limit.ts';

/** What enrolment needs of the machine; the commands have no more than that. */
export type EnrolMachine = Pick<Machine, 'files' | 'random' | 'timers'>;

export function authorityParts(dataDir: string, machine: EnrolMachine): AuthorityParts {
  const { files, random, timers } = machine;
  return {
    files,
    random,
    timers,
    paths: sitePaths(dataDir),
    verify: verifyEd25519,
    openSigner: (path) => {
      const signer = Identity.open({ files, path, random });
      return { publicKey: signer.publicKey, sign: (message) => signer.sign(message) };
    },
  };
}

/**
 * The authority's parts of a node that belongs to a site, which one that has never done so makes for itself. Throws
 * `enrol.lost` where it has.
 */
async function sitedParts({ data, site }: Config, machine: Machine): Promise<AuthorityParts> {
  const parts = authorityParts(data, machine);
  const { anchor } = parts.paths;
  const here = hubPaths(data);
  checkEnrolment(here, anchor, machine.files);
  if (machine.files.read(anchor) === undefined) await Authority.openOrMake(parts, site);
  noteFolder(here, 'enrol', machine);
  return parts;
}

/** The access of mode `enrolled`. A node that belongs to no site yet becomes the authority of its own. */
export async function openEnrolledAccess(
  config: Config,
  machine: Machine,
  acl: Acl,
): Promise<Access> {
  const { files, timers, log, clock, random } = machine;
  const parts = await sitedParts(config, machine);
  const { paths, verify } = parts;
  const members = Members.open({ files, paths, timers, verify, log });
  if (members.size === 0) log.warn('security.no-members', { next: 'heliograph enrol token NAME' });
  const users = {
    get: (name: string) => members.user(name),
    get revision() {
      return members.revision;
    },
  };
  const desk = openDesk(parts, members, machine);
  const gatekeeper = new EnrolledGatekeeper({
    members,
    acl,
    clock,
    log,
    passwords: new PasswordGatekeeper({ users, acl, clock, random, log }),
    isToken: (name, token, remote) => desk?.isToken(name, token, remote) === true,
  });
  return {
    gatekeeper,
    asksForUser: true,
    rosterEpoch: () => members.epoch,
    members,
    ...(desk === undefined ? {} : { desk }),
    close: () => members.close(),
  };
}

/** Only the authority can give credentials. */
function openDesk(
  parts: AuthorityParts,
  members: Members,
  { files, clock, log, random }: Machine,
): EnrolmentDesk | undefined {
  if (!Authority.isHere(parts)) return undefined;
  return new EnrolmentDesk({
    tokens: new TokenDesk({ files, paths: parts.paths, clock, log }),
    authority: Authority.open(parts),
    ca: readPem(files, parts.paths.ca),
    limit: new LoginLimit(clock),
    random,
    log,
    changed: () => {
      members.refresh();
      return members.bytes;
    },
  });
}

const ENROL_FILTER = 'sync/+/enrol';
const REQUEST_BYTES_MAX = 8 * 1024;

/** `sync/<device>/enrol` → `sync/<device>/enrolled`: a token becomes credentials over MQTT. */
export function serveEnrolment(broker: Broker, desk: EnrolmentDesk, log: Log): void {
  const tell = async (name: string, request: Uint8Array): Promise<void> => {
    const said = await answer(desk, name, request);
    if ('error' in said) log.warn('security.enrolment-refused', { name, reason: said.error });
    broker.publish(`sync/${name}/enrolled`, utf8(JSON.stringify(said)));
  };
  broker.onMessage(ENROL_FILTER, ({ topic, payload }) => {
    const name = topic.split('/')[1] as string;
    const request = payload.slice(0, REQUEST_BYTES_MAX + 1);
    void tell(name, request);
  });
}

async function answer(
  desk: EnrolmentDesk,
  name: string,
  payload: Uint8Array,
): Promise<Credentials | { readonly error: string }> {
  try {
    if (payload.length > REQUEST_BYTES_MAX) throw new HubError('enrol.malformed', 'too long');
    return await desk.enrol(enrolRequestOf(jsonOf(payload), name), `mqtt ${name}`);
  } catch (error) {
    if (error instanceof HubError) return { error: `${error.code}: ${error.message}` };
    throw error;
  }
}

function jsonOf(payload: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(payload) ?? '') as unknown;
  } catch {
    return undefined;
  }
}

export interface TlsCredentials {
  readonly cert: Uint8Array;
  readonly key: Uint8Array;
  /** Clients are asked for a certificate of this authority. */
  readonly clientCa?: Uint8Array;
}

/** What the hub shows at `broker.tls_port`: the files of the config, or a certificate of the site's own authority. */
export async function tlsCredentials(
  config: Config,
  machine: Machine,
  hubId: string,
): Promise<TlsCredentials> {
  const { tlsCertFile, tlsKeyFile } = config.broker;
  const parts = authorityParts(config.data, machine);
  const isEnrolled = config.security.mode === 'enrolled';
  const shown =
    tlsCertFile === ''
      ? await ownCertificate(config, machine, hubId)
      : {
          cert: fileOf(tlsCertFile, 'broker.tls_cert_file', machine),
          key: fileOf(tlsKeyFile, 'broker.tls_key_file', machine),
        };
  return isEnrolled ? { ...shown, clientCa: utf8(readPem(machine.files, parts.paths.ca)) } : shown;
}

/** Read from `enrol/`, or made where this node is the authority: also anew, where the machine has got new names. */
export async function ownCertificate(
  config: Config,
  machine: Machine,
  hubId: string,
): Promise<TlsCredentials> {
  const { files } = machine;
  const parts = await sitedParts(config, machine);
  const { hubCertificate, hubKey, ca } = parts.paths;
  if (Authority.isHere(parts)) {
    const names = [...new Set([...config.broker.tlsNames, ...machine.host.names()])];
    const isKept = files.read(hubCertificate) !== undefined;
    if (!isKept || !answersTo(readPem(files, hubCertificate), names)) {
      await certifyHub(parts, names, machine, hubId);
    }
  }
  if (files.read(hubCertificate) === undefined) {
    throw new HubError('enrol.no-authority', `${hubCertificate} is not there`);
  }
  const chain = `${readPem(files, hubCertificate)}\n${readPem(files, ca)}`;
  return { cert: utf8(chain), key: utf8(readPem(files, hubKey)) };
}

/** The authority's own member, with the key that it has: a crash may have left it without a certificate. */
async function certifyHub(
  parts: AuthorityParts,
  names: readonly string[],
  { files, random, log }: Machine,
  hubId: string,
): Promise<void> {
  const { hubCertificate, hubKey } = parts.paths;
  const authority = Authority.open(parts);
  const key =
    files.read(hubKey) === undefined
      ? makeKey(random)
      : privateKeyOf(readPem(files, hubKey), hubKey);
  files.replace(hubKey, utf8(pemOfKey(key)));
  const publicKey = createPublicKey(key);
  const name = `hub-${hubId.slice(0, 8)}`;
  const member =
    authority.roster().memberByName.get(name) ??
    (await authority.add(
      { name, kind: 'hub', role: 'device', key: fingerprintOf(publicKey) },
      { replaces: false },
    ));
  files.replace(hubCertificate, utf8(authority.certify(member, publicKey, names)));
  log.info('security.hub-certificate', { name, names: names.length });
}

function answersTo(pem: string, names: readonly string[]): boolean {
  const certificate = new X509Certificate(pem);
  return names.every((name) => {
    const isAddress = name.includes(':') || /^[\d.]+$/.test(name);
    return (isAddress ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined;
  });
}

function fileOf(path: string, key: string, machine: Machine): Uint8Array {
  const bytes = machine.files.read(path);
  if (bytes === undefined) throw new HubError('config.invalid', `${key}: ${path} is not there`);
  return bytes;
}
