/** A promise that a recorded run breaks. */
export interface Violation {
  /** File of the oracle. */
  oracle: string;
  /** Name of the promise within it. */
  rule: string;
  /** For a human: what was seen, and what should have been. */
  message: string;
  /** Ids of the operations that show it, if any do. */
  operations: number[];
}

/** One oracle's collector, so that every rule is reported in the same form. */
export class Findings {
  readonly #oracle: string;
  readonly list: Violation[] = [];

  constructor(oracle: string) {
    this.#oracle = oracle;
  }

  add(rule: string, message: string, operations: number[] = []): void {
    this.list.push({ oracle: this.#oracle, rule, message, operations });
  }
}
