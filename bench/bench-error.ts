/** Something that whoever runs the bench can understand without a stack. */
export class BenchError extends Error {
  readonly exitCode: 2 | 3;

  /** `exitCode`: 2 for a mistake on the command line, 3 for trouble with the surroundings. */
  constructor(message: string, { exitCode = 3, cause }: { exitCode?: 2 | 3; cause?: unknown } = {}) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}

/** The user has stopped the bench. */
export class Interrupted extends Error {}
