declare namespace NodeJS {
  interface Process {
    /** What `exit` ends with, after it has told who listens. Node's types leave it out. */
    reallyExit?(exitCode: number): never;
  }
}
