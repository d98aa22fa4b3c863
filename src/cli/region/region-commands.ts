/** The part of the table of commands that is about the region: what it sends, its keys. */
import type { Command } from '../args.ts';
import { HUB_OPTIONS } from '../asking/hub-api.ts';

const JSON_OPTION = { help: 'as one JSON document' };
const DELIVERY_OPTIONS = {
  hub: { value: 'ID', help: 'the hub that is meant, or waited for; absent: all of the site' },
  wait: { value: 'DURATION', help: 'until they have it, such as 60s; exits 1 where they do not' },
  ...HUB_OPTIONS,
  url: { value: 'URL', help: 'address of the regional node, such as http://192.0.2.7:8081' },
  user: { value: 'NAME', help: 'user of the regional node (mode password)' },
  json: JSON_OPTION,
};

export const REGION_COMMANDS: readonly Command[] = [
  {
    name: 'bundle export',
    summary: 'what waits on a running hub, as files for a stick or a phone',
    operands: [{ name: 'F', help: 'the file, or the start of its name', isOptional: true }],
    options: {
      to: { value: 'DIR', help: 'folder for the files, where no name is given' },
      split: { value: 'MIB', help: 'largest size of a file' },
      ledger: {
        value: 'DIR',
        help: 'checkpoints and tiles of the ledger go there, as files; again: what is new',
      },
      ...HUB_OPTIONS,
      json: JSON_OPTION,
    },
    notes:
      'What is exported stays here until its receipt is imported.\nWhere uplink.url is empty, what is not exported goes by journal.keep_days.',
    load: async () => (await import('./bundle.ts')).exportBundle,
  },
  {
    name: 'bundle import',
    summary: 'take in a bundle: receipts, or what another hub sends and this one carries on',
    operands: [{ name: 'F', help: 'any file of it; the others lie beside it' }],
    options: {
      regional: { help: 'into the regional node, whose answers become a bundle for the way back' },
      receipts: { value: 'F', help: 'for those answers; absent: beside the bundle' },
      ...HUB_OPTIONS,
      json: JSON_OPTION,
    },
    notes:
      'Exits 1 where a file is torn or missing, or the region refuses a batch. Doing it again is harmless.',
    load: async () => (await import('./bundle.ts')).importBundle,
  },
  {
    name: 'regional send',
    summary: 'write a record of a site, such as a work order, and send it down to its hubs',
    options: {
      site: { value: 'NAME', help: 'the site' },
      key: { value: 'KEY', help: 'key of the record, such as order/17' },
      field: { value: 'NAME=VALUE', help: 'a field to set, JSON or text', isRepeatable: true },
      add: { value: 'NAME=N', help: 'a counter to raise', isRepeatable: true },
      remove: { help: 'remove the record' },
      ...DELIVERY_OPTIONS,
    },
    notes: 'Asks the running regional node; hubs get it in their next session, in order, once.',
    load: async () => (await import('./regional-send.ts')).regionalSend,
  },
  {
    name: 'regional override',
    summary: 'ask hubs of a site to send everything now, for a while',
    options: {
      site: { value: 'NAME', help: 'the site' },
      for: { value: 'DURATION', help: 'such as 30m or 2h, at most 24h' },
      end: { help: 'let the power brain decide again' },
      ...DELIVERY_OPTIONS,
    },
    notes: 'Of one hub (--hub) or all. Nothing goes in state shutdown, whoever asks.',
    load: async () => (await import('./regional-send.ts')).regionalOverride,
  },
  {
    name: 'regional config',
    summary: 'change settings of the hubs of a site, or show what they have made of it',
    options: {
      site: { value: 'NAME', help: 'the site' },
      field: {
        value: 'KEY=VALUE',
        help: 'a key of the configuration, in JSON',
        isRepeatable: true,
      },
      unset: { value: 'KEY', help: 'take back what was set', isRepeatable: true },
      ...DELIVERY_OPTIONS,
    },
    notes:
      'For one hub (--hub, which counts more) or all. Without --field and --unset: what hubs say.\nA hub starts anew with it by itself, and goes back where it does not come up.',
    load: async () => (await import('./regional-settings.ts')).regionalConfig,
  },
  {
    name: 'regional roster',
    summary: 'send a roster of the site (mode enrolled) down to its hubs',
    operands: [{ name: 'FILE', help: '`enrol/roster.cbor` of the node that is the authority' }],
    options: { site: { value: 'NAME', help: 'the site' }, ...DELIVERY_OPTIONS },
    notes: 'For an authority that is no hub; one that is sends each new roster by itself.',
    load: async () => (await import('./regional-settings.ts')).regionalRoster,
  },
  {
    name: 'operator-key',
    summary: 'make the key pair that hubs encrypt their batches to; prints the public half',
    operands: [{ name: 'FILE', help: 'for the private half, which only the regional node gets' }],
    options: { json: JSON_OPTION },
    load: async () => (await import('../data/operator-key.ts')).makeOperatorKeyCommand,
  },
];
