/** `heliograph bench …` in the table of commands. */
import type { Command } from '../args.ts';

const JSON_OPTION = { help: 'as one JSON document' };
const DIR_OPTION = { value: 'DIR', help: 'for the files of the run (default ./data)' };
const BENCH_OPTIONS = {
  vs: {
    value: 'RIVAL',
    help: 'a rival under the same load: mosquitto, rabbitmq (quorum queues), nats (JetStream, synced always), or bare, the least that can promise the disk',
  },
  seconds: { value: 'N', help: 'length of each measurement' },
  runs: { value: 'N', help: 'runs whose median counts (default 3)' },
  dir: { value: 'DIR', help: 'where the brokers keep their files (default ./data)' },
  json: JSON_OPTION,
};

export const BENCH_COMMANDS: readonly Command[] = [
  {
    name: 'bench ingest',
    summary: 'measure durable publishes: rate, latency, processor, memory and flash',
    options: {
      ...BENCH_OPTIONS,
      scenario: {
        value: 'NAME',
        help: 'window20, window1, thousand (default: these three), offline, fanout0, live1, drain, all',
        isRepeatable: true,
      },
    },
    load: async () => (await import('./command.ts')).benchIngest,
  },
  {
    name: 'bench drain',
    summary: 'measure how fast a returning subscriber gets what waited',
    options: BENCH_OPTIONS,
    load: async () => (await import('./command.ts')).benchDrain,
  },
  {
    name: 'bench steady',
    summary: 'measure whether memory and latency stay what they are, at half the rate a hub folds',
    options: {
      minutes: { value: 'N', help: 'that devices publish (default 10)' },
      seconds: { value: 'N', help: 'of each minute (default 60)' },
      rate: { value: 'N', help: 'messages a second (default: half of what it folds)' },
      dir: DIR_OPTION,
      json: JSON_OPTION,
    },
    load: async () => (await import('./steady.ts')).benchSteady,
  },
  {
    name: 'bench recover',
    summary: 'measure the time from the start to the first CONNACK, empty and with a million ops',
    options: {
      ops: { value: 'N', help: 'in the journal (default 1000000)' },
      runs: { value: 'N', help: 'starts of each kind (default 5)' },
      dir: DIR_OPTION,
      json: JSON_OPTION,
    },
    load: async () => (await import('./recover.ts')).benchRecover,
  },
  {
    name: 'bench apply',
    summary:
      'measure how fast messages and edits get from the journal into the tables, and how long undo takes',
    options: {
      ops: { value: 'N', help: 'of each kind in the journal (default 100000)' },
      undos: {
        value: 'N',
        help: 'of them among the newest 10,000 that are taken back (default 1000)',
      },
      dir: DIR_OPTION,
      json: JSON_OPTION,
    },
    load: async () => (await import('./merge/command.ts')).benchApply,
  },
  {
    name: 'bench uplink',
    summary:
      'measure a day of meters over the wire, in bytes an op, and how batches are built beside publishes',
    options: {
      vs: { value: 'RIVAL', help: 'a bridge that carries the same publishes: mosquitto' },
      minutes: { value: 'N', help: 'so much of the day (default 1440)' },
      seconds: { value: 'N', help: 'of each turn that is built or idled in (default 3)' },
      dir: DIR_OPTION,
      json: JSON_OPTION,
    },
    notes: 'Needs Mosquitto, which stands between hub and regional node.',
    load: async () => (await import('./uplink/command.ts')).benchUplink,
  },
  {
    name: 'bench power',
    summary: 'measure a tick of the power brain, what it remembers, and a hub that idles',
    options: {
      seconds: { value: 'N', help: 'that the hub idles (default 60)' },
      dir: DIR_OPTION,
      json: JSON_OPTION,
    },
    load: async () => (await import('./power.ts')).benchPower,
  },
  {
    name: 'bench regional',
    summary: 'measure how fast one worker of a fleet stores batches in PostgreSQL',
    options: {
      database: { value: 'URL', help: 'postgres://… of a database for this alone' },
      hubs: { value: 'N', help: 'that send (default 10)' },
      ops: { value: 'N', help: 'of each hub (default 50000)' },
      dir: DIR_OPTION,
      json: JSON_OPTION,
    },
    notes: 'Needs Mosquitto, which brings the batches, and PostgreSQL.',
    load: async () => (await import('./regional/command.ts')).benchRegional,
  },
  {
    name: 'bench build',
    isInternal: true,
    summary: 'the building of `bench uplink`, in a process of its own',
    operands: [{ name: 'DIR', help: 'of the run' }],
    load: async () => (await import('./uplink/building.ts')).benchBuild,
  },
  {
    name: 'bench acks',
    isInternal: true,
    summary: 'the hub that `bench uplink` publishes at, in a process of its own',
    operands: [
      { name: 'DIR', help: 'of the hub' },
      { name: 'MINUTES', help: 'of the day, as its backlog' },
      { name: 'SECONDS', help: 'of each turn' },
    ],
    load: async () => (await import('./uplink/acks.ts')).benchAcks,
  },
  {
    name: 'bench bare',
    isInternal: true,
    summary: 'the rival `bare` of `bench ingest`',
    operands: [{ name: 'DIR', help: 'for its file' }],
    load: async () => (await import('./rivals/bare.ts')).benchBare,
  },
  {
    name: 'bench load',
    isInternal: true,
    summary: 'the load of the other bench commands, in a process of its own',
    operands: [{ name: 'SPEC', help: 'broker and load, as JSON' }],
    load: async () => (await import('./command.ts')).benchLoad,
  },
];
