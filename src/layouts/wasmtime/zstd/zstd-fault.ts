/** Why a stream does not decode. */
export type ZstdFault =
  /** No frame begins where one should, or what is in it contradicts the format. */
  | 'bad-zstd'
  /** It ends within a frame, or before the first one. */
  | 'truncated'
  /** A frame wants more history than {@link MAX_WINDOW_BYTES}. */
  | 'window-too-large';

/** What zstd's own streaming decoder grants unless it is told otherwise, and so what wasmtime can read. */
export const MAX_WINDOW_BYTES = 134_217_728;

/** Thrown within the decoder only, and caught by `ZstdStream`: a check in every inner loop would cost its speed. */
export class ZstdError extends Error {
  readonly fault: ZstdFault;

  constructor(fault: ZstdFault = 'bad-zstd') {
    super(fault);
    this.fault = fault;
  }
}
