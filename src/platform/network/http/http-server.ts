/**
 * The hub's HTTP server: hands requests to a fetch-style handler and upgrades of one path to whoever speaks
 * WebSocket. What a stranger can hold is limited before the handler sees anything: connections, headers,
 * time for a request, bytes of a body (which must announce its length).
 *
 * Upgrades from pages of other origins can be refused: a browser on this machine would otherwise let any web
 * site talk to a broker that trusts loopback.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

import { listenFault, plainAddress } from '../machine-network.ts';
import { keepRoom } from './http-crowd.ts';
import { HttpEnding } from './http-ending.ts';
import { PROBLEM_TYPE, problemAnswer, problemText, refuse, type Refusal } from './refusal.ts';
import type { UpgradeHandler } from './websocket.ts';

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** The key that asks for it, for the error where the port is taken: `http.port`. */
  readonly purpose: string;
  /** Connections beyond this number are closed at once. Before that, those make room that ask for nothing. */
  readonly connectionsMax: number;
  /** Hears of each of those. */
  onTurnedAway?(): void;
  /** How long a connection may ask for nothing before it makes room; a second. */
  readonly patienceMs?: number;
  /** How long a body of up to 1 MiB may take; 30 s. */
  readonly bodyMsMax?: number;
  /** Answers a request; `remote` is the peer's address, such as `192.0.2.7:51234`. */
  fetch(request: Request, remote: string): Response | Promise<Response>;
  /** How long a body may be, where that is more than 1 MiB. */
  readonly bodyBytesMax?: (method: string, path: string) => number;
  readonly upgrade?: {
    readonly path: string;
    readonly handler: UpgradeHandler;
    /** Whether a page of another origin may connect. */
    readonly origins: 'same' | 'any';
  };
}

export interface HttpServer {
  readonly host: string;
  readonly port: number;
  /** Frees the port, answers 503 to who still waits, and ends every connection that is not upgraded. */
  close(): Promise<void>;
}

const HEADER_BYTES_MAX = 16 * 1024;
/** Counted from the moment of the accept, also while the program itself has no time to read: not too tight. */
const HEADERS_MS_MAX = 30_000;
/** A long body over a weak radio takes its time; others must be here sooner (BODY_MS_MAX). */
const REQUEST_MS_MAX = 600_000;
const BODY_MS_MAX = 30_000;
const IDLE_MS_MAX = 15_000;
const CHECK_MS = 5_000;
/** A reader that takes nothing for so long is gone, or means it. */
const STALL_MS_MAX = 300_000;
const BODY_BYTES_MAX = 1 << 20;

/** Throws `HubError` (`port.taken`, `port.unusable`) where it cannot listen. */
export function serveHttp(options: HttpServerOptions): Promise<HttpServer> {
  const ending = new HttpEnding();
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      keepAliveTimeout: IDLE_MS_MAX,
      connectionsCheckingInterval: CHECK_MS,
      requireHostHeader: false, // Node would refuse without a word; see `refusedHead`.
    },
    requestListener(options, ending),
  );
  server.maxConnections = options.connectionsMax;
  server.timeout = STALL_MS_MAX;
  server.on('drop', () => options.onTurnedAway?.());
  keepRoom(server, options.connectionsMax, options.patienceMs);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => answerUnread(error, socket));
  server.on('checkExpectation', (_request, response: ServerResponse) => {
    answerRefusal(response, UNEXPECTED);
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    upgrade(options.upgrade, request, socket, head);
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenFault(options, error)));
    server.listen(options.port, options.host, () => {
      server.removeAllListeners('error');
      // An accept that fails for want of file descriptors is tried again by the next client.
      server.on('error', () => undefined);
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : options.port;
      resolve({ host: options.host, port, close: () => stop(server, ending) });
    });
  });
}

/** Connections on which an answer is on its way. */
const ANSWERED = new WeakSet<Duplex>();

/** What never became a request: Node would answer without a word. */
function answerUnread({ code }: NodeJS.ErrnoException, socket: Duplex): void {
  const refusal = UNREAD.get(code ?? '') ?? NONSENSE;
  // Behind the beginning of another answer, a second one would be taken for its rest.
  if (!socket.writable || ANSWERED.has(socket)) return void socket.destroy();
  refuse(socket, refusal);
}

type RequestListener = (request: IncomingMessage, response: ServerResponse) => unknown;

function requestListener(options: HttpServerOptions, ending: HttpEnding): RequestListener {
  let answering: Promise<RequestListener> | undefined;
  return (request, response) => {
    const { socket } = request;
    ANSWERED.add(socket);
    response.once('close', () => ANSWERED.delete(socket));
    ending.watch(response);
    const path = (request.url ?? '').split('?')[0] ?? '';
    const longest = options.bodyBytesMax?.(request.method ?? '', path) ?? BODY_BYTES_MAX;
    const refusal =
      path === options.upgrade?.path
        ? UPGRADE_ONLY
        : (refusedHead(request) ?? refusedBody(request, longest));
    if (refusal !== undefined) return answerRefusal(response, refusal);
    if (longest <= BODY_BYTES_MAX) hurry(request, response, options.bodyMsMax);
    answering ??= fetchListener(options, ending);
    return answering.then((answer) => answer(request, response));
  };
}

