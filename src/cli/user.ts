/** `heliograph user …`: users of mode `password`, in a file that a running hub follows. */
import type { Role } from '../model/op.ts';
import { addUser, isUserName, readUsers, removeUser, ROLES } from '../security/users.ts';
import { type Args, UsageError } from './args.ts';
import { configOf, writableConfigOf } from './config-options.ts';
import type { CliIo } from './io.ts';
import { print } from './print.ts';
import { columns } from './text.ts';

export async function addUserCommand(args: Args, io: CliIo): Promise<void> {
  const name = nameOperand(args);
  const { data, security } = writableConfigOf(args, io);
  const role = roleOf(args.text('role') ?? 'device');
  const password = await addUser(io, data, { name, role });
  print(args, io, { name, role, password }, () => [password]);
  io.stderr(`Added ${role} ${name}. The password is shown this once and kept nowhere.\n`);
  if (security.mode !== 'password') {
    io.stderr(`It counts in mode password only; security.mode is "${security.mode}" here.\n`);
  }
}

export async function removeUserCommand(args: Args, io: CliIo): Promise<void> {
  const name = args.operand(0);
  await removeUser(io, configOf(args, io).data, name);
  io.stderr(`Removed ${name}. A running hub ends its connections within seconds.\n`);
}

export function listUsersCommand(args: Args, io: CliIo): void {
  const users = [...readUsers(io.files, configOf(args, io).data).values()];
  const shown = users.map(({ name, role }) => ({ name, role }));
  print(args, io, shown, () => columns(shown.map(({ name, role }) => [name, role])));
}

/** The first operand, a name that can be a level of topics. */
export function nameOperand(args: Args): string {
  const name = args.operand(0);
  if (isUserName(name)) return name;
  throw new UsageError('a name has 1 … 64 letters, digits, "-", "_" and "."; the first is no sign');
}

export function roleOf(text: string): Role {
  const role = ROLES.find((known) => known === text);
  if (role === undefined) throw new UsageError(`--role is one of ${ROLES.join(', ')}`);
  return role;
}
