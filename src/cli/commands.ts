/**
 * The table of commands: help, checks of arguments and dispatch are made from it. The code of a command is
 * loaded when it runs, so that `status` does not pay for the broker.
 */
import type { Command } from './args.ts';
import { CONFIG_OPTIONS } from './config-options.ts';
import { ASSET_COMMANDS } from './assets/commands.ts';
import { BENCH_COMMANDS } from './bench/commands.ts';
import { ENROL_COMMANDS } from './enrol/commands.ts';
import { HUB_OPTIONS } from './asking/hub-api.ts';
import { NODE_COMMANDS } from './node-commands.ts';
import { REGION_COMMANDS } from './region/region-commands.ts';

const JSON_OPTION = { help: 'as one JSON document' };
const DATA_OPTIONS = { ...CONFIG_OPTIONS, json: JSON_OPTION };

const JOURNAL_OPERAND = {
  name: 'DIR',
  help: 'a journal or a data directory; absent: the one of the configuration',
  isOptional: true,
};

const JOURNAL_KEYS = {
  keys: { value: 'DIR', help: 'folder of the keys; absent: `keys` beside the journal' },
  'escrow-key': { value: 'FILE', help: "the operator's private key, PEM, where the hub's is lost" },
};

const RECORD_KEY = { name: 'KEY', help: 'key of the record, such as order/17' };
const RECORD_KEYS = {
  name: 'KEY',
  help: "key of the record, or of many: 'orders/*' are all that begin so",
};
const ASKING_OPTIONS = { ...HUB_OPTIONS, json: JSON_OPTION };

