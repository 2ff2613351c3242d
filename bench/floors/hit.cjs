// hit.cjs HOME OUTPUT FINGERPRINT [SHORTCUT]: what the system must be asked for in a hit. With SHORTCUT, a file that a hit of
// compile has left, it looks at everything that is noted there, judges the home, reads and hashes the entry, compares and
// touches the output and logs the hit. Without, as get does, it looks for settings files alone, and reads and hashes entry
// and record. Fails where anything is not as it was.
// Left out: which shortcut belongs to the words of the call, who has saved how much, processes that died in the home, the mode
// of the output, reports, and what comes after a miss.
'use strict';
const fs = require('node:fs');

const { constants } = fs;
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
const APPEND = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
const QUIET = { throwIfNoEntry: false };
const FOOTER_BYTES = 32;
/** Behind `{"schema":"vyre-cache.record/1","checksum":"`; 64 hex digits. */
const CHECKSUM_AT = 44;
const CHECKSUM_DIGITS = 64;

/**
 * `hash` makes base64url of bytes, `checksum` text of bytes by the hash of the runtime. Throws where it is no hit.
 */
exports.hit = (runtime, [home, output, fingerprint, shortcut]) => {
  // One buffer for all files: memory that is touched for the first time costs more than a system call.
  const buffer = Buffer.allocUnsafeSlow(65_536);
  if (shortcut === undefined) get(runtime.hash, buffer, { home, output, fingerprint });
  else takeShortcut(runtime.checksum, buffer, { home, output, fingerprint, shortcut });
};

function get(hash, buffer, { home, output, fingerprint }) {
  lookForSettings();
  judgeHome(buffer, home);
  const { payloadBytes, end } = readPair({ hash, buffer }, `${home}/pipelines/${fingerprint}`, fingerprint);
  deliver(buffer, output, { payloadBytes, end });
  log(home, fingerprint);
}

function takeShortcut(checksum, buffer, { home, output, fingerprint, shortcut }) {
  const { looks, states, entryChecksum } = readShortcut(checksum, buffer, shortcut, fingerprint);
  let at = 0;
  for (const look of looks.split('\n')) {
    const seen = lookAgain(look[0], look.slice(1));
    if (seen === null) throw new Error(`expected ${look} as it was`);
    for (const state of seen) if (states[at++] !== state) throw new Error(`expected ${look} as it was`);
  }
  demand(at === states.length, 'as many looks');
  judgeHome(buffer, home);
  const end = read(buffer, `${home}/pipelines/${fingerprint}.bin`, 0);
  demand(checksum(buffer.subarray(0, end)) === entryChecksum, 'a whole entry');
  demand(fs.lstatSync(`${home}/pipelines/${fingerprint}.json`).isFile(), 'a record');
  deliver(buffer, output, { payloadBytes: end - FOOTER_BYTES, end });
  log(home, fingerprint);
}

function log(home, fingerprint) {
  const fd = fs.openSync(`${home}/.vyre-cache/hits`, APPEND);
  demand(fs.fstatSync(fd).isFile(), 'a log');
  fs.writeSync(fd, `\n${fingerprint} 0.`);
  fs.closeSync(fd);
}

function demand(isSo, what) {
  if (!isSo) throw new Error(`expected ${what}`);
}

/** Reads a file to the buffer from a place on. @returns where it ends. */
function read(buffer, path, from) {
  const fd = fs.openSync(path, READ);
  const stat = fs.fstatSync(fd);
  demand(
    stat.isFile() && fs.readSync(fd, buffer, from, stat.size + 1, 0) === stat.size,
    `a whole file at ${path}`,
  );
  fs.closeSync(fd);
  return from + stat.size;
}

/** Whether what lies at the start of the buffer ends with its own hash. */
function isRight({ hash, buffer }, end) {
  const payload = end - FOOTER_BYTES;
  return hash(buffer.subarray(0, payload)) === `${buffer.base64urlSlice(payload, end)}=`;
}

/** Where get finds settings: it looks from the working directory upwards, and in the user's. */
function lookForSettings() {
  for (let folder = process.cwd(); ; folder = folder.slice(0, folder.lastIndexOf('/'))) {
    fs.statSync(`${folder}/vyre-cache.toml`, QUIET);
    if (folder === '') break;
  }
  fs.statSync(`${process.env.HOME}/.config/vyre-cache/config.toml`, QUIET);
}

function readShortcut(checksum, buffer, path, fingerprint) {
  demandOwn(path.slice(0, path.lastIndexOf('/')));
  const end = read(buffer, path, 0);
  const line = buffer.lastIndexOf('\n', end - 1);
  demand(checksum(buffer.subarray(0, line)) === buffer.latin1Slice(line + 1, end), 'a whole shortcut');
  const shortcut = JSON.parse(buffer.utf8Slice(0, line));
  demand(shortcut.fingerprint === fingerprint, 'the shortcut of the entry');
  return shortcut;
}

