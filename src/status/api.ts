/**
 * The HTTP API and the page behind it (public contract: README). Only reads, so far: whatever it serves comes
 * through the small interfaces below, and everything it says is JSON, a problem document or a stream.
 *
 * In mode `password` every path but /healthz asks for a user (HTTP Basic). Status, log and metrics are what
 * each user may hear below `hub/` anyway; records and readings follow the user's rights to their key.
 * Without users, requests that name another host than this machine are refused, so that no web site can
 * point its own name at loopback and read along (DNS rebinding).
 */
import { type Context, Hono } from 'hono';

import { textOf } from '../base/bytes.ts';
import type { Cancel, Clock, Timers } from '../base/clock.ts';
import { durationMs } from '../base/duration.ts';
import { messageOf } from '../base/errors.ts';
import { isoTime, wallMsOfIso } from '../base/iso-time.ts';
import type { Log } from '../base/log.ts';
import type { Role } from '../model/op.ts';
import { EventStreams } from './event-stream.ts';
import { METRICS_TYPE, renderMetrics } from './metrics.ts';
import type { PowerSample } from './power-history.ts';
import { problem } from './problem.ts';
import type { Health, StatusSnapshot } from './snapshot.ts';
import {
  gatherReadings,
  readingsCsv,
  readingsJson,
  type ReadingsPage,
  type ReadingsQuery,
} from './readings.ts';
import { jsonOfCbor } from './values.ts';

/** A line of the power-aware sync log; its keys are a public contract. */
export interface LogLine {
  readonly at: string;
}

/** What `store digest --json` prints. */
export interface StateDigest {
  readonly digest: string;
  readonly ops: number;
  readonly records: number;
}

export interface HttpPrincipal {
  readonly name: string;
  readonly role: Role;
  readonly clientId: string;
}

export interface Authenticator {
  authenticate(login: {
    readonly clientId: string;
    readonly username: string;
    readonly password: Uint8Array;
    readonly remote: string;
  }): Promise<HttpPrincipal | undefined>;
  mayRead(who: HttpPrincipal, key: string): boolean;
}

export interface ApiOptions {
  snapshot(): StatusSnapshot;
  health(): Health;
  /** Of the folded state, once it has caught up with the journal. */
  digest(): Promise<StateDigest>;
  readonly syncLog: {
    lines(query: { sinceMs?: number; limit?: number }): readonly LogLine[];
    follow(listener: (line: LogLine) => void): Cancel;
  };
  /** Fields of a record by name, each value in CBOR; empty where there is none. */
  record(key: string): ReadonlyMap<string, { readonly value: Uint8Array }>;
  readings(query: ReadingsQuery): ReadingsPage;
  powerSince(sinceMs: number): readonly PowerSample[];
  readonly page: { answer(path: string, request: Headers): Response | undefined };
  /** Of the hub: what `from` and `to` mean. */
  readonly clock: Clock;
  /** Of the machine: how often streams speak. */
  readonly timers: Timers;
  readonly log: Log;
  /** In mode `password`. */
  readonly auth?: Authenticator;
  /** Whether a request may name this host; absent: any. */
  acceptsHost?(hostname: string): boolean;
}

export interface Api {
  fetch(request: Request, remote: string): Response | Promise<Response>;
  /** Ends every stream. */
  close(): void;
}

interface Env {
  Bindings: { remote: string };
  Variables: { principal: HttpPrincipal };
}

type Handler = (context: Context<Env>) => Response | Promise<Response>;

const STATUS_PERIOD_MS = 1000;
const LINES_MAX = 10_000;
const LINES_FIRST = 50;
/** Of a stream's past; a reader that wants more asks for the lines first. */
const LINES_STREAMED = 500;
const DAY_MS = 86_400_000;
/** What the page may load and do: its own files, nothing else. */
const SECURITY_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

