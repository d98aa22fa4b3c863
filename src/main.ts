#!/usr/bin/env node
/**
 * Entry of the program. What runs a node (`run`, `regional run`) is built into a file of its own: a hub starts on a slow
 * card, and has no use for the code of the other commands.
 */
const [first, second] = process.argv.slice(2);
const runsNode = first === 'run' || (first === 'regional' && second === 'run');

await (runsNode ? import('./program-node.ts') : import('./program-all.ts'));
