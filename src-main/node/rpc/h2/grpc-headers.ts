/** gRPC's use of HTTP/2 headers (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). */
import type { CallMetadata } from '../service.ts';
import { RpcError, RpcStatus } from '../status.ts';
import type { ConstantHeaders } from './hpack/encoder.ts';
import type { HeaderField } from './hpack/static-table.ts';

const STATUS_200: HeaderField = { name: ':status', value: '200' };
const CONTENT_TYPE: HeaderField = { name: 'content-type', value: 'application/grpc' };

/** Before the first message. */
export const RESPONSE_HEADERS: ConstantHeaders = { fields: [STATUS_200, CONTENT_TYPE] };
/** After the last one, when all went well. */
export const OK_TRAILERS: ConstantHeaders = { fields: [{ name: 'grpc-status', value: '0' }] };

/** Percent-encoded octets of grpc-message that are sent; a longer one is cut. */
const MAX_MESSAGE_OCTETS = 8 * 1024;

export function errorTrailers(error: RpcError): HeaderField[] {
  return [
    { name: 'grpc-status', value: String(error.status) },
    { name: 'grpc-message', value: percentEncode(error.message) },
  ];
}

/** Trailers of a response that has neither headers nor messages before them. */
export function trailersOnly(error: RpcError): HeaderField[] {
  return [STATUS_200, CONTENT_TYPE, ...errorTrailers(error)];
}

/** What a client that does not speak gRPC is told. */
export function httpError(status: number, message: string): HeaderField[] {
  return [
    { name: ':status', value: String(status) },
    CONTENT_TYPE,
    ...errorTrailers(new RpcError(RpcStatus.INTERNAL, message)),
  ];
}

/** Everything but printable ASCII, and "%" itself. */
const ENCODED = /[^\x20-\x24\x26-\x7e]/;

function percentEncode(message: string): string {
  if (!ENCODED.test(message) && message.length <= MAX_MESSAGE_OCTETS) return message;
  let encoded = '';
  // By character, so that none is cut in half.
  for (const character of message) {
    let part = character;
    if (ENCODED.test(character)) {
      part = '';
      for (const octet of Buffer.from(character)) {
        part += `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
      }
    }
    if (encoded.length + part.length > MAX_MESSAGE_OCTETS) break;
    encoded += part;
  }
  return encoded;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Milliseconds of a grpc-timeout. Throws RpcError for one that is malformed. */
export function parseTimeoutMs(value: string): number {
  const match = /^(\d{1,8})([HMSmun])$/.exec(value);
  const unitMs = UNIT_MS[match?.[2] ?? ''];
  if (!match || unitMs === undefined) {
    throw new RpcError(RpcStatus.INTERNAL, `malformed grpc-timeout: "${value}"`);
  }
  return Number(match[1]) * unitMs;
}

/** The fields of a request that the transport itself looks at. */
export interface RequestHead {
  method: string;
  path: string;
  contentType: string;
  timeout: string | undefined;
  /** grpc-encoding. */
  encoding: string;
}

/** Token characters without capitals (RFC 9110, 5.6.2 and RFC 9113, 8.2.1). */
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** RFC 9113, 8.2.2: what belongs to HTTP/1.1 connections makes a request malformed. */
const CONNECTION_SPECIFIC = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** Undefined if the request is malformed (RFC 9113, 8.1.1). `:authority` may say what it likes. */
export function parseRequestHead(fields: readonly HeaderField[]): RequestHead | undefined {
  const head: RequestHead = {
    method: '',
    path: '',
    contentType: '',
    timeout: undefined,
    encoding: 'identity',
  };
  let scheme = '';
  let authorities = 0;
  let regular = false;
  for (const { name, value } of fields) {
    if (name.charCodeAt(0) !== 0x3a) {
      regular = true;
      if (!FIELD_NAME.test(name) || CONNECTION_SPECIFIC.has(name)) return undefined;
      if (name === 'content-type') head.contentType = value;
      else if (name === 'grpc-timeout') head.timeout = value;
      else if (name === 'grpc-encoding') head.encoding = value;
      else if (name === 'te' && value !== 'trailers') return undefined;
      continue;
    }
    // Pseudo-header fields come first, each once.
    if (regular) return undefined;
    if (name === ':method' && head.method === '') head.method = value;
    else if (name === ':path' && head.path === '') head.path = value;
    else if (name === ':scheme' && scheme === '') scheme = value;
    else if (name === ':authority' && authorities === 0) authorities += 1;
    else return undefined;
  }
  return head.method === '' || head.path === '' || scheme === '' ? undefined : head;
}

/** "application/grpc", also with a message format ("+proto") or parameters. */
export function isGrpcContentType(value: string): boolean {
  return /^application\/grpc(?:$|[+;])/i.test(value);
}

/** Looks fields up as they are asked for: most handlers ask for one or none. */
export class HeaderMetadata implements CallMetadata {
  readonly #fields: readonly HeaderField[];

  constructor(fields: readonly HeaderField[]) {
    this.#fields = fields;
  }

  get(name: string): string | Buffer | undefined {
    const field = this.#fields.find((candidate) => candidate.name === name);
    if (!field) return undefined;
    if (!name.endsWith('-bin')) return field.value;
    // Several values may have been joined by commas.
    return Buffer.from(field.value.split(',', 1)[0] ?? '', 'base64');
  }
}
