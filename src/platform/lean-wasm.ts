/**
 * Imported before anything that loads WebAssembly: keeps V8 from compiling it a second time with its
 * optimising compiler. For SQLite that second pass costs 45 MB of resident memory, half of what an idle
 * hub may have, and saves about a fifth of the CPU time of a transaction (Node 20, x64). The flags have to be set
 * before the module is compiled, hence a module of its own whose import is its effect.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-wasm-tier-up');
setFlagsFromString('--no-wasm-dynamic-tiering');
