/** The program that runs a hub or a regional node. */
import { NODE_COMMANDS } from './cli/node-commands.ts';
import { calmHeap } from './platform/calm-heap.ts';
import { runProgram } from './program.ts';

calmHeap();
// Devices need a hub whose one line `ready` found no room, or no reader.
await runProgram(NODE_COMMANDS, () => undefined);
