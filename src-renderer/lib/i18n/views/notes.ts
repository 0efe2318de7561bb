import type { Words } from '../messages.ts';

/** Words around the notes; the notes themselves are data. */
const en = {
  title: 'Notes',
  say: 'What etcd, ZooKeeper and Consul promise, with sources',
  search: 'Find in notes',
  searchPlaceholder: 'find in notes',
  topics: 'Topics',
  tableLabel: '{topic}: etcd, ZooKeeper and Consul compared',
  colTopic: 'Question',
  sources: 'Sources: ',
  loading: 'Reading the notes',
  failedTitle: 'The notes could not be read',
  retry: 'Try again',
  emptyTitle: 'There are no notes in this build',
  noMatchTitle: 'Nothing in the notes matches “{query}”',
  showAll: 'Show all notes',
  found: { one: '{n} row found', other: '{n} rows found' },
} as const;

const zh = {
  title: '对比笔记',
  say: 'etcd、ZooKeeper 与 Consul 各自的承诺，附来源',
  search: '在笔记中查找',
  searchPlaceholder: '在笔记中查找',
  topics: '主题',
  tableLabel: '{topic}：etcd、ZooKeeper 与 Consul 对比',
  colTopic: '问题',
  sources: '来源：',
  loading: '正在读取笔记',
  failedTitle: '笔记无法读取',
  retry: '重试',
  emptyTitle: '此版本没有笔记',
  noMatchTitle: '笔记中没有与“{query}”匹配的内容',
  showAll: '显示全部笔记',
  found: '找到 {n} 行',
} as const;

export const notesWords: Words<typeof en> = { en, zh };
