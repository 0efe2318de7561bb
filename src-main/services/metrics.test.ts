import { describe, expect, it } from 'vitest';
import { parseMetrics } from './metrics.ts';

describe('parseMetrics', () => {
  it('reads plain values and skips the rest', () => {
    const values = parseMetrics(
      [
        '# HELP etcd_server_quota_backend_bytes Current backend storage quota size in bytes.',
        '# TYPE etcd_server_quota_backend_bytes gauge',
        'etcd_server_quota_backend_bytes 2.147483648e+09',
        'grpc_server_handled_total{grpc_code="OK"} 5',
        'etcd_debugging_mvcc_compact_revision -1',
        'broken NaN',
      ].join('\n'),
    );
    expect(Object.fromEntries(values)).toEqual({
      etcd_server_quota_backend_bytes: 2_147_483_648,
      etcd_debugging_mvcc_compact_revision: -1,
    });
  });
});
