import { type AlarmMember, AlarmType } from '../../proto/etcd/rpc.ts';
import { alarmKey, decodeAlarmKey, PRESENT } from '../storage/schema/small-tables.ts';
import type { StateStore } from '../storage/types.ts';

/** The alarms that members have raised. */
export class AlarmTable {
  readonly #store: StateStore;
  /** By the row's key as latin1; a few at most. */
  #alarms = new Map<string, AlarmMember>();

  constructor(store: StateStore) {
    this.#store = store;
  }

  load(): void {
    this.#alarms = new Map();
    for (const key of this.#store.keys('alarms', {})) {
      this.#alarms.set(key.toString('latin1'), decodeAlarmKey(key));
    }
  }

  list(): AlarmMember[] {
    return Array.from(this.#alarms.values(), (alarm) => ({ ...alarm }));
  }

  isActive(type: AlarmType): boolean {
    if (this.#alarms.size === 0) return false;
    for (const { alarm } of this.#alarms.values()) if (alarm === type) return true;
    return false;
  }

  /** The alarm, whether or not it was active before; undefined for the type NONE. */
  activate(alarm: AlarmMember): AlarmMember | undefined {
    if (alarm.alarm === AlarmType.NONE) return undefined;
    const key = alarmKey(alarm);
    const name = key.toString('latin1');
    if (!this.#alarms.has(name)) {
      this.#alarms.set(name, { ...alarm });
      this.#store.put('alarms', key, PRESENT);
    }
    return { ...alarm };
  }

  /** The alarm that was active; undefined if there was none. */
  deactivate(alarm: AlarmMember): AlarmMember | undefined {
    const key = alarmKey(alarm);
    if (!this.#alarms.delete(key.toString('latin1'))) return undefined;
    this.#store.delete('alarms', key);
    return { ...alarm };
  }
}
