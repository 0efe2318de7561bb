import type { Translation, Words } from '../messages.ts';

/** Words of the ways to browse keys. `{name}` is filled in. */
const en = {
  kindLabel: 'How keys are listed',
  flat: 'List',
  tree: 'Tree',
  toggleKind: 'Switch between list and tree',
  separator: 'Folders end with',
  hint: 'Left and Right close and open',
  folder: 'Folder {name}',
  reading: 'Reading on',
  failed: 'Could not be read: {error}',
  retry: 'Try again',
};

const zh: Translation<typeof en> = {
  kindLabel: '键的列出方式',
  flat: '列表',
  tree: '树',
  toggleKind: '在列表和树之间切换',
  separator: '文件夹分隔符',
  hint: '左右箭头收起和展开',
  folder: '文件夹 {name}',
  reading: '正在继续读取',
  failed: '无法读取：{error}',
  retry: '重试',
};

export const keysListWords: Words<typeof en> = { en, zh };
