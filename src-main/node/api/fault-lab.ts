import { FaultLabService } from '../../proto/raftdeck/inspect.ts';
import { type Faults, refusalOfFaults } from '../faults/faults.ts';
import { type ServiceImplementation, unary } from '../rpc/service.ts';
import { RpcError, RpcStatus } from '../rpc/status.ts';

/** Disturbs this member on purpose; served with --experimental-fault-lab alone. */
export function faultLabService(faults: Faults): ServiceImplementation {
  return {
    name: 'raftdeck.inspect.FaultLab',
    methods: [
      unary(FaultLabService.set, async (wanted) => {
        const refusal = refusalOfFaults(wanted);
        if (refusal !== undefined) {
          throw new RpcError(RpcStatus.INVALID_ARGUMENT, `raftdeck: faults: ${refusal}`);
        }
        faults.set(wanted);
        return faults.get();
      }),
      unary(FaultLabService.get, async () => faults.get()),
    ],
  };
}
