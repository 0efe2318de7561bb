import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { systemClock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { AppInfo } from '../contract/views.ts';
import type { ServerFrame } from '../contract/wire.ts';
import type { Engine } from '../supervisor/definition.ts';
import type { Launcher } from '../supervisor/launcher.ts';
import { ClusterRegistry } from '../supervisor/registry.ts';
import { ClustersService } from './clusters.ts';
import { Session } from './dispatcher.ts';
import { createHandlers } from './handlers.ts';
import { loadNotes } from './notes.ts';
import { OwnNotes } from './notes-own.ts';
import { NotesTrials } from './notes-trials.ts';
import { packageRoot } from './package-root.ts';
import { loadScenarios } from './scenarios/load.ts';
import { ScenarioService } from './scenarios/service.ts';
import { SettingsService } from './settings.ts';

export interface AppOptions {
  /** Absolute; locked for this process until the app is closed. */
  dataDir: string;
  hostKind: AppInfo['host'];
  logger: Logger;
  /** How nodes are started; child processes if absent. */
  launcher?: Launcher;
  /** What new local clusters run; the bundled node if absent. */
  engine?: Engine;
}

/** The app without its window: what both hosts put a transport in front of. */
export interface App {
  openSession(send: (frame: ServerFrame) => void): Session;
  /** See ClustersService.startDefault. */
  startDefault(): Promise<void>;
  /** Ends the sessions, stops the local nodes, gives the data folder back. */
  close(): Promise<void>;
}

const packageSchema = z.object({ version: z.string() });

/** Throws DataDirForeign, DataDirUnwritable, DataDirInUse, DataDir. */
export async function createApp(options: AppOptions): Promise<App> {
  const { dataDir, hostKind, logger, launcher, engine } = options;
  const root = packageRoot();
  const { version } = packageSchema.parse(
    JSON.parse(await readFile(join(root, 'package.json'), 'utf8')),
  );
  const registry = await ClusterRegistry.open(dataDir);
  try {
    const settings = await SettingsService.open(dataDir, logger);
    const clusters = await ClustersService.open({
      registry,
      logger,
      times: { clock: systemClock, wallClockMs: Date.now },
      ...(launcher === undefined ? {} : { launcher }),
      ...(engine === undefined ? {} : { engine }),
    });
    const { platform, versions } = process;
    const info: AppInfo = {
      version,
      host: hostKind,
      platform,
      dataDir,
      nodeVersion: versions.node,
    };
    const notes = () => loadNotes(join(root, 'resources', 'notes'), logger);
    const scenarios = new ScenarioService(
      () => loadScenarios(join(root, 'resources', 'scenarios'), logger),
      { clock: systemClock, wallClockMs: Date.now },
    );
    const ownNotes = await OwnNotes.open(dataDir, logger);
    const trials = new NotesTrials(clusters, systemClock, logger);
    const handlers = createHandlers({
      ...{ info, settings, clusters },
      ...{ notes, ownNotes, trials, scenarios },
    });
    const sessions = new Set<Session>();
    return {
      openSession(send) {
        const session = new Session(handlers, send, logger, () => sessions.delete(session));
        sessions.add(session);
        return session;
      },
      startDefault: () => clusters.startDefault(),
      async close() {
        for (const session of [...sessions]) session.dispose();
        try {
          await scenarios.close();
          await trials.close();
          await clusters.close();
        } finally {
          await registry.close();
        }
      },
    };
  } catch (error) {
    await registry.close();
    throw error;
  }
}
