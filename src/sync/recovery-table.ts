/**
 * The sync states of a hub, worst first: how each is recognised, what it means, and the steps that lead out of
 * it. This table is the one truth: the page, `heliograph doctor` and RECOVERY.md show it (a test compares the
 * document), so that support staff, reading any of them, do the same thing.
 *
 * Several states can hold at once; the worst one names the hub. `in sync` holds where no other does, so the
 * table always has an answer. What nobody has looked at is undefined and proves nothing.
 */
import type { ClockQuality } from '../base/clock.ts';
import type { FaultCode } from '../base/errors.ts';
import type { ClassName } from '../model/class.ts';

export type SyncStateName =
  | 'journal lost'
  | 'journal cut'
  | 'journal damaged'
  | 'identity clash'
  | 'quarantined'
  | 'forgotten upstream'
  | 'diverged'
  | 'upstream refused'
  | 'clock unknown'
  | 'peers apart'
  | 'held elsewhere'
  | 'behind'
  | 'catching up'
  | 'no uplink'
  | 'in sync';

/** What is known of a hub, from a running one or from the files of one that stands still. */
export interface SyncEvidence {
  readonly faults: ReadonlySet<FaultCode>;
  /** Damage in the journal that is not kept aside yet. */
  readonly damagedRanges?: number;
  /** Ranges of the journal that are damaged and kept aside. */
  readonly quarantinedRanges?: number;
  /** Ops that devices or hubs have told it lacks, as far as nobody has said that they stay away. */
  readonly lackedOps?: number;
  /** State here and upstream after everything has its receipt. */
  readonly digests?: 'equal' | 'different';
  readonly clock?: ClockQuality;
  readonly hasUplink?: boolean;
  /** Classes that have something waiting for a receipt; the log does not count. */
  readonly waiting?: readonly ClassName[];
  /** Those of them whose oldest op is past its deadline. */
  readonly overdue?: readonly ClassName[];
  /** The uplink has not looked at all of the journal yet. */
  readonly isCounting?: boolean;
}

export interface RecoveryRow {
  readonly name: SyncStateName;
  /** `wrong` asks a person to act, `watch` to look again later. */
  readonly severity: 'wrong' | 'watch' | 'good';
  readonly recognisedBy: string;
  readonly meaning: string;
  readonly steps: readonly string[];
  holds(evidence: SyncEvidence): boolean;
}

const HINDERED: readonly FaultCode[] = [
  'uplink.unreachable',
  'uplink.untrusted',
  'uplink.silent',
  'uplink.failed',
];