export const COMMANDS: readonly Command[] = [
  ...NODE_COMMANDS,
  ...REGION_COMMANDS,
  {
    name: 'demo',
    summary: 'the whole story on this machine: a hub, a region and devices through a solar day',
    options: {
      hours: { value: 'N', help: 'end by itself after N simulated hours, with a verdict' },
      speed: { value: 'X', help: 'simulated seconds in a second (default 2160: a day in 40 s)' },
      'no-page': { help: 'serve the page on any free port instead of 8080' },
    },
    notes: 'Exit code 0 if and only if nothing that was acknowledged is missing upstream.',
    load: async () => (await import('./demo/demo.ts')).demo,
  },
  {
    name: 'demo devices',
    isInternal: true,
    summary: 'the field devices of the demo, in a process of their own',
    operands: [{ name: 'PLAN', help: 'broker and time, as JSON' }],
    load: async () => (await import('./demo/devices.ts')).demoDevices,
  },
  {
    name: 'status',
    summary: 'power, backlog, uplink, devices, storage, clock and faults of a running hub',
    options: { ...HUB_OPTIONS, json: JSON_OPTION },
    load: async () => (await import('./asking/status.ts')).showStatus,
  },
  {
    name: 'audit',
    summary: "every op's way through the hub, from the files of its audit log",
    options: {
      ...CONFIG_OPTIONS,
      regional: { help: 'of the regional node: what came, was stored, was refused, and of whom' },
      op: { value: 'OP', help: 'where one op is and when it got there: origin/class/number' },
      since: { value: 'T', help: 'from that time, or for that long: 2026-03-01T06:10:00Z, 2h' },
      json: { help: 'the lines as they are, by src/audit/audit.schema.json' },
    },
    notes:
      'Lines are written in groups, at most a minute late. Exit code 1 where nothing is known of OP.',
    load: async () => (await import('./data/audit.ts')).auditCommand,
  },
  {
    name: 'log',
    summary: 'the power-aware sync log of a running hub',
    options: {
      follow: { help: 'go on with new lines until interrupted' },
      since: { value: 'T', help: 'a time such as 2026-03-01T06:10:00Z, or an age such as 2h' },
      explain: { help: 'the numbers and thresholds behind each line' },
      ...HUB_OPTIONS,
      json: { help: 'as JSON lines' },
    },
    load: async () => (await import('./power/log.ts')).showLog,
  },
  {
    name: 'override',
    summary: 'send everything now, for a while: somebody is on site',
    options: {
      for: { value: 'DURATION', help: 'such as 30m or 2h, at most 24h' },
      end: { help: 'let the power brain decide again' },
      ...HUB_OPTIONS,
      json: JSON_OPTION,
    },
    notes: 'Nothing goes in state shutdown, whoever asks. The sync log says who asked.',
    load: async () => (await import('./power/override.ts')).overridePower,
  },
  {
    name: 'power probe',
    summary: 'what every power source tells, side by side, with unit and age',
    options: {
      seconds: { value: 'N', help: 'listen so long (default: 6, on a terminal until interrupted)' },
      ...HUB_OPTIONS,
      json: JSON_OPTION,
    },
    notes:
      'Asks the hub where it runs, else reads the sources here. Exits 1 where none tells anything.',
    load: async () => (await import('./power/power.ts')).probePower,
  },
  {
    name: 'doctor',
    summary: 'check everything, name the state of sync, and say what to do',
    options: {
      fix: { help: 'take the steps that cannot lose anything, while no hub runs' },
      compare: { value: 'URL', help: 'compare the state with the regional node at this address' },
      ...HUB_OPTIONS,
      json: JSON_OPTION,
    },
    notes: 'Looks at the files, and asks the hub where it runs. Exits 1 where something is wrong.',
    load: async () => (await import('./doctor/doctor.ts')).doctor,
  },
  {
    name: 'config',
    summary: 'the configuration in force, each key with its meaning',
    options: DATA_OPTIONS,
    load: async () => (await import('./config.ts')).showConfig,
  },
  {
    name: 'user add',
    summary: 'add a user of mode password and print the new password, once',
    operands: [{ name: 'NAME', help: 'of the user; for a device, its name in topics' }],
    options: {
      role: {
        value: 'ROLE',
        help: 'device (default), technician, supervisor or operator',
      },
      ...DATA_OPTIONS,
    },
    notes: 'A running hub knows the user within seconds.',
    load: async () => (await import('./user.ts')).addUserCommand,
  },
  {
    name: 'user remove',
    summary: 'remove a user',
    operands: [{ name: 'NAME', help: 'of the user' }],
    options: CONFIG_OPTIONS,
    load: async () => (await import('./user.ts')).removeUserCommand,
  },
  {
    name: 'user list',
    summary: 'names and roles of all users',
    options: DATA_OPTIONS,
    load: async () => (await import('./user.ts')).listUsersCommand,
  },
  ...ENROL_COMMANDS,
  {
    name: 'records get',
    summary: 'a record as it stands: fields, counters and its asset',
    operands: [RECORD_KEY],
    options: ASKING_OPTIONS,
    load: async () => (await import('./asking/records.ts')).getRecord,
  },
  {
    name: 'records list',
    summary: 'the keys of all records',
    operands: [{ name: 'PREFIX', help: 'only those that begin so', isOptional: true }],
    options: ASKING_OPTIONS,
    load: async () => (await import('./asking/records.ts')).listRecords,
  },
  {
    name: 'records history',
    summary: 'the ops on a record: when, by whom, what, and whether they are undone',
    operands: [RECORD_KEY],
    options: { limit: { value: 'N', help: 'of the newest; 1,000 by default' }, ...ASKING_OPTIONS },
    load: async () => (await import('./asking/records.ts')).showHistory,
  },
  {
    name: 'undo',
    summary: 'take an op on a record back; the undo of an undo brings it back again',
    operands: [{ name: 'OP', help: '<origin>/<class>/<seq>, as `records history` shows it' }],
    options: { cascade: { help: 'and the later work that builds on it' }, ...ASKING_OPTIONS },
    notes: 'Refused where later work builds on it, or somebody of a higher role made it.',
    load: async () => (await import('./asking/records.ts')).undoOp,
  },
  {
    name: 'conflicts',
    summary: 'writes that did not know of each other: what stands, what lost, and why',
    options: { all: { help: 'those that ended, too' }, ...ASKING_OPTIONS },
    load: async () => (await import('./asking/conflicts.ts')).listConflicts,
  },
  {
    name: 'conflicts list',
    summary: 'the same as `conflicts` alone, or those of some records',
    operands: [{ ...RECORD_KEYS, isOptional: true }],
    options: { all: { help: 'those that ended, too' }, ...ASKING_OPTIONS },
    load: async () => (await import('./asking/conflicts.ts')).listConflicts,
  },
  {
    name: 'conflicts resolve',
    summary: 'say what shall stand where writes are in conflict',
    operands: [
      RECORD_KEYS,
      { name: 'FIELD', help: 'the field in conflict', isOptional: true },
      { name: 'VALUE', help: 'what shall stand, as JSON', isOptional: true },
    ],
    options: {
      take: { value: 'SIDE', help: 'stands or lost: which side shall stand, instead of VALUE' },
      ...ASKING_OPTIONS,
    },
    notes: [
      "With --take, many at once: `conflicts resolve 'orders/*' --take stands`; without FIELD, in all",
      'fields. Where several lost, the latest of them is taken. `undo OP` takes each back.',
    ].join('\n'),
    load: async () => (await import('./asking/conflicts.ts')).resolveConflict,
  },
  {
    name: 'holes list',
    summary:
      'what this hub lacks: handed in at hubs that it has not met since, or lost by its card',
    options: ASKING_OPTIONS,
    load: async () => (await import('./asking/holes.ts')).listHoles,
  },
  {
    name: 'holes close',
    summary: 'say that nobody has these ops any more, as their hub or the card is lost for good',
    operands: [{ name: 'ORIGIN', help: 'as `holes list` names it', isOptional: true }],
    options: { all: { help: 'all of them' }, ...ASKING_OPTIONS },
    notes: 'Nobody is asked for them then. Should they come all the same, they are taken.',
    load: async () => (await import('./asking/holes.ts')).closeHoles,
  },
  ...ASSET_COMMANDS,
  {
    name: 'identity new',
    summary: 'make a new hub of one whose identity key or journal is lost for good, over its data',
    options: { regional: { help: 'of the regional node, not of the hub' }, ...DATA_OPTIONS },
    notes:
      'While the node does not run. Refused where key, journal and data belong together.\nHubs trust the new key of a region once their `uplink/region.pub` is deleted.',
    load: async () => (await import('./data/identity.ts')).newIdentityCommand,
  },
  {
    name: 'snapshot verify',
    summary: 'check that a snapshot of the state is whole and bears the signature of its hub',
    operands: [{ name: 'FILE', help: '`state.snapshot` of a data directory, or a copy of it' }],
    options: {
      key: { value: 'K', help: 'public key of the hub, 64 hex digits; absent: of any hub' },
      json: JSON_OPTION,
    },
    load: async () => (await import('./data/snapshot.ts')).verifySnapshot,
  },
  {
    name: 'journal verify',
    summary: 'check every byte of a journal; exits 1 on any damage and says which LSNs',
    operands: [JOURNAL_OPERAND],
    options: { ...JOURNAL_KEYS, ...DATA_OPTIONS },
    load: async () => (await import('./data/journal.ts')).verifyCommand,
  },
  {
    name: 'journal dump',
    summary: 'the entries of a journal, a line each',
    operands: [JOURNAL_OPERAND],
    options: {
      from: { value: 'LSN', help: 'begin there' },
      limit: { value: 'N', help: 'so many at most' },
      ...JOURNAL_KEYS,
      ...DATA_OPTIONS,
    },
    load: async () => (await import('./data/journal.ts')).dumpCommand,
  },
  {
    name: 'journal stat',
    summary: 'range, size and segments of a journal',
    operands: [JOURNAL_OPERAND],
    options: DATA_OPTIONS,
    load: async () => (await import('./data/journal.ts')).statCommand,
  },
  {
    name: 'proof',
    summary: 'proof that an op is in the signed history of a running hub, as a file on stdout',
    operands: [{ name: 'OP', help: 'LSN (see journal dump), or <origin>/<class>/<seq>' }],
    options: HUB_OPTIONS,
    load: async () => (await import('./data/proof.ts')).proofCommand,
  },
  {
    name: 'proof since',
    summary:
      'proof that the signed history goes on from an earlier checkpoint, as a file on stdout',
    operands: [
      { name: 'OLD', help: 'file with that checkpoint: of /log/<class>/checkpoint, or any proof' },
      { name: 'NEW', help: 'file with a later one, in the place of that of now', isOptional: true },
    ],
    options: HUB_OPTIONS,
    load: async () => (await import('./data/proof.ts')).sinceCommand,
  },
  {
    name: 'proof verify',
    summary: 'check a proof with the public key of its hub, without any network',
    operands: [{ name: 'F', help: 'file of the proof' }],
    options: {
      since: { value: 'OLD', help: 'file with the earlier checkpoint, for a `proof since`' },
      key: {
        value: 'K',
        help: 'public key: PEM file, verifier key, hex or base64, or a file with it',
      },
      json: JSON_OPTION,
    },
    load: async () => (await import('./data/proof.ts')).verifyProofCommand,
  },
  {
    name: 'store digest',
    summary: 'digest of the folded state; equal on both sides where the data is equal',
    options: {
      site: { value: 'NAME', help: 'of this site, as the regional node has it' },
      ...HUB_OPTIONS,
      json: JSON_OPTION,
    },
    notes: 'Asks the hub or regional node where it runs, else opens its files.',
    load: async () => (await import('./data/store.ts')).showDigest,
  },
  {
    name: 'store rebuild',
    summary: 'fold the state anew from snapshot and journal, while no hub runs',
    options: DATA_OPTIONS,
    notes:
      'Exits 1, and changes nothing, where the result is another state than before. The old one stays\nbeside as `state.db.before` where readings have left the journal.',
    load: async () => (await import('./data/store.ts')).rebuildStore,
  },
  {
    name: 'pilot',
    summary: 'a month in the field in simulated time: weather, links, faults, and a report',
    options: {
      days: { value: 'N', help: 'simulated days (default 30)' },
      seed: { value: 'N', help: 'weather, load and faults follow from it (default 7)' },
      preset: { value: 'SITE', help: 'satellite (default), lte or wifi' },
      trace: {
        value: 'FILE',
        help: 'weather from a CSV instead: a head line with time and ghi_wm2 among its columns (, ; or tab), ISO times, any step up to 6 h, gaps filled',
      },
      'from-day': { value: 'N', help: 'begin so many days into the trace (default 0)' },
      latitude: { value: 'DEG', help: 'of the trace (default: told by its sun)' },
      longitude: { value: 'DEG', help: 'of the trace (default: told by its sun)' },
      devices: { value: 'N', help: 'at the site (default 50)' },
      faults: { value: 'KINDS', help: 'all (default), none, or a list: kill,clock …' },
      quota: { value: 'MIB', help: 'that the link may carry in a calendar month' },
      policy: {
        value: 'P',
        help: 'all: compare with plain policies; or one of them alone, on the light model',
      },
      measures: {
        help: 'the policy against its criteria: ten seeds, or the trace, at each site; light model',
      },
      seeds: { value: 'N', help: 'of --measures (default 10)' },
      out: { value: 'FILE', help: 'write the report, one HTML file' },
      json: JSON_OPTION,
    },
    notes: 'Exit code 1 where a promise was broken: seed, simulated time and last events are told.',
    load: async () => (await import('./pilot/pilot.ts')).pilotCommand,
  },
  ...BENCH_COMMANDS,
];
