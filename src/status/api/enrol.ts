/**
 * `POST /api/v1/enrol`: a token becomes credentials. It asks for no login, because whoever comes has none yet; the
 * token is what lets in, and wrong ones are counted (security/enrolment/).
 */
import { HubError } from '../../base/errors.ts';
import { jsonAnswer } from '../http/answers.ts';
import { refuseForgery } from '../http/login.ts';
import { problem } from '../http/problem.ts';

/** Throws `HubError`: `enrol.malformed`, `enrol.refused`, `enrol.exists`. */
export type EnrolDoor = (request: unknown, remote: string) => Promise<unknown>;

export async function enrolAnswer(
  enrol: EnrolDoor,
  request: Request,
  remote: string,
): Promise<Response> {
  const forgery = refuseForgery(request);
  if (forgery !== undefined) return forgery;
  let body: unknown;
  try {
    body = await request.json();
  } catch {
    return problem(400, 'The body is no JSON.');
  }
  try {
    return jsonAnswer(await enrol(body, remote));
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    if (error.code === 'enrol.malformed') return problem(400, `${error.message}.`);
    if (error.code === 'enrol.refused') return problem(403, `${error.message}. ${error.hint}`);
    if (error.code === 'enrol.exists') return problem(409, `${error.message}. ${error.hint}`);
    throw error;
  }
}
