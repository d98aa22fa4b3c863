/** The program with all its commands. */
import { COMMANDS } from './cli/commands.ts';
import { runProgram } from './program.ts';

await runProgram(COMMANDS);
