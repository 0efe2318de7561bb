/** One line per violation. */
export function checkFile(file: string, text: string): string[];
export function checkTree(root: string): string[];