const UPGRADE_ONLY: Refusal = {
  status: 426,
  detail: 'Only WebSocket, with the subprotocol mqtt.',
  upgrade: 'websocket',
};

const TOO_SLOW: Refusal = {
  status: 408,
  detail: 'The request did not come to its end in time. Ask again.',
};
const UNEXPECTED: Refusal = {
  status: 417,
  detail: 'Expect nothing but 100-continue.',
};

/** By the code of Node's error. */
const UNREAD: ReadonlyMap<string, Refusal> = new Map([
  ['ERR_HTTP_REQUEST_TIMEOUT', TOO_SLOW],
  [
    'HPE_HEADER_OVERFLOW',
    {
      status: 431,
      detail: `Headers have at most ${HEADER_BYTES_MAX} bytes here.`,
    },
  ],
]);
const NONSENSE: Refusal = { status: 400, detail: 'This is no HTTP.' };
const STRANGER: Refusal = {
  status: 403,
  detail: 'Pages of other origins may not connect.',
};
const NO_SUCH_UPGRADE: Refusal = {
  status: 404,
  detail: 'WebSocket is not spoken at this path.',
};
const MISTAKE: Refusal = {
  status: 500,
  detail: 'Its log says which.',
};

function answerRefusal(response: ServerResponse, refusal: Refusal): void {
  const { upgrade: protocol, status } = refusal;
  response.writeHead(status, {
    Connection: protocol === undefined ? 'close' : 'close, upgrade',
    'Content-Type': PROBLEM_TYPE,
    'Cache-Control': 'no-store',
    ...(protocol === undefined ? {} : { Upgrade: protocol }),
  });
  response.end(problemText(refusal));
}

/** Loaded with the first request: a hub whose page nobody opens does without the memory. */
async function fetchListener(
  options: HttpServerOptions,
  ending: HttpEnding,
): Promise<RequestListener> {
  const { getRequestListener } = await import('@hono/node-server');
  return getRequestListener(
    (request, env) => {
      const remote = remoteOf((env.incoming as IncomingMessage).socket);
      return ending.answer(() => options.fetch(request, remote));
    },
    {
      overrideGlobalObjects: false,
      hostname: options.host,
      errorHandler: () => problemAnswer(MISTAKE),
    },
  );
}

/** Ends a request whose body does not come; who has no answer yet is told why. */
function hurry(request: IncomingMessage, response: ServerResponse, bodyMsMax = BODY_MS_MAX): void {
  const timer = setTimeout(() => {
    if (request.complete) return;
    if (!response.headersSent) refuse(request.socket, TOO_SLOW);
    request.destroy();
  }, bodyMsMax).unref();
  request.once('close', () => clearTimeout(timer));
}

/**
 * Two hosts may mean one to us and the other to whoever stands in front, and none is for HTTP/1.0 alone [RFC 9112 §3.2]; `*` is no
 * path of ours.
 */
function refusedHead(request: IncomingMessage): Refusal | undefined {
  const { rawHeaders, httpVersion, url } = request;
  const hosts = rawHeaders.filter((it, index) => index % 2 === 0 && /^host$/i.test(it)).length;
  if (hosts > 1 || (hosts === 0 && httpVersion !== '1.0')) {
    return { status: 400, detail: 'One Host, please.' };
  }
  return url === '*' ? { status: 400, detail: 'Name a path.' } : undefined;
}

/** What answers a body of unknown or forbidden length. */
function refusedBody(request: IncomingMessage, longest: number): Refusal | undefined {
  if (request.headers['transfer-encoding'] !== undefined) {
    const detail = 'A body says how long it is: Content-Length.';
    return { status: 411, detail };
  }
  if (Number(request.headers['content-length'] ?? 0) <= longest) return undefined;
  return { status: 413, detail: `A body has at most ${longest} bytes here.` };
}

function upgrade(
  wanted: HttpServerOptions['upgrade'],
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  socket.on('error', () => undefined);
  const path = (request.url ?? '').split('?')[0];
  if (wanted === undefined || path !== wanted.path) return refuse(socket, NO_SUCH_UPGRADE);
  if (wanted.origins === 'same' && !isSameOrigin(request)) return refuse(socket, STRANGER);
  wanted.handler(request, socket, head);
}

/** Browsers always send `Origin` with a WebSocket; other programs send none and are not led by web sites. */
function isSameOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

function remoteOf(socket: IncomingMessage['socket']): string {
  return `${plainAddress(socket.remoteAddress)}:${socket.remotePort ?? 0}`;
}

/** Upgraded connections belong to whoever took them over. */
async function stop(server: Server, ending: HttpEnding): Promise<void> {
  server.close();
  await ending.stop();
  server.closeAllConnections();
}