export function createApi(options: ApiOptions): Api {
  const streams = new EventStreams(options.timers);
  const app = new Hono<Env>();
  app.onError((error) => {
    options.log.error('http.failed', { reason: messageOf(error) });
    return problem(500, 'The log of the hub says more.');
  });
  app.notFound((context) => problem(404, `There is nothing at ${context.req.path}.`));
  app.use(async (context, next) => {
    const refusal = await admit(options, context);
    if (refusal === undefined) await next();
    else context.res = refusal;
    for (const [name, value] of Object.entries(SECURITY_HEADERS))
      context.res.headers.set(name, value);
  });
  for (const [path, handler] of routes(options, streams)) {
    app.get(path, handler);
    app.all(path, () => problem(405, 'Only GET and HEAD here.', { Allow: 'GET, HEAD' }));
  }
  app.get('*', (context, next) => {
    const { path, raw } = context.req;
    return Promise.resolve(options.page.answer(path, raw.headers) ?? next());
  });
  return {
    fetch: (request, remote) => app.fetch(request, { remote }),
    close: () => streams.closeAll(),
  };
}

function routes(options: ApiOptions, streams: EventStreams): [string, Handler][] {
  return [
    ['/healthz', () => healthAnswer(options.health())],
    [
      '/metrics',
      () => textAnswer(renderMetrics(options.snapshot(), options.health()), METRICS_TYPE),
    ],
    ['/api/v1/status', () => jsonAnswer(options.snapshot())],
    ['/api/v1/digest', async () => jsonAnswer(await options.digest())],
    ['/api/v1/events', () => eventsAnswer(options, streams)],
    ['/api/v1/log', (context) => logAnswer(options, streams, context)],
    ['/api/v1/power', (context) => powerAnswer(options, context)],
    ['/api/v1/records/*', (context) => recordAnswer(options, context)],
    ['/api/v1/readings', (context) => readingsAnswer(options, context)],
  ];
}

/** The refusal, or undefined where the request may go on. */
async function admit(options: ApiOptions, context: Context<Env>): Promise<Response | undefined> {
  const { hostname } = new URL(context.req.url);
  if (options.acceptsHost?.(hostname) === false) {
    return problem(421, `This hub does not answer for ${hostname}; use its address.`);
  }
  if (options.auth === undefined || context.req.path === '/healthz') return undefined;
  const login = basicLogin(context.req.header('authorization'));
  const who =
    login === undefined
      ? undefined
      : await options.auth.authenticate({ ...login, clientId: 'http', remote: context.env.remote });
  if (who === undefined) {
    const challenge = { 'WWW-Authenticate': 'Basic realm="heliograph", charset="UTF-8"' };
    return problem(401, 'Name and password of a user of this hub, please.', challenge);
  }
  context.set('principal', who);
  return undefined;
}

/** Name and password of `Authorization: Basic …` (RFC 7617). */
function basicLogin(
  header: string | undefined,
): { username: string; password: Uint8Array } | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/=]{1,2048})$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(encoded), (sign) => sign.charCodeAt(0));
  } catch {
    return undefined;
  }
  const colon = bytes.indexOf(0x3a);
  const username = colon < 0 ? undefined : textOf(bytes.subarray(0, colon));
  return username === undefined ? undefined : { username, password: bytes.subarray(colon + 1) };
}

function healthAnswer(health: Health): Response {
  return jsonAnswer({ ok: health.ok, reasons: health.reasons }, health.ok ? 200 : 503);
}

/** Status every second and every new line of the log, beginning with the last ones: the page's stream. */
function eventsAnswer(options: ApiOptions, streams: EventStreams): Response {
  const answer = streams.open((sink) => {
    sink.send('status', options.snapshot());
    sink.send('lines', options.syncLog.lines({ limit: LINES_FIRST }));
    const stopLines = options.syncLog.follow((line) => sink.send('line', line));
    const stopStatus = options.timers.every(STATUS_PERIOD_MS, () => {
      sink.send('status', options.snapshot());
    });
    return () => {
      stopLines();
      stopStatus();
    };
  });
  return answer ?? tooManyStreams();
}

