/**
 * Hubs of one site, joined: lines to other brokers and to those who dial ours, what power allows between them, and who
 * counts as a hub at all (sync/peers/PEERS.md §1). Loaded only where peers are enabled.
 */
import { X509Certificate } from 'node:crypto';

import { utf8 } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import type { Config } from '../../config/schema.ts';
import type { InternalMessage, Principal } from '../../broker/contract.ts';
import { brokerLogin } from '../access.ts';
import { discoverPeers } from './discovery.ts';
import { authorityParts, ownCertificate } from '../enrol.ts';
import type { Followers } from '../followers.ts';
import type { Ground } from '../ground.ts';
import type { Serving } from '../serving.ts';
import { verifyEd25519 } from '../../keys/identity.ts';
import {
  ALARM,
  BULK,
  COMMAND,
  type OpClass,
  PREVIEW,
  RECORD,
  TELEMETRY,
} from '../../model/class.ts';
import type { MqttSessionOptions } from '../../platform/network/mqtt-client.ts';
import type { Advice } from '../../power/govern/advice.ts';
import type { PowerState } from '../../power/govern/decision.ts';
import { holderOf } from '../../security/enrolment/certificate.ts';
import type { MemberPrincipal } from '../../security/enrolment/enrolled-gatekeeper.ts';
import type { Members } from '../../security/enrolment/members.ts';
import { installRoster, readPem } from '../../security/enrolment/site-folder.ts';
import type { PeerPolicy, PeerRoster } from '../../sync/peers/contract.ts';
import { stampsOf } from './stamps.ts';
import { HubStates } from './states.ts';
import { tellingDoor } from './telling.ts';
import { type LineHandlers, PeerBook, type PeerLine } from '../../sync/peers/peer-book.ts';

const FILTER = 'sync/+/peer';
const KEEPALIVE_S = 60;
const CONNECT_MS_MAX = 15_000;
const ALL: ReadonlySet<OpClass> = new Set([ALARM, COMMAND, RECORD, TELEMETRY, PREVIEW, BULK]);
const WITHOUT_BULK: ReadonlySet<OpClass> = new Set([ALARM, COMMAND, RECORD, TELEMETRY]);
const URGENT: ReadonlySet<OpClass> = new Set([ALARM, COMMAND]);

/** Which classes power allows between hubs. The line costs little; what costs is that both cards are asked to sync. */
const PEER_CLASSES: Readonly<Record<PowerState, ReadonlySet<OpClass> | undefined>> = {
  surplus: ALL,
  normal: ALL,
  saver: WITHOUT_BULK,
  unknown: WITHOUT_BULK,
  critical: URGENT,
  shutdown: undefined,
};

export function peerPolicyOf(
  state: PowerState,
  { peerIntervalS }: Pick<Advice, 'peerIntervalS'>,
): PeerPolicy | undefined {
  const classes = PEER_CLASSES[state];
  return classes && { classes, gatherMs: 1_000 * peerIntervalS };
}

export async function openPeers(
  ground: Ground,
  { journal, store, door, broker, access, addresses, notices }: Serving,
  { power, healing }: Pick<Followers, 'power' | 'healing'>,
): Promise<PeerBook> {
  const { config, machine, paths, id, closers } = ground;
  const { clock, timers, random, log } = machine;
  const { members } = access;
  if (members !== undefined) await ownCertificate(config, machine, id);
  const states = closers.add(
    new HubStates({
      ...machine,
      snapshot: paths.snapshot,
      dir: paths.taken,
      journal,
      door,
      verify: verifyEd25519,
    }),
  );
  const book = new PeerBook({
    self: { hub: id, site: config.site },
    journal,
    door: tellingDoor(door, notices),
    stamps: stampsOf({ store, journal }, id),
    states,
    roster: members && rosterOf(ground, members),
    policy: () => peerPolicyOf(power.monitor.decision().state, power.monitor.advice()),
    dial: dialler(ground, members),
    answer: (name, bytes) => broker.publish(`sync/${name}/peered`, bytes, { qos: 1 }),
    clock,
    timers,
    random,
    log,
  });
  const isHub = hubRule(config);
  let isReady = false;
  broker.onMessage(FILTER, (message) => {
    if (isReady) return heard(book, isHub, message);
    return { refused: new HubError('journal.busy', 'the journal is being read') };
  });
  // Only then is it known what to ask for. A large journal takes its time, and devices are served meanwhile.
  void healing.search().then(() => {
    isReady = true;
    healing.onLack(() => book.askAnew());
    for (const address of config.peer.addresses) book.add(address);
    return discoverPeers(ground, addresses, book);
  });
  power.monitor.onDecision(() => book.policyChanged());
  members?.onChange(() => book.rosterChanged());
  closers.add({ close: () => book.close() });
  return book;
}

