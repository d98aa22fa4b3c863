/**
 * The HTTP API and the page behind it (public contract: README). Whatever it serves comes through the small
 * interfaces below, and everything it says is JSON, a problem document or a stream. Who may ask: login.ts.
 * Status, log and metrics are what each user may hear below `hub/` anyway; records and readings follow the
 * user's rights to their key.
 */
import type { Context, Hono } from 'hono';

import type { Cancel, Clock, Timers } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { jsonAnswer, linesAnswer, textAnswer } from '../http/answers.ts';
import { type AssetDoor, assetsAnswer, contentAnswer, receiveAnswer } from './assets.ts';
import { enrolAnswer, type EnrolDoor } from './enrol.ts';
import { eventOf, EventStreams, SharedEvent } from '../http/event-stream.ts';
import type { PageFiles } from '../http/last-routes.ts';
import type { LoginOptions, MayRead } from '../http/login.ts';
import { type Api, type ApiEnv, serveApi } from '../http/serve-api.ts';
import { METRICS_TYPE, renderMetrics } from '../metrics.ts';
import { bundleAnswer, type BundleDoor, bundlePage } from './bundle.ts';
import { closeHolesAnswer, type HoleDoor, holesAnswer } from './holes.ts';
import { overrideAnswer, type OverrideDoor } from './override.ts';
import { powerAnswer, type PowerSample } from './power-history.ts';
import { problem } from '../http/problem.ts';
import { takenIn } from '../http/taken.ts';
import { timeIn } from '../http/time-parameter.ts';
import type { Health, StatusSnapshot } from '../snapshot.ts';
import { answerWish, type Wish } from '../http/wish.ts';
import { readingsAnswer, type ReadingsPage, type ReadingsQuery } from './readings.ts';
import {
  conflictsAnswer,
  docAnswer,
  historyAnswer,
  recordAnswer,
  type RecordDoor,
  recordsAnswer,
  resolveAnswer,
  undoAnswer,
} from './records.ts';
import { logFileAnswer, proofAnswer, type TransparencyLog } from './transparency.ts';

/** A line of the power-aware sync log; its keys are a public contract. */
export interface LogLine {
  readonly at: string;
}

export interface PowerSourceRow {
  readonly source: string;
  /** Absent where the source told nothing; then `value` says why. */
  readonly field?: string;
  readonly value: string;
  readonly unit: string;
  readonly ageS?: number;
}

/** What `store digest --json` prints. */
export interface StateDigest {
  readonly digest: string;
  readonly ops: number;
  readonly records: number;
}

export interface ApiOptions extends LoginOptions {
  snapshot(): StatusSnapshot;
  health(): Health;
  /** Of the folded state, once it has caught up with the journal. */
  digest(): Promise<StateDigest>;
  readonly syncLog: {
    lines(query: { sinceMs?: number; limit?: number }): readonly LogLine[];
    follow(listener: (line: LogLine) => void): Cancel;
  };
  readonly records: RecordDoor;
  readonly assets: AssetDoor;
  readings(query: ReadingsQuery): ReadingsPage;
  powerSince(sinceMs: number): readonly PowerSample[];
  /** What each power source tells at this moment, a row for each figure. */
  powerSources(): readonly PowerSourceRow[];
  readonly override: OverrideDoor;
  readonly holes: HoleDoor;
  readonly bundle: BundleDoor;
  /** On the hub that is the site's authority, in mode `enrolled`. */
  readonly enrol?: EnrolDoor;
  readonly ledger: TransparencyLog;
  readonly page: PageFiles;
  /** Of the hub: what `from` and `to` mean. */
  readonly clock: Clock;
  /** Of the machine: how often streams speak. */
  readonly timers: Timers;
  readonly log: Log;
}

type Handler = (context: Context<ApiEnv>) => Response | Promise<Response>;

const STATUS_PERIOD_MS = 1000;
const LINES_MAX = 10_000;
const LINES_FIRST = 50;
/** Of a stream's past; a reader that wants more asks for the lines first. */
const LINES_STREAMED = 500;

export function createApi(options: ApiOptions): Api {
  const streams = new EventStreams(options.timers);
  const api = serveApi('hub', options, (app) => addRoutes(app, options, streams));
  return {
    ...api,
    close: () => {
      api.close();
      streams.closeAll();
    },
  };
}

function addRoutes(app: Hono<ApiEnv>, options: ApiOptions, streams: EventStreams): void {
  const { enrol } = options;
  for (const [path, handler] of routes(options, streams)) app.get(path, handler);
  serveAssets(app, options);
  for (const [path, answer] of wishes(options)) {
    app.post(path, (context) =>
      answerWish(context.req.raw, context.get('principal'), (wish) =>
        answer(wish, rightsIn(options, context)),
      ),
    );
  }
  if (enrol !== undefined) {
    app.post('/api/v1/enrol', ({ req, env }) => enrolAnswer(enrol, req.raw, env.remote));
  }
}

