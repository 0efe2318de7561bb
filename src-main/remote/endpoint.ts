import { CodedError } from '../base/errors.ts';
import type { ContractErrorCode } from '../contract/errors.ts';

export interface Endpoint {
  /** As shown and compared: scheme://host:port. */
  url: string;
  /** host:port, the host in brackets if it is an IPv6 address. */
  address: string;
  secure: boolean;
}

const PATTERN = /^(?:(https?):\/\/)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})\/?$/;

/**
 * Reads `host:port` with an optional scheme; without one it is plain text. Throws InvalidArgument.
 */
export function parseEndpoint(text: string): Endpoint {
  const match = PATTERN.exec(text.trim());
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) {
    throw new CodedError<ContractErrorCode>(
      'InvalidArgument',
      `"${text}" is not an endpoint: host:port, optionally with http:// or https://`,
    );
  }
  const secure = match[1] === 'https';
  const address = `${match[2]}:${port}`;
  return { url: `${secure ? 'https' : 'http'}://${address}`, address, secure };
}

export function isLoopback(endpoint: Endpoint): boolean {
  return /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+$/.test(endpoint.address);
}