/**
 * Whose ops are taken with the stamps they bear: in mode `enrolled` those of hubs in the roster; in mode `password`
 * those of operators, because a stamp may speak with the authority of one; in mode `open` of everyone.
 */
function hubRule({ security }: Config): (who: Principal) => boolean {
  if (security.mode === 'open') return () => true;
  if (security.mode === 'password') return (who) => who.role === 'operator';
  return (who: MemberPrincipal) => who.kind === 'hub';
}

function heard(
  book: PeerBook,
  isHub: (who: Principal) => boolean,
  { topic, payload, from }: InternalMessage,
): { readonly refused: HubError } | undefined {
  const name = topic.split('/')[1] as string;
  if (from === undefined || !isHub(from)) {
    return { refused: new HubError('peer.stranger', `${name} is no hub of this site`) };
  }
  book.heard(name, payload);
  return undefined;
}

function rosterOf({ config, machine }: Ground, members: Members): PeerRoster {
  const { paths, verify } = authorityParts(config.data, machine);
  return {
    get epoch() {
      return members.epoch;
    },
    get bytes() {
      return members.bytes;
    },
    install: (bytes) => {
      if (installRoster(machine.files, paths, bytes, verify) === 'installed') members.refresh();
    },
  };
}

/** Connects to the broker of another hub, and listens to what it answers us. */
function dialler(
  { config, machine, id }: Ground,
  members: Members | undefined,
): (address: string, handlers: LineHandlers) => Promise<PeerLine> {
  const clientId = `hub-${id}`;
  return async (address, handlers) => {
    const { name, login } = loginOf({ config, machine, clientId, members });
    const session = await machine.mqtt.connect(
      {
        ...login,
        url: address,
        clientId,
        keepaliveS: KEEPALIVE_S,
        connectTimeoutMs: CONNECT_MS_MAX,
      },
      {
        onMessage: (_, payload) => handlers.onMessage(payload),
        onClose: (why) => handlers.onClose(why),
      },
    );
    try {
      await session.subscribe([`sync/${name}/peered`]);
    } catch (error) {
      await session.close();
      throw error;
    }
    return {
      send: (bytes) => {
        // What does not get there shows as the end of the session.
        session.publish(`sync/${name}/peer`, bytes, { qos: 1 }).catch(() => undefined);
      },
      close: () => void session.close(),
    };
  };
}

type Login = Omit<MqttSessionOptions, 'url' | 'clientId' | 'keepaliveS' | 'connectTimeoutMs'>;

interface LoginParts extends Pick<Ground, 'config' | 'machine'> {
  readonly clientId: string;
  readonly members: Members | undefined;
}

/** How this hub logs in at others, and the name by which they know it then. */
function loginOf(parts: LoginParts): { readonly name: string; readonly login: Login } {
  const { config, machine, clientId, members } = parts;
  const { peer, data } = config;
  if (members === undefined) {
    const { url: _url, ...login } = brokerLogin('peer', { url: '', ...peer }, machine);
    return { name: peer.username || clientId, login };
  }
  const { paths } = authorityParts(data, machine);
  const cert = readPem(machine.files, paths.hubCertificate);
  const name = /^CN=(.+)$/m.exec(new X509Certificate(cert).subject)?.[1] ?? '';
  return {
    name,
    login: {
      ca: utf8(readPem(machine.files, paths.ca)),
      certificate: { cert: utf8(cert), key: utf8(readPem(machine.files, paths.hubKey)) },
      refuseBroker: (certificate) => refusalOf(certificate, members),
    },
  };
}

/** Names on a local network change; that it is a hub of the site which is not revoked is what counts. */
function refusalOf(certificate: Uint8Array, members: Members): string | undefined {
  const holder = members.ca && holderOf(certificate, members.ca);
  if (holder?.kind !== 'hub') return 'the certificate is not that of a hub of this site';
  const isRevoked = holder.since <= members.epoch && members.get(holder.name) === undefined;
  return isRevoked ? `${holder.name} has been revoked` : undefined;
}
