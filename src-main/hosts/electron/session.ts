import { protocol, type Session } from 'electron';
import type { StaticFiles } from '../security/static-files.ts';
import {
  APP_SCHEME,
  appResponse,
  isAllowedDownload,
  isAllowedPermission,
  isAllowedRequest,
} from '../security/window-policy.ts';

/** Before the app is ready. */
export function registerScheme(): void {
  const privileges = { standard: true, secure: true, supportFetchAPI: true };
  protocol.registerSchemesAsPrivileged([{ scheme: APP_SCHEME, privileges }]);
}

/** The page gets its own files, and of all permissions that to notify. */
export function secureSession(session: Session, files: StaticFiles): void {
  session.protocol.handle(APP_SCHEME, (request) => appResponse(request, files));
  session.setPermissionRequestHandler((_contents, permission, decide, { requestingUrl }) =>
    decide(isAllowedPermission(permission, requestingUrl)),
  );
  session.setPermissionCheckHandler((_contents, permission, origin) =>
    isAllowedPermission(permission, origin),
  );
  session.setDevicePermissionHandler(() => false);
  session.webRequest.onBeforeRequest((details, decide) =>
    decide({ cancel: !isAllowedRequest(details.url) }),
  );
  // The system's own dialog then asks where to.
  session.on('will-download', (event, item) => {
    if (!isAllowedDownload(item.getURL())) event.preventDefault();
  });
}