/** The states of a look; null where something else is there than it saw. */
function lookAgain(kind, path) {
  if (kind === 'r') {
    const end = path.indexOf('\t');
    return whereLinksLead(path.slice(0, end)) === path.slice(end + 1) ? [] : null;
  }
  const isLink = kind === 'l' || kind === 'q' || kind === 'b';
  const stat = isLink ? fs.lstatSync(path, QUIET) : fs.statSync(path, QUIET);
  if (kind === 'd' || kind === 'n')
    return (stat !== undefined && stat.isDirectory()) === (kind === 'd') ? [] : null;
  if (kind === 'a' || kind === 'b') return stat === undefined ? [] : null;
  if (stat === undefined) return null;
  if (kind === 's' || kind === 'l')
    return [stat.mode & constants.S_IFMT, stat.dev, stat.ino, stat.size, stat.mtimeMs, stat.ctimeMs];
  return [stat.isDirectory() ? stat.mode : stat.mode & 0o7777, stat.dev, stat.ino, stat.uid];
}

function whereLinksLead(path) {
  try {
    return fs.realpathSync.native(path);
  } catch {
    return 'absent';
  }
}

function demandOwn(folder) {
  const stat = fs.lstatSync(folder);
  demand(
    stat.isDirectory() && stat.uid === process.getuid() && (stat.mode & 0o22) === 0,
    `our folder at ${folder}`,
  );
}

function judgeHome(buffer, home) {
  demandOwn(home);
  demandOwn(`${home}/.vyre-cache`);
  demandOwn(`${home}/pipelines`);
  const text = buffer.latin1Slice(0, read(buffer, `${home}/.vyre-cache/home.json`, 0));
  demand(text.startsWith('{"schema":"vyre-cache.home/1"'), 'a home');
}

/** Entry and record, one behind the other. */
function readPair({ hash, buffer }, path, fingerprint) {
  const from = read(buffer, `${path}.bin`, 0);
  demand(isRight({ hash, buffer }, from), 'a whole entry');
  const end = read(buffer, `${path}.json`, from);
  const payloadBytes = from - FOOTER_BYTES;
  // What a hit needs stands before the fields, which are most of it.
  const record = JSON.parse(`${buffer.utf8Slice(from, buffer.indexOf(',"fields":[', from))}}`);
  // Its checksum is that of the record without it.
  buffer.copyWithin(from + CHECKSUM_DIGITS, from, from + CHECKSUM_AT);
  buffer.hexWrite(record.checksum, end, FOOTER_BYTES);
  demand(
    hash(buffer.subarray(from + CHECKSUM_DIGITS, end)) ===
      `${buffer.base64urlSlice(end, end + FOOTER_BYTES)}=`,
    'a whole record',
  );
  demand(
    record.fingerprint === fingerprint && record.payloadBytes === payloadBytes,
    'the record of the entry',
  );
  demand(record.payloadDigest === buffer.hexSlice(payloadBytes, from), 'the record of the payload');
  return { payloadBytes, end };
}

/** What lies there has the right bytes: it is touched, as a compiler would. */
function deliver(buffer, output, { payloadBytes, end }) {
  const fd = fs.openSync(output, READ);
  const stat = fs.fstatSync(fd);
  demand(stat.isFile() && fs.readSync(fd, buffer, end, payloadBytes + 1, 0) === payloadBytes, 'the output');
  demand(buffer.compare(buffer, end, end + payloadBytes, 0, payloadBytes) === 0, 'the same output');
  const nowSeconds = Date.now() / 1000;
  fs.futimesSync(fd, nowSeconds, nowSeconds);
  fs.closeSync(fd);
}

Object.assign(exports, { deliver, demand, isRight, read });

function addon(file) {
  const loaded = { exports: {} };
  process.dlopen(loaded, `${__dirname}/../../node_modules/${file}`);
  return loaded.exports;
}

if (require.main === module) {
  const platform = `${process.platform}-${process.arch}`;
  // The allocator of the addon takes a huge page otherwise, which the kernel clears.
  process.env.MIMALLOC_ALLOW_LARGE_OS_PAGES = '0';
  const { blake3UrlSafeBase64 } = addon(`@napi-rs/blake-hash-${platform}-gnu/blake.${platform}-gnu.node`);
  const parts = { hash: blake3UrlSafeBase64, checksum: blake3UrlSafeBase64 };
  exports.hit(parts, process.argv.slice(2));
  // What process.exit ends with: nobody waits for the event that comes before.
  process.reallyExit(0);
}
