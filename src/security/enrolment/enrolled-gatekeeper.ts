/**
 * Who comes in, in mode `enrolled`: members of the roster, by the certificate of their TLS connection or by name and
 * password, and for a moment those who hold a token and ask for credentials with it.
 *
 * A certificate proves that the other side has the key; whether that key still belongs to the site is the roster's
 * word, looked up at every check, so that a revoked member is out at once, connected or not. One case goes beyond
 * the roster: a certificate that says it is of a later epoch than ours was made when this hub could not be told;
 * it counts until the roster comes. Dates never count: clocks lie (ENROLMENT.md §2).
 */
import { bytesEqual } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Acl, Principal } from '../acl.ts';
import type { Gatekeeper, Login } from '../gatekeeper.ts';
import { holderOf, type MemberKind } from './certificate.ts';
import type { Members } from './members.ts';

/** A principal, and by which membership. */
export interface MemberPrincipal extends Principal {
  readonly kind?: MemberKind;
  /** Epoch of the membership that it logged in with; a later one under the same name is somebody else. */
  readonly since?: number;
  /** It came with a token, and may do nothing but ask for credentials until then (monotonic). */
  readonly candidateUntilMs?: number;
}

interface EnrolledGatekeeperOptions {
  readonly members: Members;
  /** Mode `password` with the members that have one. */
  readonly passwords: Gatekeeper;
  /** Whether the token is one that `name` may enrol with; counts as a try. */
  readonly isToken: (name: string, token: Uint8Array, remote: string) => boolean;
  readonly acl: Acl;
  readonly clock: Clock;
  readonly log: Log;
}

const CANDIDATE_MS = 120_000;

export class EnrolledGatekeeper implements Gatekeeper {
  readonly #options: EnrolledGatekeeperOptions;

  constructor(options: EnrolledGatekeeperOptions) {
    this.#options = options;
  }

  get revision(): number {
    return this.#options.members.revision;
  }

  async authenticate(login: Login): Promise<Principal | undefined> {
    if (login.certificate !== undefined) return this.#byCertificate(login, login.certificate);
    const { username, password, remote, clientId } = login;
    if (username === undefined || password === undefined) return undefined;
    const { members, passwords, isToken, clock } = this.#options;
    // The password first: a member that comes back must not use up the tries of the token that replaces it.
    const principal = await passwords.authenticate(login);
    const member = principal && members.get(principal.name);
    if (principal !== undefined && member !== undefined) {
      const { kind, since } = member;
      return { ...principal, kind, since } as MemberPrincipal;
    }
    if (!isToken(username, password, remote)) return undefined;
    const candidateUntilMs = clock.monotonicMs() + CANDIDATE_MS;
    return { name: username, role: 'device', clientId, candidateUntilMs } as MemberPrincipal;
  }

  mayPublish(who: Principal, topic: string): boolean {
    if (isCandidate(who)) return this.isAdmitted(who) && topic === `sync/${who.name}/enrol`;
    const now = this.#asOfNow(who);
    return now !== undefined && this.#options.acl.mayPublish(now, topic);
  }

  mayRead(who: Principal, topicOrFilter: string): boolean {
    if (isCandidate(who)) {
      return this.isAdmitted(who) && topicOrFilter === `sync/${who.name}/enrolled`;
    }
    const now = this.#asOfNow(who);
    return now !== undefined && this.#options.acl.mayRead(now, topicOrFilter);
  }

  isAdmitted(who: MemberPrincipal): boolean {
    if (who.candidateUntilMs === undefined) return this.#asOfNow(who) !== undefined;
    return this.#options.clock.monotonicMs() < who.candidateUntilMs;
  }

  #byCertificate(login: Login, certificate: Uint8Array): Principal | undefined {
    const { members, log } = this.#options;
    const { remote, clientId, username } = login;
    const refuse = (reason: string, name?: string): undefined => {
      log.warn('security.certificate-refused', { remote, name, reason });
      return undefined;
    };
    const holder = members.ca && holderOf(certificate, members.ca);
    if (holder === undefined) return refuse("not signed by this site's authority");
    const { name, kind, role, since } = holder;
    if (username !== undefined && username !== name) return refuse('user name of another', name);
    const member = members.get(name);
    if (member?.key !== undefined && bytesEqual(member.key, holder.fingerprint)) {
      return {
        name,
        role: member.role,
        clientId,
        kind: member.kind,
        since: member.since,
      } as MemberPrincipal;
    }
    if (since <= members.epoch) return refuse('revoked, or replaced by another', name);
    return { name, role, clientId, kind, since } as MemberPrincipal;
  }

  /** With the role of this moment; undefined where the membership has ended. */
  #asOfNow(who: MemberPrincipal): Principal | undefined {
    const { members } = this.#options;
    const member = members.get(who.name);
    const isNewer = who.since !== undefined && who.since > members.epoch;
    if (member === undefined) return isNewer ? who : undefined;
    if (who.since !== undefined && who.since !== member.since) return isNewer ? who : undefined;
    return { ...who, role: member.role };
  }
}

function isCandidate(who: MemberPrincipal): boolean {
  return who.candidateUntilMs !== undefined;
}
