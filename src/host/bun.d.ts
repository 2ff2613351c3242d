/** What is used of Bun in the standalone executable. Node knows none of it. */

declare const Bun: {
  readonly isMainThread: boolean;
  /** The path of the script that the executable starts with, inside it. */
  readonly main: string;
  readonly SHA256: { hash(bytes: Uint8Array, encoding: 'hex'): string };
};

declare module 'bun:ffi' {
  type NativeType = 'i32' | 'ptr';

  /** The address of memory. A typed array stands for the address of its first byte. */
  type Pointer = number & { readonly __pointer: unique symbol };

  interface Signature {
    readonly args: readonly NativeType[];
    readonly returns: NativeType;
  }

  /** @throws where the library or one of the names is not there. */
  function dlopen<const T extends Readonly<Record<string, Signature>>>(
    library: string,
    names: T,
  ): {
    readonly symbols: {
      readonly [N in keyof T]: (
        ...args: readonly (number | Uint8Array)[]
      ) => T[N]['returns'] extends 'ptr' ? Pointer | null : number;
    };
  };

  const read: { i32(pointer: Pointer, offset: number): number };
}
