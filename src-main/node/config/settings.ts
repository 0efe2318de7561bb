import { errorMessage } from '../../base/errors.ts';
import { ConfigError } from './errors.ts';
import {
  FLAGS,
  type Flag,
  type FlagName,
  isFlag,
  type Settings,
  VARIABLE_PREFIX,
  variableOf,
} from './flags.ts';
import { isNoSetting, unknownFlag, unknownVariable } from './unknown.ts';

/** What a user wrote, and where, for messages. */
interface Given {
  text: string;
  where: string;
}

export type CommandLine = { wants: 'help' | 'version' } | { wants: 'run'; settings: Settings };

/** etcd's rule: a flag wins over its variable, the variable over the default. Throws ConfigError. */
export function readSettings(args: string[], env: NodeJS.ProcessEnv): CommandLine {
  const flags = readFlags(args);
  if (flags === 'help' || flags === 'version') return { wants: flags };
  const given = readVariables(env);
  for (const [name, value] of flags) given.set(name, value);
  const settings = Object.fromEntries(
    Object.entries<Flag<unknown>>(FLAGS).map(([name, flag]) => [
      name,
      chosen(flag, given.get(name as FlagName)),
    ]),
  ) as Settings;
  return { wants: 'run', settings };
}

/** Go's flag syntax: one dash or two, the value after = or as the next argument, the last one wins. */
function readFlags(args: string[]): Map<FlagName, Given> | 'help' | 'version' {
  const given = new Map<FlagName, Given>();
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(arg);
    if (match === null) throw stray(arg, args[i - 1]);
    const [, name = '', value] = match;
    if (name === 'help' || name === 'h') return 'help';
    if (name === 'version') return 'version';
    if (!isFlag(name)) throw unknownFlag(name);
    const isSwitch = FLAGS[name].takes === undefined;
    const next = value ?? (isSwitch ? 'true' : args[++i]);
    if (next === undefined) throw new ConfigError(`--${name} needs a value`);
    given.set(name, { text: next, where: `--${name}` });
  }
  return given;
}

function stray(arg: string, before: string | undefined): ConfigError {
  const name = before?.replace(/^--?/, '') ?? '';
  const isSwitch = isFlag(name) && FLAGS[name].takes === undefined;
  return new ConfigError(
    `unexpected argument "${arg}"`,
    isSwitch ? `Write --${name}=${arg}.` : 'A node takes flags only. See raftdeck node --help.',
  );
}

/** As in etcd, a variable that is empty is one that is not set. */
function readVariables(env: NodeJS.ProcessEnv): Map<FlagName, Given> {
  const byVariable = new Map(Object.keys(FLAGS).map((name) => [variableOf(name), name]));
  const given = new Map<FlagName, Given>();
  for (const [variable, value] of Object.entries(env).sort()) {
    if (!variable.startsWith(VARIABLE_PREFIX) || value === undefined || value === '') continue;
    if (isNoSetting(variable)) continue;
    const name = byVariable.get(variable);
    if (name === undefined) throw unknownVariable(variable);
    given.set(name as FlagName, { text: value, where: variable });
  }
  return given;
}

function chosen(flag: Flag<unknown>, given: Given | undefined): unknown {
  if (given === undefined) {
    return flag.fallback === undefined ? undefined : flag.parse(flag.fallback);
  }
  try {
    return flag.parse(given.text);
  } catch (error) {
    const hint = error instanceof ConfigError ? error.hint : undefined;
    throw new ConfigError(`${given.where} "${given.text}": ${errorMessage(error)}`, hint);
  }
}
