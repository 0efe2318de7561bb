import { createServer, type Server } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePorts } from '../base/testing/free-ports.ts';
import { composeDefinition } from './definition.ts';
import { findPortOwner } from './port-owner.ts';
import { checkPorts, findFreeBlock, probePort } from './ports.ts';

async function occupy(port = 0): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return address.port;
}

describe('ports', () => {
  it('knows a port that can be bound from one that cannot', async () => {
    const [port = 0] = await freePorts(1);
    expect(await probePort(port)).toBeNull();
    await occupy(port);
    expect(await probePort(port)).toBe('EADDRINUSE');
  });

  it('names port, node and owner of a collision', async () => {
    const port = await occupy();
    const [other = 0] = await freePorts(1);
    const definition = composeDefinition({ id: 'x', name: 'x', nodes: 1, basePort: 20_000 });
    const node = { name: 'n1', clientPort: other, peerPort: port, dataDir: 'd' };
    const error = await checkPorts(definition, [node]).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'PortInUse' });
    expect(String(error)).toContain(`peer port ${port} of node n1 is in use`);
    if (process.platform === 'linux') expect(String(error)).toContain(`pid ${process.pid}`);
  });

  it.runIf(process.platform === 'linux')('finds nobody on a free port', async () => {
    const [port = 0] = await freePorts(1);
    expect(await findPortOwner(port)).toBeNull();
  });

  it('passes over blocks with a taken port or one to avoid', async () => {
    const from = await findFreeBlock(5, 20_000);
    await occupy(from + 3);
    const second = await findFreeBlock(5, from);
    expect(second).toBeGreaterThanOrEqual(from + 10);
    expect(await findFreeBlock(5, second, new Set([second + 9]))).toBeGreaterThanOrEqual(
      second + 10,
    );
  });

  it('says so when there is no block left', async () => {
    await expect(findFreeBlock(3, 65_533)).rejects.toMatchObject({ code: 'NoFreePorts' });
  });
});
