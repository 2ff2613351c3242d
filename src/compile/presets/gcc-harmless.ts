/**
 * Options of which none lets the working directory or the folder of the output reach a byte. Found by compiling in two
 * folders of different length with outputs in two others, for -c, -S and linking with gcc 12; whatever is not listed
 * counts as reaching them. Not listed on purpose, because the bytes differed: -g* (the folder is DW_AT_comp_dir),
 * --coverage and -fprofile-* (name of the .gcno or .gcda), -flto (options and folder are kept in the object), `-E -g`
 * (a line names the folder), -Wa,-a (the listing names the temporary file), -fprofile-use (a warning names the .gcda).
 *
 * A word that ends with `*` stands for all that begin with it, one that ends with `~` for those that are longer. One
 * expression of them all would be compiled by each process, which takes longer than the rest of a hit's arguments.
 */
const HARMLESS = `
  -c -S -E -P -C -CC -O -O0 -O1 -O2 -O3 -Os -Og -Oz -Ofast -w -g0 -s -ansi -pedantic -pedantic-errors -std=~ --std=~
  -pipe -pthread -pg -p -nostdinc -nostdinc++ -nostdlib -nodefaultlibs -nostartfiles -nolibc -shared -static -static-pie
  -static-libgcc -static-libstdc++ -pie -no-pie -rdynamic -undef -traditional -traditional-cpp -trigraphs -MD -MMD -MP
  -dM -dD -dN -dI -fvisibility=~ -ftls-model=~ -ffp-contract=~ -fexcess-precision=~ -falign-~ -fpack-struct*
  -ftrivial-auto-var-init=~ -fpatchable-function-entry=~ -fmessage-length=~ -fmax-errors=~ -fabi-version=~
  -ftemplate-depth=~ -finput-charset=~ -fexec-charset=~ -fdiagnostics-color* -fdiagnostics-show* -fdiagnostics-generate*
  -fdiagnostics-column* -fdiagnostics-urls* -fno-diagnostics-show-* -fstrict-flex-arrays* -fsanitize=~ -fno-sanitize*
  -fsanitize-~ -finstrument-functions -fanalyzer -fverbose-asm`;

/** What may follow `-f` and `-fno-`. */
const HARMLESS_SWITCHES = `
  PIC pic PIE pie plt common exceptions rtti builtin builtin-~ ident inline* wrapv trapv omit-frame-pointer
  strict-aliasing strict-overflow semantic-interposition section-anchors fast-math math-errno signed-zeros trapping-math
  reciprocal-math associative-math finite-math-only unsafe-math-optimizations rounding-math signaling-nans
  cx-limited-range freestanding hosted unroll-* tree-* ipa-* gcse* if-conversion* peephole peephole2 reorder-* schedule-*
  sched-* split-* stack-protector* stack-clash-protection cf-protection* zero-call-used-regs=~ hardened
  asynchronous-unwind-tables unwind-tables non-call-exceptions delete-null-pointer-checks function-sections data-sections
  merge-constants merge-all-constants short-enums short-wchar jump-tables signed-char unsigned-char signed-bitfields
  unsigned-bitfields permissive openmp* openacc gnu-tm keep-* toplevel-reorder threadsafe-statics sized-deallocation
  aligned-new* char8_t coroutines concepts* gnu-keywords gnu89-inline ms-extensions plan9-extensions
  lax-vector-conversions strict-enums elide-constructors enforce-eh-specs implicit-templates operator-names weak zero-*
  visibility-* caller-saves crossjumping cse-follow-jumps defer-pop devirtualize* dce dse expensive-* align-*
  code-hoisting hoist-adjacent-loads isolate-* ivopts loop-* lra-* modulo-sched* move-loop* optimize-* partial-inlining
  peel-loops predictive-commoning prefetch-loop-arrays rename-registers shrink-wrap* ssa-* store-merging
  strict-volatile-bitfields thread-jumps vect-cost-model* web`;

/** Names of one list: those that are meant as they are, and the beginnings. */
interface Words {
  readonly exact: ReadonlySet<string>;
  readonly beginnings: readonly { readonly text: string; readonly isLonger: boolean }[];
}

function isOpen(word: string): boolean {
  return word.endsWith('*') || word.endsWith('~');
}

function wordsOf(list: string): Words {
  const words = list.split(/\s+/).filter((word) => word !== '');
  return {
    exact: new Set(words.filter((word) => !isOpen(word))),
    beginnings: words
      .filter(isOpen)
      .map((word) => ({ text: word.slice(0, -1), isLonger: word.endsWith('~') })),
  };
}

function isAmong({ exact, beginnings }: Words, name: string): boolean {
  return (
    exact.has(name) ||
    beginnings.some(({ text, isLonger }) => name.startsWith(text) && (!isLonger || name.length > text.length))
  );
}

/** Made when the first option is judged, and kept for a batch. */
let known: { readonly options: Words; readonly switches: Words } | null = null;
/** Option names that were judged: a batch asks for the same ones again and again. */
const JUDGED = new Map<string, boolean>();
const MAX_JUDGED = 1024;

/** True for an option without a value of which neither the working directory nor the folder of the output reaches a byte. */
export function isHarmless(name: string): boolean {
  const judged = JUDGED.get(name);
  if (judged !== undefined) return judged;
  const harmless = judge(name);
  if (JUDGED.size < MAX_JUDGED) JUDGED.set(name, harmless);
  return harmless;
}

function judge(name: string): boolean {
  known ??= { options: wordsOf(HARMLESS), switches: wordsOf(HARMLESS_SWITCHES) };
  // No option has more than one line.
  if (/[\n\r\u2028\u2029]/.test(name)) return false;
  if (name.startsWith('-W')) return /^-W(?![lap],)[A-Za-z0-9+=_-]*$/.test(name);
  if (name.startsWith('-m')) return /^-m[a-z0-9]/.test(name);
  if (isAmong(known.options, name)) return true;
  if (!name.startsWith('-f')) return false;
  if (/^-fconstexpr-.+=./.test(name)) return true;
  return isAmong(known.switches, name.slice(name.startsWith('-fno-') ? 5 : 2));
}
