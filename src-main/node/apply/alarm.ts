import {
  AlarmRequest_AlarmAction as Action,
  type AlarmMember,
  type AlarmRequest,
  type AlarmResponse,
  AlarmType,
} from '../../proto/etcd/rpc.ts';
import type { ApplyContext } from './context.ts';

/**
 * Answers the alarms that the request is about, as etcd does: none if it deactivates one that was
 * not active.
 */
export function applyAlarm(context: ApplyContext, request: AlarmRequest): AlarmResponse {
  return { header: undefined, alarms: affected(context, request) };
}

function affected({ alarms }: ApplyContext, request: AlarmRequest): AlarmMember[] {
  const alarm = { memberID: request.memberID, alarm: request.alarm };
  switch (request.action) {
    case Action.GET:
      return alarms
        .list()
        .filter((active) => alarm.alarm === AlarmType.NONE || active.alarm === alarm.alarm);
    case Action.ACTIVATE:
      return some(alarms.activate(alarm));
    case Action.DEACTIVATE:
      return some(alarms.deactivate(alarm));
    default:
      return [];
  }
}

function some(alarm: AlarmMember | undefined): AlarmMember[] {
  return alarm === undefined ? [] : [alarm];
}
