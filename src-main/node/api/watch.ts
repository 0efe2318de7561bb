import { bidi, type ServiceImplementation } from '../rpc/service.ts';
import type { Backend } from './backend.ts';
import type { ApiDeps } from './deps.ts';
import { callEnd, type Guard } from './guard.ts';
import { watchDescriptor } from './watch-codec.ts';
import { WatchStream } from './watch-stream.ts';

export function watchService(backend: Backend, guard: Guard, deps: ApiDeps): ServiceImplementation {
  return {
    name: 'etcdserverpb.Watch',
    methods: [
      bidi(
        watchDescriptor(),
        guard.bidi(async (requests, responses, { signal }) => {
          const stream = new WatchStream(backend, deps, requests, responses);
          // A client that half-closes goes on listening, so only the end of the call ends the
          // stream.
          await callEnd(signal);
          stream.close();
        }),
      ),
    ],
  };
}
