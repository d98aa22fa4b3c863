/** A site's authority in memory, for tests of enrolment. */
import { SILENT_LOG } from '../../../src/base/log.ts';
import { Identity, verifyEd25519 } from '../../../src/keys/identity.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { Acl } from '../../../src/security/acl.ts';
import { Authority, type AuthorityParts } from '../../../src/security/enrolment/authority.ts';
import { EnrolmentDesk } from '../../../src/security/enrolment/desk.ts';
import { EnrolledGatekeeper } from '../../../src/security/enrolment/enrolled-gatekeeper.ts';
import { Members } from '../../../src/security/enrolment/members.ts';
import { readPem, sitePaths } from '../../../src/security/enrolment/site-folder.ts';
import { TokenDesk } from '../../../src/security/enrolment/tokens.ts';
import { PasswordGatekeeper } from '../../../src/security/gatekeeper.ts';
import { LoginLimit } from '../../../src/security/login-limit.ts';

/** Everything of mode `enrolled` on simulated files and a simulated clock. */
export function testSite(seed = 1, startMs = Date.UTC(2026, 5, 1)) {
  const random = new SeededRandom(seed);
  const clock = new SimClock(startMs);
  const files = new SimFiles({ random });
  const parts: AuthorityParts = {
    files,
    random,
    timers: clock,
    paths: sitePaths('/data'),
    verify: verifyEd25519,
    openSigner: (path) => {
      const signer = Identity.open({ files, path, random });
      return { publicKey: signer.publicKey, sign: (message) => signer.sign(message) };
    },
  };
  const { paths, verify } = parts;
  files.makeDir('/data');
  const authority = Authority.make(parts, 'kisumu');
  const log = SILENT_LOG;
  const members = Members.open({ files, paths, timers: clock, verify, log });
  const openTokens = (): TokenDesk => new TokenDesk({ files, paths, clock, log });
  const acl = new Acl([]);
  const users = {
    get: (name: string) => members.user(name),
    get revision() {
      return members.revision;
    },
  };
  const openDesk = (): EnrolmentDesk =>
    new EnrolmentDesk({
      tokens: openTokens(),
      authority,
      ca: readPem(files, paths.ca),
      limit: new LoginLimit(clock),
      random,
      log,
      changed: () => {
        members.refresh();
        return members.bytes;
      },
    });
  const desk = openDesk();
  const gatekeeper = new EnrolledGatekeeper({
    members,
    acl,
    clock,
    log,
    passwords: new PasswordGatekeeper({ users, acl, clock, random, log }),
    isToken: (name, token, remote) => desk.isToken(name, token, remote),
  });
  return { random, clock, files, parts, paths, authority, members, desk, openDesk, gatekeeper };
}
