import { createServer } from 'node:net';

/**
 * Where tests let servers listen: below the range that Linux and macOS take the ports of outgoing connections from, or
 * one of those could sit on the port of a server that is down for a moment; and apart from the product's own ports.
 */
const FROM = 10_240;
const TO = 20_000;
const MAX_ATTEMPTS = 50;

/** The first of `count` TCP ports in a row that are free now. Chosen at random: several suites may run at once. */
export async function freeBasePort(count: number): Promise<number> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const base = FROM + Math.floor(Math.random() * (TO - FROM - count));
    const free = await Promise.all(inARow(base, count).map(isFree));
    if (free.every(Boolean)) return base;
  }
  throw new Error(`no ${count} free ports in a row`);
}

/** TCP ports that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  return inARow(await freeBasePort(count), count);
}

function inARow(base: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => base + i);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen({ host: '127.0.0.1', port }, () => server.close(() => resolve(true)));
  });
}
