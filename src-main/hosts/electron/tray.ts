import { app, Menu, nativeImage, Tray } from 'electron';

const ICON_PIXELS = 18;

export function createTray(iconPath: string, show: () => void): Tray {
  const icon = nativeImage.createFromPath(iconPath);
  const tray = new Tray(icon.resize({ width: ICON_PIXELS, height: ICON_PIXELS }));
  tray.setToolTip('Raftdeck');
  tray.setContextMenu(
    Menu.buildFromTemplate([
      { label: 'Show Raftdeck', click: show },
      { type: 'separator' },
      { label: 'Quit', click: () => app.quit() },
    ]),
  );
  tray.on('click', show);
  return tray;
}
