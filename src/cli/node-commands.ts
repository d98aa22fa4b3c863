/** The commands that run until they are stopped (program-node.ts). */
import type { Command } from './args.ts';
import { CONFIG_OPTIONS } from './config-options.ts';

export const NODE_COMMANDS: readonly Command[] = [
  {
    name: 'run',
    summary: 'the hub: serves devices until it is stopped',
    options: CONFIG_OPTIONS,
    notes: 'Prints one line `ready` with its addresses when devices can connect; logs to stderr.',
    load: async () => (await import('./run.ts')).runHub,
  },
  {
    name: 'regional run',
    summary: 'the regional node: takes what hubs send, until it is stopped',
    options: CONFIG_OPTIONS,
    notes:
      'Prints one line `ready` with its addresses; keeps its files below `regional` of the data directory.',
    load: async () => (await import('./run.ts')).runRegion,
  },
];
