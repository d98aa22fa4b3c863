/** The program that runs a hub or a regional node. */
import { NODE_COMMANDS } from './cli/node-commands.ts';
import { runProgram } from './program.ts';

await runProgram(NODE_COMMANDS);