function logAnswer(options: ApiOptions, streams: EventStreams, context: Context<Env>): Response {
  const since = timeParameter(context, 'since');
  if (since === 'malformed') return malformedTime('since');
  const query = since === undefined ? {} : { sinceMs: since };
  if (!/\btext\/event-stream\b/.test(context.req.header('accept') ?? '')) {
    const lines = options.syncLog.lines({ ...query, limit: LINES_MAX });
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    return textAnswer(text, 'application/jsonl; charset=utf-8');
  }
  const answer = streams.open((sink) => {
    const limit = since === undefined ? LINES_FIRST : LINES_STREAMED;
    for (const line of options.syncLog.lines({ ...query, limit })) sink.send('line', line);
    return options.syncLog.follow((line) => sink.send('line', line));
  });
  return answer ?? tooManyStreams();
}

/** Columns for a chart. */
function powerAnswer(options: ApiOptions, context: Context<Env>): Response {
  const since = timeParameter(context, 'since');
  if (since === 'malformed') return malformedTime('since');
  const samples = options.powerSince(since ?? options.clock.wallMs() - DAY_MS);
  return jsonAnswer({
    at: samples.map(({ atMs }) => isoTime(atMs)),
    socPct: samples.map(({ socPct }) => socPct),
    batteryV: samples.map(({ batteryV }) => batteryV),
    pvW: samples.map(({ pvW }) => pvW),
    loadW: samples.map(({ loadW }) => loadW),
  });
}

function recordAnswer(options: ApiOptions, context: Context<Env>): Response {
  const key = decoded(new URL(context.req.url).pathname.slice('/api/v1/records/'.length));
  if (key === undefined || key === '')
    return problem(400, 'The path ends with the key of a record.');
  if (!mayRead(options, context, key)) return problem(403, `You may not read ${key}.`);
  const fields = options.record(key);
  if (fields.size === 0) return problem(404, `There is no record ${key}.`);
  const shown = [...fields].map(([name, { value }]) => [name, jsonOfCbor(value)] as const);
  return jsonAnswer({ key, fields: Object.fromEntries(shown) });
}

async function readingsAnswer(options: ApiOptions, context: Context<Env>): Promise<Response> {
  const key = context.req.query('key') ?? '';
  if (key === '') return problem(400, 'Say which: ?key=devices/meter7/energy');
  if (!mayRead(options, context, key)) return problem(403, `You may not read ${key}.`);
  const to = timeParameter(context, 'to');
  const from = timeParameter(context, 'from');
  const stepMs = durationMs(context.req.query('step') ?? '0');
  if (to === 'malformed') return malformedTime('to');
  if (from === 'malformed') return malformedTime('from');
  if (stepMs === undefined) return problem(400, 'step is a duration such as 30s, 15m or 1h.');
  const toMs = to ?? options.clock.wallMs();
  const query = { key, fromMs: from ?? toMs - DAY_MS, toMs, stepMs };
  const found = await gatherReadings(options, query);
  const wantsCsv = /\btext\/csv\b/.test(context.req.header('accept') ?? '');
  if (wantsCsv) return textAnswer(readingsCsv(found), 'text/csv; charset=utf-8; header=present');
  return jsonAnswer(readingsJson(query, found));
}

function mayRead(options: ApiOptions, context: Context<Env>, key: string): boolean {
  return options.auth === undefined || options.auth.mayRead(context.get('principal'), key);
}

function timeParameter(context: Context<Env>, name: string): number | 'malformed' | undefined {
  const text = context.req.query(name);
  return text === undefined ? undefined : (wallMsOfIso(text) ?? 'malformed');
}

function malformedTime(name: string): Response {
  return problem(400, `${name} is an RFC 3339 time such as 2026-03-01T06:10:00Z.`);
}

function tooManyStreams(): Response {
  return problem(429, 'Too many streams are open; close a page and try again.', {
    'Retry-After': '10',
  });
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function jsonAnswer(value: unknown, status = 200): Response {
  return textAnswer(`${JSON.stringify(value)}\n`, 'application/json', status);
}

function textAnswer(text: string, type: string, status = 200): Response {
  return new Response(text, {
    status,
    headers: { 'Content-Type': type, 'Cache-Control': 'no-store' },
  });
}
