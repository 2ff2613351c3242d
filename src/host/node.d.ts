declare namespace NodeJS {
  interface Process {
    /** What `exit` ends with, after it has told who listens. Node's types leave it out. */
    reallyExit?(exitCode: number): never;
  }
}

/** What `toString` calls, without its way there. Node's types leave them out. */
interface Buffer {
  hexSlice(start?: number, end?: number): string;
  base64urlSlice(start?: number, end?: number): string;
}
