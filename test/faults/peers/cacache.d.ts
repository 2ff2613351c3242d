/** The part that is used of a package that brings no types. */
declare module 'cacache' {
  interface Found {
    readonly data: Buffer;
    readonly integrity: string;
  }
  interface Get {
    /** @throws where nothing is there, or its bytes are not those that were put. */
    (store: string, key: string): Promise<Found>;
    info(store: string, key: string): Promise<{ readonly integrity: string } | null>;
  }
  interface Rm {
    content(store: string, integrity: string): Promise<unknown>;
  }
  const cacache: {
    readonly get: Get;
    readonly rm: Rm;
    put(store: string, key: string, data: Buffer): Promise<string>;
  };
  export default cacache;
}
