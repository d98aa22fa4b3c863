/**
 * Who may come in, by `security.mode`: everyone on this machine, the users of the data directory, or the members of
 * the site; and how we log in at other brokers.
 */
import { textOf } from '../base/bytes.ts';
import { HubError } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import type { Machine } from '../machine.ts';
import type { VenusLogin } from '../power/sources/venus-mqtt.ts';
import type { Access } from '../security/access.ts';
import { Acl, type Grant } from '../security/acl.ts';
import { OPEN_GATEKEEPER, PasswordGatekeeper } from '../security/gatekeeper.ts';
import { checkListening, isLoopback, type ListeningPlace } from '../security/listening.ts';
import { readSecret } from '../security/secrets.ts';
import { UserDirectory } from '../security/users.ts';
import type { LoginOptions } from '../status/http/login.ts';

/**
 * Throws `listen.refused` where mode `open` would let the network in at one of `places` without saying so.
 * `grants` come beside those of the config.
 */
export async function openAccess(
  config: Config,
  machine: Machine,
  places: readonly ListeningPlace[],
  grants: readonly Grant[] = [],
): Promise<Access> {
  const { security, grant } = config;
  checkListening(security, places);
  const { files, timers, log, clock, random } = machine;
  if (security.mode === 'open') {
    const open = places.filter(({ host }) => !isLoopback(host)).map(({ key }) => key);
    if (open.length > 0) log.warn('security.open-lan', { listens: open, anyone: 'may do all' });
    return {
      gatekeeper: OPEN_GATEKEEPER,
      asksForUser: false,
      rosterEpoch: () => 0,
      close: () => undefined,
    };
  }
  const acl = new Acl([...grant, ...grants]);
  if (security.mode === 'enrolled') {
    const { openEnrolledAccess } = await import('./enrol.ts');
    return openEnrolledAccess(config, machine, acl);
  }
  const users = UserDirectory.open({ files, dataDir: config.data, timers, log });
  if (users.size === 0) log.warn('security.no-users', { next: 'heliograph user add NAME' });
  const gatekeeper = new PasswordGatekeeper({ users, acl, clock, random, log });
  return { gatekeeper, asksForUser: true, rosterEpoch: () => 0, close: () => users.close() };
}

/** How HTTP on `host` lets people in. */
export function loginOptions(access: Access, host: string): LoginOptions {
  if (access.asksForUser) return { auth: access.gatekeeper };
  return isLoopback(host) ? { acceptsHost: isLoopback } : {};
}

interface BrokerLogin {
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  readonly ca?: Uint8Array;
}

/** The keys of such a section. */
type BrokerSection = Pick<Config['uplink'], 'url' | 'username' | 'passwordFile' | 'caFile'>;

/** How to log in at the broker of a section of the config; throws `config.invalid` where a file of it is missing. */
export function brokerLogin(
  section: 'uplink' | 'regional' | 'peer' | 'power.venus',
  { url, username, passwordFile, caFile }: BrokerSection,
  { files, env }: Pick<Machine, 'files' | 'env'>,
): BrokerLogin {
  const key = `${section}.password_file`;
  const credential = `${section.slice(section.lastIndexOf('.') + 1)}-password`;
  const password = readSecret({ files, env, file: passwordFile, credential, key });
  const ca = caFile === '' ? undefined : files.read(caFile);
  if (caFile !== '' && ca === undefined) {
    throw new HubError('config.invalid', `${section}.ca_file: ${caFile} is not there`);
  }
  if (ca !== undefined && textOf(ca)?.includes('-----BEGIN CERTIFICATE-----') !== true) {
    throw new HubError(
      'config.invalid',
      `${section}.ca_file: ${caFile} holds no certificate (PEM)`,
    );
  }
  return {
    url,
    ...(username === '' ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(ca === undefined ? {} : { ca }),
  };
}

/** How to log in at a Venus OS device; throws as `brokerLogin`. */
export function venusLogin(
  { venus }: Pick<Config['power'], 'venus'>,
  machine: Pick<Machine, 'files' | 'env'>,
): VenusLogin {
  const { url: _url, ...login } = brokerLogin('power.venus', { url: '', ...venus }, machine);
  return login;
}
