/** What a check of an artifact finds. */
export type Verdict =
  | { readonly kind: 'valid' }
  /** Nothing speaks against it, but its format carries no checksum. */
  | { readonly kind: 'unverifiable' }
  | { readonly kind: 'damaged'; readonly reason: string }
  /** Nobody's artifact, such as the empty file that a failed compilation leaves. */
  | { readonly kind: 'litter' }
  /** It is not there any more. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'unreadable'; readonly errno: string };

export const UNVERIFIABLE: Verdict = { kind: 'unverifiable' };
export const VALID: Verdict = { kind: 'valid' };

export function damaged(reason: string): Verdict {
  return { kind: 'damaged', reason };
}
