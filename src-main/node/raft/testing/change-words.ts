import { type ConfChange, ConfChangeSingle_Type as Type } from '../../../proto/raftdeck/raft.ts';

const WORDS = [
  ['add', Type.ADD_VOTER],
  ['learner', Type.ADD_LEARNER],
  ['remove', Type.REMOVE],
] as const;

/** "add=4 remove=1": empty for the change that leaves a joint configuration. */
export function changeWords({ changes }: ConfChange): string {
  if (changes.length === 0) return 'leave joint';
  return changes
    .map(({ type, nodeId }) => `${WORDS.find(([, value]) => value === type)?.[0]}=${nodeId}`)
    .join(' ');
}

/** The changes that such settings ask for; several of one kind are separated by commas. */
export function changesOf(settings: ReadonlyMap<string, string>): ConfChange['changes'] {
  return WORDS.flatMap(([word, type]) =>
    (settings.get(word) ?? '')
      .split(',')
      .filter((id) => id !== '')
      .map((id) => ({ type, nodeId: BigInt(id) })),
  );
}
