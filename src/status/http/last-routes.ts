/** What an API answers where none of its routes did: files of its page, and 405 for a path that is asked in another way. */
import type { Env, Hono } from 'hono';

import { problem } from './problem.ts';

export interface PageFiles {
  /** Undefined where the page has no such file. */
  answer(path: string, request: Headers): Response | undefined;
}

/** Called once every other route is there: the methods of a path are read from them. */
export function addLastRoutes<E extends Env>(app: Hono<E>, page: PageFiles): void {
  const methodsByPath = new Map<string, Set<string>>();
  for (const { path, method } of app.routes) {
    if (method === 'ALL') continue;
    const methods = methodsByPath.get(path) ?? new Set();
    methodsByPath.set(path, methods.add(method));
    if (method === 'GET') methods.add('HEAD');
  }
  for (const [path, methods] of methodsByPath) {
    const allowed = [...methods].join(', ');
    app.all(path, () => refusal(allowed));
  }
  app.all('*', ({ req: { path, method, raw } }, next) => {
    const file = page.answer(path, raw.headers);
    if (file === undefined) return next();
    return Promise.resolve(method === 'GET' || method === 'HEAD' ? file : refusal('GET, HEAD'));
  });
}

function refusal(allowed: string): Response {
  return problem(405, `Only ${allowed} here.`, { Allow: allowed });
}
