/** The thread that packs batches: a module of its own, started by whoever opens the uplink. */
import { serveThread } from '../../platform/threads.ts';
import { PackDesk } from './pack-desk.ts';
import type { ToPackThread } from './thread-messages.ts';

const desk = new PackDesk();
serveThread((message, answer) => desk.take(message as ToPackThread, answer));
