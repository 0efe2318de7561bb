import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type DestinationStream, pino } from 'pino';
import type { Logger } from '../base/logger.ts';
import type { LogLevel } from './config.ts';
import { RotatingLogFile } from './log-file.ts';

/**
 * A logger of JSON lines `{"level","ts","node","msg",…}`, `ts` an ISO time. Outputs are etcd's --log-outputs:
 * "stderr" (or "default"), "stdout", or a file, which is rotated. Throws if a file cannot be opened.
 */
export function createNodeLogger(name: string, level: LogLevel, outputs: string[]): Logger {
  const streams: DestinationStream[] = outputs.map((output) => {
    if (output === 'stderr' || output === 'default' || output === '') {
      return pino.destination({ dest: 2, sync: true });
    }
    if (output === 'stdout') return pino.destination({ dest: 1, sync: true });
    const path = resolve(output);
    mkdirSync(dirname(path), { recursive: true });
    return new RotatingLogFile(path);
  });
  const log = pino(
    {
      level,
      base: { node: name },
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => streams.forEach((stream) => void stream.write(line)) },
  );
  return {
    debug: (message, fields) => log.debug(fields ?? {}, message),
    info: (message, fields) => log.info(fields ?? {}, message),
    warn: (message, fields) => log.warn(fields ?? {}, message),
    error: (message, fields) => log.error(fields ?? {}, message),
  };
}
