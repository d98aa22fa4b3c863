/** The commands of mode `enrolled`, as the table of commands has them. */
import type { Command } from '../args.ts';
import { CONFIG_OPTIONS } from '../config-options.ts';

const OPTIONS = { ...CONFIG_OPTIONS, json: { help: 'as one JSON document' } };
const ROLE = { value: 'ROLE', help: 'device (default), technician, supervisor or operator' };
const NEW_SITE = { help: 'begin another site, where `enrol` of this hub is lost for good' };
const REPLACE = { help: 'a member of this name loses its credentials' };
const NAMES = {
  value: 'NAME',
  help: 'host name or address of the hub, for its certificate',
  isRepeatable: true,
};
const NAME = { name: 'NAME', help: 'of the member; for a device, its name in topics' };
const AT = { value: 'URL', help: 'address of the hub that gives credentials, http://HOST:PORT' };

export const ENROL_COMMANDS: readonly Command[] = [
  {
    name: 'enrol token',
    summary: 'a one-time token, as text and QR code, by which a device gets its credentials',
    operands: [NAME],
    options: {
      role: ROLE,
      minutes: { value: 'N', help: 'how long it is good (default 30)' },
      hub: { help: 'for another hub of the site: `enrol join` there' },
      at: AT,
      replace: REPLACE,
      'new-site': NEW_SITE,
      'no-qr': { help: 'no QR code' },
      ...OPTIONS,
    },
    notes: 'Good for one use and five tries, at the hub of this data directory.',
    load: async () => (await import('./enrol.ts')).enrolToken,
  },
  {
    name: 'enrol device',
    summary: 'a member with a certificate (or a password), made here',
    operands: [NAME],
    options: {
      role: ROLE,
      password: { help: 'a password instead, for people and for devices without TLS' },
      'public-key': { value: 'FILE', help: "the device's own P-256 key, PEM; absent: a new one" },
      out: { value: 'DIR', help: 'where the files go (default: here)' },
      replace: REPLACE,
      'new-site': NEW_SITE,
      ...OPTIONS,
    },
    notes: 'A running hub knows the member within a second.',
    load: async () => (await import('./enrol.ts')).enrolDevice,
  },
  {
    name: 'enrol hub',
    summary: 'another hub of the site, as a file for `enrol import` there',
    operands: [NAME],
    options: {
      name: NAMES,
      out: { value: 'FILE', help: 'default: NAME.enrol' },
      replace: REPLACE,
      'new-site': NEW_SITE,
      ...OPTIONS,
    },
    notes: 'The file holds the private key of that hub: carry it, do not publish it.',
    load: async () => (await import('./enrol.ts')).enrolHub,
  },
  {
    name: 'enrol import',
    summary: 'make this hub one of the site of the file; or take a newer roster',
    operands: [{ name: 'FILE', help: 'of `enrol hub`, or an enrol/roster.cbor of the same site' }],
    options: CONFIG_OPTIONS,
    load: async () => (await import('./join.ts')).importFile,
  },
  {
    name: 'enrol join',
    summary: 'make this hub one of the site of a token, over the network',
    operands: [{ name: 'LINK', help: 'what `enrol token NAME --hub` has printed' }],
    options: { at: AT, name: NAMES, ...CONFIG_OPTIONS },
    load: async () => (await import('./join.ts')).joinSite,
  },
  {
    name: 'enrol list',
    summary: 'all members, with roles and kinds of credentials',
    options: OPTIONS,
    load: async () => (await import('./enrol.ts')).listMembers,
  },
  {
    name: 'enrol revoke',
    summary: 'take a member out; its connections end',
    operands: [{ name: 'ID', help: 'name of the member' }],
    options: OPTIONS,
    load: async () => (await import('./enrol.ts')).revokeMember,
  },
];
