/** The program that runs a hub or a regional node. */
import { NODE_COMMANDS } from './cli/node-commands.ts';
import { calmHeap } from './platform/calm-heap.ts';
import { runProgram } from './program.ts';

calmHeap();
await runProgram(NODE_COMMANDS);
