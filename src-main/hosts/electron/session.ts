import { protocol, type Session } from 'electron';
import type { StaticFiles } from '../security/static-files.ts';
import { APP_SCHEME, appResponse, isAllowedRequest } from '../security/window-policy.ts';

/** Before the app is ready. */
export function registerScheme(): void {
  const privileges = { standard: true, secure: true, supportFetchAPI: true };
  protocol.registerSchemesAsPrivileged([{ scheme: APP_SCHEME, privileges }]);
}

/** The page gets its own files and no permission for anything. */
export function secureSession(session: Session, files: StaticFiles): void {
  session.protocol.handle(APP_SCHEME, (request) => appResponse(request, files));
  session.setPermissionRequestHandler((_contents, _permission, decide) => decide(false));
  session.setPermissionCheckHandler(() => false);
  session.setDevicePermissionHandler(() => false);
  session.webRequest.onBeforeRequest((details, decide) =>
    decide({ cancel: !isAllowedRequest(details.url) }),
  );
  session.on('will-download', (event) => event.preventDefault());
}
