/** Secrets come from files or from systemd credentials, never from the config itself. */
import { textOf } from '../base/bytes.ts';
import { HubError } from '../base/errors.ts';
import type { Files } from '../platform/files/files.ts';

interface SecretSource {
  readonly files: Pick<Files, 'read'>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Path from the config; empty: the credential, if systemd gave one. */
  readonly file: string;
  /** Name of the credential, such as `uplink-password` (`LoadCredential=` in the unit). */
  readonly credential: string;
  /** The key that names the file, for the message. */
  readonly key: string;
}

/** The secret without its line end; undefined where neither file nor credential is given. */
export function readSecret(source: SecretSource): string | undefined {
  const directory = source.env['CREDENTIALS_DIRECTORY'];
  const path = source.file || (directory === undefined ? '' : `${directory}/${source.credential}`);
  if (path === '') return undefined;
  const bytes = source.files.read(path);
  if (bytes === undefined && source.file === '') return undefined;
  const text = bytes === undefined ? undefined : textOf(bytes)?.replace(/\r?\n$/, '');
  if (text === undefined || text === '') {
    throw new HubError(
      'config.invalid',
      `${source.key}: ${path} is not there, empty or not a text`,
    );
  }
  return text;
}