export const RECOVERY_TABLE: readonly RecoveryRow[] = [
  {
    name: 'journal lost',
    severity: 'wrong',
    recognisedBy: '`journal.lost` (no hub starts)',
    meaning:
      'The folder `journal` of this hub is not there any more, or nothing is but a key from a backup: a hub that went on would give the same numbers to other ops, and others would take those for what they have.',
    steps: [
      'Do not format or replace the card yet. Copy the data directory to another medium.',
      'Somebody moved it, or its disk is not there: put `journal` back as it was when the hub ran last, owned by its user, and start the hub.',
      'There is none: `heliograph identity new` makes this a new hub that keeps the state of the old one, with numbers of its own. What the old one had acknowledged in the last hour, and had not sent, is lost. In mode `enrolled` enrol it anew (`heliograph enrol token NAME --hub --replace`).',
      'What the state has of ops that the old hub had not sent yet does not reach the region: `doctor --compare` says `diverged` as long as it is there. Note what it is, then move `state.db*` to another folder: the next start takes what peers have, and of the region orders and records; of its readings it has more then.',
      'Plan a new card.',
    ],
    holds: ({ faults }) => faults.has('journal.lost'),
  },
  {
    name: 'journal cut',
    severity: 'wrong',
    recognisedBy: '`journal.cut`',
    meaning:
      'The journal ended before the state that was folded from it, or its end cannot be read: the card has lost what it wrote last, or an older `journal` was put in place. The hub went on as a new one over the same data by itself, with numbers of its own. Devices are served as before.',
    steps: [
      'The fault says which hub ended, and where. What it had acknowledged behind that, and had not sent, is lost, unless other hubs or devices with the SDK have it: these hand it in by themselves.',
      'In mode `enrolled` enrol it anew (`heliograph enrol token NAME --hub --replace`): until then other hubs refuse it.',
      'What the state has of ops that the old hub had not sent yet does not reach the region: `doctor --compare` says `diverged` as long as it is there. Note what it is, then move `state.db*` to another folder: the next start takes what peers have, and of the region orders and records; of its readings it has more then.',
      'Plan a new card.',
      'Remove the file `cut` of the data directory: the state ends.',
    ],
    holds: ({ faults }) => faults.has('journal.cut'),
  },
  {
    name: 'journal damaged',
    severity: 'wrong',
    recognisedBy:
      '`journal.poisoned` or `journal.unsealable`, or `heliograph journal verify` finds damage that is not kept aside yet',
    meaning: 'The card has lost or refused bytes of the journal since the last start.',
    steps: [
      'Do not format or replace the card yet: what is readable on it may be the only copy.',
      'Restart the hub (`systemctl restart heliograph`): recovery keeps the damage aside and goes on with the rest.',
      'Run `heliograph doctor` again. If the state is `quarantined` now, follow its steps.',
      'If the card fails again within a day, stop the hub, copy the data directory to a new card, and start from there.',
    ],
    holds: ({ faults, damagedRanges = 0 }) =>
      damagedRanges > 0 || faults.has('journal.poisoned') || faults.has('journal.unsealable'),
  },
  {
    name: 'identity clash',
    severity: 'wrong',
    recognisedBy:
      '`keys.lost`, `keys.foreign` or `keys.damaged` (no hub starts), `uplink.wrong-region`, `ledger.forked` or `peer.copied`',
    meaning:
      'Somebody is not who they were: this hub has no key or another one than its data, two hubs share one key, or the regional node has another key than before.',
    steps: [
      'A copied card (`ledger.forked`; `peer.copied`, which both boxes say; `status` of two boxes names the same hub): run one of the two only, best the one whose state is `in sync`.',
      'Of the other one, or of a card that was restored from an old image, keep the data directory: nothing takes in what it accepted since (`heliograph journal dump DIR` shows it). Then start it with an empty one, so that it makes a key of its own; devices with the SDK hand in again what they keep.',
      'A key that is lost, damaged or of another hub: restore `keys/hub.pem` of this hub from its backup, owned by its user, mode 0600. `hub.id` of the data directory, and the page of the regional node, tell its id.',
      'There is no backup of it: `heliograph identity new` makes this a new hub that keeps the data of the old one and sends what waits. In mode `enrolled` enrol it anew (`heliograph enrol token NAME --hub --replace`).',
      'A regional node that was replaced on purpose: delete `uplink/region.pub`; the next session trusts the new key.',
      'A regional node that nobody replaced: send nothing, and call whoever runs it.',
    ],
    holds: ({ faults }) =>
      faults.has('keys.lost') ||
      faults.has('keys.foreign') ||
      faults.has('keys.damaged') ||
      faults.has('uplink.wrong-region') ||
      faults.has('ledger.forked') ||
      faults.has('peer.copied'),
  },
  {
    name: 'quarantined',
    severity: 'wrong',
    recognisedBy: '`journal.damaged`: ranges of LSNs lie in `journal/quarantine`',
    meaning:
      'Acknowledged entries are damaged and kept aside. The hub works, and brings back what the region and its peers have; what is missing until then is not in its state.',
    steps: [
      'Wait for a session while energy is plenty, or take `heliograph override --for 30m`: the region gives back what it had receipted, hubs of the same site what they hold. `heliograph status` says how much is lacking; the state ends by itself when nothing is.',
      'If it stays: `heliograph holes list` names what is lacking, `heliograph journal verify` the LSNs. Neither the region nor a peer has it: it was not receipted before the card lost it, or nothing but lines of the sync log stood there.',
      'Copy `journal/quarantine` to another medium; parts of it may still be read. A whole segment that lacked nothing but its owner or its mode goes back under its number (`000000000005.segment`) while no hub runs.',
      'If nobody can bring it back: `heliograph holes close --all`. From then on nobody is asked for it, and the state ends; the log keeps who said so, and of how many numbers. Should it come all the same, it is taken.',
      'Plan a new card.',
    ],
    holds: ({ faults, quarantinedRanges = 0 }) =>
      quarantinedRanges > 0 || faults.has('journal.damaged'),
  },
  {
    name: 'forgotten upstream',
    severity: 'wrong',
    recognisedBy:
      '`uplink.forgotten`: the regional node has lost ops that it had receipted, and the journal of this hub has let go of them',
    meaning:
      'The regional node was restored from an older backup, or began anew. What this hub still has in its journal it sends again by itself; of what lies before that the regional node has what its backup had.',
    steps: [
      '`heliograph status` names classes and numbers, the log of the regional node (`regional.ledger.gap`) the numbers that it lacks.',
      'There is a newer backup of the regional node: stop it, put that one in place, and start it. Its hubs send again what that one lacks, too.',
      'There is none: what of it the state of this hub has is at `/api/v1/readings` for `store.readings_days`, and with `heliograph records get`. Take from there what the region needs.',
      'Remove the file `uplink/forgotten` of the data directory: the state ends. From then on `doctor --compare` says `diverged`, as long as the region lacks what is in the state here.',
    ],
    holds: ({ faults }) => faults.has('uplink.forgotten'),
  },
  {
    name: 'diverged',
    severity: 'wrong',
    recognisedBy:
      '`heliograph doctor --compare URL`: everything has its receipt, the regional node has no more than the hub, and the digests differ',
    meaning: 'Both sides say they have the same ops, and their states differ.',
    steps: [
      'Note both digests: `heliograph store digest` here, `heliograph store digest --site NAME` at the region.',
      'Stop the hub and run `heliograph store rebuild`; the old state stays as `state.db.before` where readings have left the journal. If it says that the journal gives another state, it has changed nothing: move `state.db*` to another folder, and keep it.',
      'Start the hub and compare again. If they still differ, stop the regional node, move `state.db*` out of `regional/sites/NAME`, and start it: it folds its archive anew.',
      'If that does not help, keep both data directories and report it: equal ops must give equal states.',
    ],
    holds: ({ digests }) => digests === 'different',
  },
  {
    name: 'upstream refused',
    severity: 'wrong',
    recognisedBy: '`uplink.refused` (login) or `batch.rejected` (data)',
    meaning:
      'The other side answers, and does not take what this hub sends. It stays in the journal.',
    steps: [
      'Login refused: check `uplink.username` and the password file, and that the broker knows the user.',
      'Batch refused: read the reason with `heliograph log --since 1d`; an older regional node is updated first.',
      'The hub tries again by itself; `heliograph status` shows the next receipt.',
    ],
    holds: ({ faults }) => faults.has('uplink.refused') || faults.has('batch.rejected'),
  },
  {
    name: 'clock unknown',
    severity: 'watch',
    recognisedBy: '`clock.unknown`: nobody has set the clock since the start',
    meaning: 'Order is kept; the times of new ops may be wrong until a trusted source appears.',
    steps: [
      'Give the hub a network with a time server, or set the clock: `timedatectl set-time`.',
      'A clock with its own battery (RTC) prevents this after every power cut.',
    ],
    holds: ({ clock }) => clock === 'unknown',
  },
  {
    name: 'peers apart',
    severity: 'watch',
    recognisedBy: '`peer.refused` or `peer.stuck`',
    meaning:
      'Hubs of this site do not hold the same: one refuses the other, or lacks what the other no longer has.',
    steps: [
      '`heliograph status` says which hub it is, and why.',
      'Refused: in mode `enrolled` enrol the hub anew (`heliograph enrol token NAME --hub --replace`), in mode `password` check the user at the other hub.',
      'Stuck: the other hub has let go of ops, and its state cannot be taken over: the log of the hub that lacks them says why, mostly a full disk. Both hubs work.',
      'If one hub runs an older version, update it: it may not know what the other sends.',
    ],
    holds: ({ faults }) => faults.has('peer.refused') || faults.has('peer.stuck'),
  },
  {
    name: 'held elsewhere',
    severity: 'watch',
    recognisedBy:
      '`peer.lacking`: a device or a hub says that another hub has had ops which have not come here',
    meaning:
      'Devices worked with a hub that this one has not met since: it is out of reach, or lost; or the storage of a device was damaged. All go on working here, and what is held there is not in the state of this hub.',
    steps: [
      '`heliograph holes list` says whose ops they are and since when. The device hands in by itself what it still keeps.',
      'Bring the other hub back into reach, or start it from its backup: the state ends by itself when the two have met.',
      'If it had sent them upstream: a session brings orders and records back from the region. `heliograph override --for 30m` opens one now.',
      'If that hub is lost for good: `heliograph holes close ORIGIN`. From then on nobody is asked for them; should they come all the same, they are taken, and change nothing where the history of their record has been folded meanwhile.',
    ],
    holds: ({ faults, lackedOps = 0 }) => lackedOps > 0 || faults.has('peer.lacking'),
  },
  {
    name: 'behind',
    severity: 'watch',
    recognisedBy:
      'ops wait beyond the deadline of their class, or wait while `uplink.unreachable`, `uplink.untrusted`, `uplink.silent` or `uplink.failed` holds',
    meaning: 'Data is safe in the journal and reaches the region later than promised.',
    steps: [
      'Read why: `heliograph log --since 1d --explain`. Low battery: nothing to do but wait for sun.',
      'The disk is full (`uplink.failed`): free space; batches are written to it before they go.',
      'Link down: check antenna, SIM, cable; `uplink.url` must be reachable from the site.',
      'On site with energy to spare: `heliograph override --for 30m` sends everything now.',
      'Look at the fill of the journal in `heliograph status`: it must last until the link is back.',
    ],
    holds: ({ faults, waiting = [], overdue = [] }) =>
      overdue.length > 0 || (waiting.length > 0 && HINDERED.some((code) => faults.has(code))),
  },
  {
    name: 'catching up',
    severity: 'good',
    recognisedBy:
      'ops wait for their receipt, all within the deadline of their class, or are still being counted',
    meaning: 'Everything is on its way; the governor chooses the moment.',
    steps: ['Nothing to do. `heliograph log` says what waits for what.'],
    holds: ({ waiting = [], isCounting = false }) => waiting.length > 0 || isCounting,
  },
  {
    name: 'no uplink',
    severity: 'good',
    recognisedBy: '`uplink.url` is empty',
    meaning: 'Data stays in the journal of this hub, for `journal.keep_days`.',
    steps: ['Nothing to do, unless the data should go upstream: set `uplink.url`.'],
    holds: ({ hasUplink }) => hasUplink === false,
  },
  {
    name: 'in sync',
    severity: 'good',
    recognisedBy: 'every op has its receipt',
    meaning: 'The regional node has proven that it stored everything.',
    steps: ['Nothing to do.'],
    holds: () => true,
  },
];

/** Every row that holds, worst first; `in sync` only where it is alone. */
export function syncStatesOf(evidence: SyncEvidence): readonly [RecoveryRow, ...RecoveryRow[]] {
  const rows = RECOVERY_TABLE.filter((row) => row.name !== 'in sync' && row.holds(evidence));
  const [first = RECOVERY_TABLE.at(-1) as RecoveryRow, ...more] = rows;
  return [first, ...more];
}
