import { describe, expect, it } from 'vitest';
import { isLoopback, parseEndpoint } from './endpoint.ts';

describe('parseEndpoint', () => {
  it.each([
    ['localhost:2379', 'http://localhost:2379', false],
    [' http://10.0.0.1:2379/ ', 'http://10.0.0.1:2379', false],
    ['https://etcd.example:443', 'https://etcd.example:443', true],
    ['[::1]:2379', 'http://[::1]:2379', false],
  ])('reads %s', (text, url, secure) => {
    expect(parseEndpoint(text)).toMatchObject({ url, secure });
  });

  it.each(['', 'localhost', 'host:0', 'host:65536', 'unix://x:1', 'http://a:1/path', 'a b:1'])(
    'refuses %j',
    (text) => {
      expect(() => parseEndpoint(text)).toThrow(/is not an endpoint/);
    },
  );

  it('knows this machine', () => {
    expect(isLoopback(parseEndpoint('127.0.0.1:1'))).toBe(true);
    expect(isLoopback(parseEndpoint('[::1]:1'))).toBe(true);
    expect(isLoopback(parseEndpoint('127.0.0.1.evil.example:1'))).toBe(false);
  });
});
