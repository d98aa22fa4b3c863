import type { EnrolmentDesk } from './enrolment/desk.ts';
import type { Members } from './enrolment/members.ts';
import type { Gatekeeper } from './gatekeeper.ts';

/** Who may come in, as `security.mode` says. */
export interface Access {
  readonly gatekeeper: Gatekeeper;
  /** Whether HTTP asks for a user. */
  readonly asksForUser: boolean;
  /** Of the members' roster; 0 where there is none. */
  readonly rosterEpoch: () => number;
  /** Mode `enrolled`. */
  readonly members?: Members;
  /** Where tokens become credentials, on the hub that is the site's authority. */
  readonly desk?: EnrolmentDesk;
  close(): void;
}
