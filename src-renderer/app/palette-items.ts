import type { IconName } from '../components/icons.ts';
import { ICONS } from '../components/icons.ts';
import type { AppState } from './app-state.svelte.ts';
import type { KeySearch, PaletteItem } from './palette.svelte.ts';
import { SECTION_ICONS, sectionsOf } from './sections.ts';

/** Everything that can be done from the palette now. */
export function paletteItems(app: AppState, keys: KeySearch, prefix: string): PaletteItem[] {
  return [
    ...viewActions(app),
    ...clusterActions(app),
    ...keyItems(app, keys, prefix),
    ...viewItems(app),
    ...clusterItems(app),
    ...appItems(app),
  ];
}

function isIconName(name: string | undefined): name is IconName {
  return name !== undefined && Object.hasOwn(ICONS, name);
}

function viewActions(app: AppState): PaletteItem[] {
  return app.offered.map((action) => ({
    id: `action-${action.id}`,
    group: 'actions',
    label: action.label(),
    icon: isIconName(action.icon) ? action.icon : 'right',
    detail: action.detail?.() ?? '',
    ...(action.keys === undefined ? {} : { kbd: app.shortcuts.display(action.keys) }),
    run: action.run,
  }));
}

function clusterActions(app: AppState): PaletteItem[] {
  const { cluster } = app;
  if (cluster === null) return [];
  const { id, name } = cluster;
  const item = (key: string, label: string, icon: IconName, run: () => void): PaletteItem => ({
    id: `cluster-${key}`,
    group: 'actions',
    label,
    icon,
    detail: name,
    run,
  });
  const power =
    cluster.health === 'stopped'
      ? item('start', app.i18n.t('cluster.start'), 'play', () => void app.power(id, true))
      : item('stop', app.i18n.t('cluster.stop'), 'stop', () => void app.power(id, false));
  return [
    ...(cluster.kind === 'local' ? [power] : []),
    item('rename', app.i18n.t('cluster.rename'), 'edit', () => {
      app.dialog = 'rename';
    }),
    item('remove', app.i18n.t('cluster.remove'), 'trash', () => {
      app.dialog = 'remove';
    }),
  ];
}

function keyItems(app: AppState, keys: KeySearch, prefix: string): PaletteItem[] {
  if (app.cluster === null || prefix === '') return [];
  return [
    {
      id: 'key-prefix',
      group: 'keys',
      label: app.i18n.t('palette.showPrefix', { prefix }),
      icon: 'filter',
      detail: '',
      run: () => app.navigate('keys', { prefix }),
    },
    ...keys.keys.map(
      (key): PaletteItem => ({
        id: `key-${key.name}`,
        group: 'keys',
        label: key.name,
        icon: 'key',
        detail: '',
        mono: true,
        run: () => app.navigate('keys', { prefix, key: key.name }),
      }),
    ),
  ];
}

function viewItems(app: AppState): PaletteItem[] {
  return sectionsOf(app.cluster).map((section, index) => ({
    id: `view-${section}`,
    group: 'views',
    label: app.i18n.t('palette.goTo', { view: app.i18n.t(`nav.${section}`) }),
    icon: SECTION_ICONS[section],
    detail: '',
    ...(app.cluster === null ? {} : { kbd: app.shortcuts.display(`mod+${index + 1}`) }),
    run: () => app.navigate(section),
  }));
}

function clusterItems(app: AppState): PaletteItem[] {
  const others = app.clusters.list.filter((cluster) => cluster.id !== app.cluster?.id);
  return [
    ...others.map((cluster): PaletteItem => {
      const key = cluster.kind === 'local' ? 'cluster.kindLocal' : 'cluster.kindRemote';
      return {
        id: `switch-${cluster.id}`,
        group: 'clusters',
        label: app.i18n.t('palette.switch', { name: cluster.name }),
        icon: 'server',
        detail: [app.i18n.t(key, { n: cluster.nodeCount }), ...cluster.alarms].join(', '),
        run: () => app.switchTo(cluster.id),
      };
    }),
    {
      id: 'add-cluster',
      group: 'clusters',
      label: app.i18n.t('app.addCluster'),
      icon: 'plus',
      detail: '',
      run: () => app.router.go({ kind: 'add' }),
    },
  ];
}

function appItems(app: AppState): PaletteItem[] {
  const { t } = { t: app.i18n.t.bind(app.i18n) };
  const { theme, language, density } = app.settings.current;
  const item = (id: string, label: string, icon: IconName, isOn: boolean, run: () => void) => ({
    id,
    group: 'app' as const,
    label,
    icon,
    detail: isOn ? '✓' : '',
    run,
  });
  const themes = [
    ['system', t('settings.themeSystem')],
    ['light', t('settings.themeLight')],
    ['dark', t('settings.themeDark')],
  ] as const;
  const languages = [
    ['en', 'English'],
    ['zh', '简体中文'],
  ] as const;
  return [
    ...themes.map(([value, word]) =>
      item(
        `theme-${value}`,
        t('palette.theme', { theme: word }),
        'settings',
        theme === value,
        () => {
          void app.settings.set({ theme: value });
        },
      ),
    ),
    ...languages.map(([value, word]) =>
      item(
        `language-${value}`,
        t('palette.language', { language: word }),
        'settings',
        language === value,
        () => {
          void app.settings.set({ language: value });
        },
      ),
    ),
    item('density', t('palette.compactRows'), 'list', density === 'compact', () => {
      void app.settings.set({ density: density === 'compact' ? 'comfortable' : 'compact' });
    }),
    item('shortcuts', t('shortcuts.title'), 'keyboard', false, () => {
      app.dialog = 'shortcuts';
    }),
    item('settings', t('settings.title'), 'settings', false, () => {
      app.dialog = 'settings';
    }),
  ];
}
