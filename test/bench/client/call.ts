import { ClientConnection, requestHeaders } from './connection.ts';

export interface Address {
  host: string;
  port: number;
}

export function authority({ host, port }: Address): string {
  return `${host}:${port}`;
}

/** One unary call on a connection: its answer's message. Rejects with the status if that is not OK. */
export function callOn(
  connection: ClientConnection,
  address: Address,
  path: string,
  framed: Buffer,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let answer: Buffer | undefined;
    connection.unary(requestHeaders(path, authority(address)), framed, {
      onMessage: (bytes, start, end) => {
        answer = Buffer.from(bytes.subarray(start, end));
      },
      onEnd: (status, message) => {
        if (status === 0 && answer !== undefined) resolve(answer);
        else reject(new Error(`${path} ended with ${status} ${message}`));
      },
    });
  });
}

/** The same on a connection of its own. */
export async function callOnce(address: Address, path: string, framed: Buffer): Promise<Buffer> {
  const connection = await ClientConnection.connect(address.host, address.port);
  try {
    return await callOn(connection, address, path, framed);
  } finally {
    connection.close();
  }
}
