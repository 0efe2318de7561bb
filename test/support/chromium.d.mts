/** The path of an executable on PATH. */
export function onPath(name: string): string | undefined;
/** The path of an installed Chromium. Throws if CHROMIUM_PATH names none. */
export function findChromium(): Promise<string | undefined>;
/** Finds one or installs one. Throws with what was tried. */
export function ensureChromium(): Promise<string>;
export function aptInstall(packages: string[]): boolean;