/** What is read and written under one path. */
function serveAssets(app: Hono<ApiEnv>, options: ApiOptions): void {
  const { assets } = options;
  const receive: Handler = (context) =>
    receiveAnswer(assets, context.req.raw, context.get('principal'), rightsIn(options, context));
  app.get('/api/v1/assets', (context) => assetsAnswer(assets, ...readingOf(options, context)));
  app.post('/api/v1/assets', receive);
  app.get('/api/v1/assets/:id', (context) =>
    contentAnswer(assets, context.req.raw, rightsIn(options, context)),
  );
  app.put('/api/v1/assets/:id', receive);
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
    ['/api/v1/events', eventsHandler(options, streams)],
    ['/api/v1/log', (context) => logAnswer(options, streams, context)],
    ['/api/v1/power', ({ req }) => powerAnswer(options, new URL(req.url))],
    ['/api/v1/power/sources', () => jsonAnswer(options.powerSources())],
    [
      '/api/v1/records',
      (context) => recordsAnswer(options.records, options.timers, ...readingOf(options, context)),
    ],
    ['/api/v1/records/*', (context) => oneKeyAnswer(options, context, 'records', recordAnswer)],
    ['/api/v1/docs/*', (context) => oneKeyAnswer(options, context, 'docs', docAnswer)],
    [
      '/api/v1/history',
      (context) => historyAnswer(options.records, ...readingOf(options, context)),
    ],
    [
      '/api/v1/conflicts',
      (context) => conflictsAnswer(options.records, ...readingOf(options, context)),
    ],
    ['/api/v1/holes', () => holesAnswer(options.holes)],
    [
      '/api/v1/bundle/messages',
      ({ req, var: { principal } }) => bundlePage(options.bundle, new URL(req.url), principal),
    ],
    [
      '/api/v1/readings',
      (context) => {
        const source = { ...options, wallMs: () => options.clock.wallMs() };
        return readingsAnswer(source, context.req.raw, rightsIn(options, context));
      },
    ],
    ['/api/v1/proof', (context) => proofAnswer(options.ledger, ...readingOf(options, context))],
    ['/log/*', (context) => logFileAnswer(options.ledger, context.req.path)],
  ];
}

/** What people may change. */
function wishes({
  override,
  holes,
  records,
  bundle,
}: ApiOptions): [string, (wish: Wish, mayRead: MayRead) => Response | Promise<Response>][] {
  return [
    ['/api/v1/override', (wish) => overrideAnswer(override, wish)],
    ['/api/v1/holes/close', (wish) => closeHolesAnswer(holes, wish)],
    ['/api/v1/undo', (wish, mayRead) => undoAnswer(records, wish, mayRead)],
    ['/api/v1/conflicts/resolve', (wish, mayRead) => resolveAnswer(records, wish, mayRead)],
    ['/api/v1/bundle', (wish) => bundleAnswer(bundle, wish)],
  ];
}

/** The address asked for, and what the one who asks may read. */
function readingOf(options: LoginOptions, context: Context<ApiEnv>): [URL, MayRead] {
  return [new URL(context.req.url), rightsIn(options, context)];
}

/** What the one who asks may read. */
function rightsIn({ auth }: LoginOptions, context: Context<ApiEnv>): MayRead {
  const principal = context.get('principal');
  return (key) => principal === undefined || auth?.mayRead(principal, key) === true;
}

function healthAnswer(health: Health): Response {
  return jsonAnswer({ ok: health.ok, reasons: health.reasons }, health.ok ? 200 : 503);
}

/** Status every second and every new line of the log, beginning with the last ones: the page's stream. */
function eventsHandler(options: ApiOptions, streams: EventStreams): Handler {
  const status = new SharedEvent(options.timers, STATUS_PERIOD_MS, () =>
    eventOf('status', options.snapshot()),
  );
  return () => {
    const answer = streams.open((sink) => {
      const leave = status.join(sink);
      sink.send(eventOf('lines', options.syncLog.lines({ limit: LINES_FIRST })));
      const stopLines = options.syncLog.follow((line) => sink.send(eventOf('line', line)));
      return () => {
        stopLines();
        leave();
      };
    });
    return answer ?? tooManyStreams();
  };
}

/** `?since=`: the lines, or a stream of them where `Accept` wants one. */
function logAnswer(options: ApiOptions, streams: EventStreams, { req }: Context<ApiEnv>): Response {
  const since = timeIn(new URL(req.url), 'since', options.clock.wallMs());
  if (since instanceof Response) return since;
  const query = since === undefined ? {} : { sinceMs: since };
  if (!takenIn(req.header('accept') ?? '').includes('text/event-stream')) {
    return linesAnswer(options.syncLog.lines({ ...query, limit: LINES_MAX }));
  }
  const answer = streams.open((sink) => {
    const limit = since === undefined ? LINES_FIRST : LINES_STREAMED;
    for (const line of options.syncLog.lines({ ...query, limit })) sink.send(eventOf('line', line));
    return options.syncLog.follow((line) => sink.send(eventOf('line', line)));
  });
  return answer ?? tooManyStreams();
}

function oneKeyAnswer(
  options: ApiOptions,
  context: Context<ApiEnv>,
  place: 'records' | 'docs',
  answer: (door: RecordDoor, key: string) => Response,
): Response {
  const key = decoded(new URL(context.req.url).pathname.slice(`/api/v1/${place}/`.length));
  if (key === undefined || key === '') return problem(400, 'The path ends with a key.');
  if (!rightsIn(options, context)(key)) return problem(403, `You may not read ${key}.`);
  return answer(options.records, key);
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
