/**
 * The authority of a site: makes members and takes them out. It is the hub, or the operator's own machine with a
 * data directory of its own; whoever has `authority.pem` and `ca.key` is it. Commands and the running hub may both
 * change the roster, so each change reads it anew under a lock, adds one to the epoch, and writes it whole.
 */
import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';

import { hexOf, utf8 } from '../../base/bytes.ts';
import type { Timers } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { Verify } from '../../codec/cose.ts';
import { asOnlyWriter } from '../only-writer.ts';
import {
  issueCertificate,
  makeKey,
  makeSiteCertificate,
  pemOfKey,
  privateKeyOf,
} from './certificate.ts';
import { encodeRoster, type Member, type Roster, type RosterSigner } from './roster.ts';
import { readPem, readRosterFile, type SiteFiles, type SitePaths } from './site-folder.ts';

export interface AuthorityParts {
  readonly files: SiteFiles;
  readonly paths: SitePaths;
  readonly random: Random;
  readonly timers: Timers;
  readonly verify: Verify;
  /** Opens, or makes, the Ed25519 key in this file (keys/identity.ts). */
  readonly openSigner: (path: string) => RosterSigner;
}

/** A member as it shall be; the authority adds since when. */
export type NewMember = Omit<Member, 'since'>;

interface AddOptions {
  /** Whether a member of the name may be there already; it loses its credential. */
  readonly replaces: boolean;
  /** Runs under the lock, before anything is written. */
  readonly before?: () => void;
}

export class Authority {
  readonly #parts: AuthorityParts;
  readonly #signer: RosterSigner;
  readonly #caKey: KeyObject;

  private constructor(parts: AuthorityParts, signer: RosterSigner, caKey: KeyObject) {
    this.#parts = parts;
    this.#signer = signer;
    this.#caKey = caKey;
  }

  /** Whether this node is the authority. */
  static isHere({ files, paths }: Pick<AuthorityParts, 'files' | 'paths'>): boolean {
    const { anchor, authorityKey, caKey } = paths;
    return [anchor, authorityKey, caKey].every((path) => files.read(path) !== undefined);
  }

  /** The authority of this node; throws `enrol.no-authority` where another is. */
  static open(parts: AuthorityParts): Authority {
    const { files, paths } = parts;
    if (!Authority.isHere(parts)) {
      throw new HubError('enrol.no-authority', `${paths.dir} has no key of the site's authority`);
    }
    const caKey = privateKeyOf(readPem(files, paths.caKey), paths.caKey);
    return new Authority(parts, parts.openSigner(paths.authorityKey), caKey);
  }

  /** The authority of this node, made where the node belongs to no site yet; throws as `open`, and `data.locked`. */
  static openOrMake(parts: AuthorityParts, site: string): Promise<Authority> {
    const { files, paths } = parts;
    const isMade = (): boolean => files.read(paths.anchor) !== undefined;
    // Hub and command may have begun at once.
    return asOnlyWriter(paths.dir, parts, () =>
      isMade() ? Authority.open(parts) : Authority.make(parts, site),
    );
  }

  /** The authority of a new site. */
  static make(parts: AuthorityParts, site: string): Authority {
    const { files, paths, random } = parts;
    const signer = parts.openSigner(paths.authorityKey);
    const caKey = makeKey(random);
    const ca = makeSiteCertificate(site, caKey, random);
    files.replace(paths.ca, utf8(ca));
    const roster: Roster = {
      site,
      epoch: 1,
      authority: signer.publicKey,
      ca: new Uint8Array(new X509Certificate(ca).raw),
      memberByName: new Map(),
    };
    files.replace(paths.roster, encodeRoster(roster, signer));
    files.replace(paths.caKey, utf8(pemOfKey(caKey)));
    // Last: with it, the authority is whole. What a crash left before it is made anew.
    files.replace(paths.anchor, utf8(`${hexOf(signer.publicKey)}\n`));
    return new Authority(parts, signer, caKey);
  }

  roster(): Roster {
    const { files, paths, verify } = this.#parts;
    const roster = readRosterFile(files, paths, verify);
    if (roster !== undefined) return roster;
    throw new HubError('enrol.untrusted', `${paths.roster} is not there`);
  }

  /** Makes a member; throws `enrol.exists`, `enrol.full`, and `data.locked` where others write for too long. */
  async add(wanted: NewMember, { replaces, before }: AddOptions): Promise<Member> {
    const roster = await this.#change((memberByName, epoch) => {
      if (memberByName.has(wanted.name) && !replaces) {
        throw new HubError('enrol.exists', `${wanted.name} is enrolled already`);
      }
      before?.();
      memberByName.set(wanted.name, { ...wanted, since: epoch });
    });
    return roster.memberByName.get(wanted.name) as Member;
  }

  /** Takes a member out; throws `enrol.unknown`. Returns the new epoch. */
  async revoke(name: string): Promise<number> {
    const { epoch } = await this.#change((memberByName) => {
      if (!memberByName.delete(name)) {
        throw new HubError('enrol.unknown', `there is no member ${name}`);
      }
    });
    return epoch;
  }

  /** The certificate of a member, PEM. `names`: what a hub is called on the network. */
  certify(member: Member, publicKey: KeyObject, names: readonly string[] = []): string {
    const { random } = this.#parts;
    const { site } = this.roster();
    return issueCertificate({
      site,
      holder: member,
      names,
      random,
      signer: this.#caKey,
      publicKey: publicKey.type === 'private' ? createPublicKey(publicKey) : publicKey,
    });
  }

  #change(edit: (memberByName: Map<string, Member>, epoch: number) => void): Promise<Roster> {
    const { files, paths } = this.#parts;
    return asOnlyWriter(paths.dir, this.#parts, () => {
      const known = this.roster();
      const epoch = known.epoch + 1;
      const memberByName = new Map(known.memberByName);
      edit(memberByName, epoch);
      const roster = { ...known, epoch, memberByName };
      files.replace(paths.roster, encodeRoster(roster, this.#signer));
      return roster;
    });
  }
}
