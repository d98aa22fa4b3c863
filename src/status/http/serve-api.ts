/**
 * What the APIs of hub and regional node have in common: who comes in, what every answer carries, and what is said where
 * nothing is found or something fails.
 */
import { Hono } from 'hono';

import { HubError, messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { secured } from './answers.ts';
import { addLastRoutes, type PageFiles } from './last-routes.ts';
import { admit, type HttpPrincipal, type LoginOptions } from './login.ts';
import { problem } from './problem.ts';

export interface ApiEnv {
  Bindings: { remote: string };
  Variables: { principal: HttpPrincipal | undefined };
}

interface ServeOptions extends LoginOptions {
  readonly page: PageFiles;
  readonly log: Log;
}

export interface Api {
  fetch(request: Request, remote: string): Response | Promise<Response>;
  /** What fails from now on fails because parts are closing, and is no news. */
  close(): void;
}

export function serveApi(
  node: 'hub' | 'regional node',
  options: ServeOptions,
  addRoutes: (app: Hono<ApiEnv>) => void,
): Api {
  const app = new Hono<ApiEnv>();
  let isClosed = false;
  app.onError((error) => {
    if (isClosed) return problem(503, `The ${node} is stopping.`);
    const fault = error instanceof HubError ? error : undefined;
    // Of a database that is away the log tells once; here each page that is open would, every ten seconds.
    if (fault?.code !== 'database.away')
      options.log.error('http.failed', { reason: messageOf(error) });
    if (fault !== undefined) return problem(503, `${fault.message}. ${fault.hint}`);
    return problem(500, `The log of the ${node} says more.`);
  });
  app.notFound((context) => problem(404, `There is nothing at ${context.req.path}.`));
  app.use(async (context, next) => {
    const admission = await admit(options, context.req.raw, context.env.remote);
    if (admission.kind === 'refused') context.res = admission.answer;
    else if (node === 'regional node' && admission.principal?.role === 'device') {
      // A hub's user must not see other sites.
      context.res = problem(403, 'This is for people; hubs and devices speak MQTT.');
    } else {
      context.set('principal', admission.principal);
      await next();
    }
    secured(context.res);
  });
  addRoutes(app);
  addLastRoutes(app, options.page);
  return {
    fetch: (request, remote) => app.fetch(request, { remote }),
    close: () => {
      isClosed = true;
    },
  };
}
