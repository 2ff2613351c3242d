// hit.cjs HOME OUTPUT FINGERPRINT [SHORTCUT]: what the system must be asked for in a hit. With SHORTCUT, a file that a hit of
// compile has left, it looks at everything that is noted there, judges the home, reads and hashes the entry, compares and
// touches the output and logs the hit. Without, as get does, it looks for settings files alone, reads and hashes entry and
// record, claims the output, compares and touches it, counts the hit and gives the claim back. Fails where anything is not
// as it was.
// Left out: which shortcut belongs to the words of the call, who has saved how much, processes that died in the home, the mode
// of the output, reports, and what comes after a miss.
'use strict';
const fs = require('node:fs');

const { constants } = fs;
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
const APPEND = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
const WRITE = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
const QUIET = { throwIfNoEntry: false };
const FOOTER_BYTES = 32;
const PAGE_BYTES = 4096;
/** Bytes of the lock file. */
const COUNTERS_BYTE = 1;
const OUTPUTS_BYTE = 2 ** 49;
/** Behind `{"schema":"vyre-cache.record/1","checksum":"`; 64 hex digits. */
const CHECKSUM_AT = 44;
const CHECKSUM_DIGITS = 64;
const GENERATION_AT = 8;
const LOOKUPS_AT = 24;
const HITS_AT = 32;

/**
 * `hash` makes base64url of bytes; `lock` and `unlock` take a descriptor and a byte; `checksum` makes text of bytes by the
 * hash of the runtime. Throws where it is no hit.
 */
exports.hit = (runtime, [home, output, fingerprint, shortcut]) => {
  // One buffer for all files: memory that is touched for the first time costs more than a system call.
  const buffer = Buffer.allocUnsafeSlow(65_536);
  if (shortcut === undefined) get(runtime, buffer, { home, output, fingerprint });
  else takeShortcut(runtime.checksum, buffer, { home, output, fingerprint, shortcut });
};

function get({ hash, lock, unlock }, buffer, { home, output, fingerprint }) {
  lookForSettings();
  judgeHome(buffer, home);
  const { payloadBytes, end } = readPair({ hash, buffer }, `${home}/pipelines/${fingerprint}`, fingerprint);
  const lockFile = fs.openSync(`${home}/.vyre-cache/lock`, WRITE);
  const claim = claimOf({ hash, buffer }, output, end);
  for (const byte of claim) lock(lockFile, byte);
  deliver(buffer, output, { payloadBytes, end });
  for (const byte of claim) unlock(lockFile, byte);
  lock(lockFile, COUNTERS_BYTE);
  count({ hash, buffer }, `${home}/.vyre-cache/counters`, 1);
  unlock(lockFile, COUNTERS_BYTE);
  fs.closeSync(lockFile);
}

function takeShortcut(checksum, buffer, { home, output, fingerprint, shortcut }) {
  const { looks, entryChecksum } = readShortcut(checksum, buffer, shortcut, fingerprint);
  for (const look of looks.split('\n')) {
    const [kind, place, answer] = look.split('\t');
    if (lookAgain(kind, place) !== answer) throw new Error(`expected ${look}, got ${lookAgain(kind, place)}`);
  }
  judgeHome(buffer, home);
  const end = read(buffer, `${home}/pipelines/${fingerprint}.bin`, 0);
  demand(checksum(buffer.subarray(0, end)) === entryChecksum, 'a whole entry');
  demand(fs.lstatSync(`${home}/pipelines/${fingerprint}.json`).isFile(), 'a record');
  deliver(buffer, output, { payloadBytes: end - FOOTER_BYTES, end });
  const log = fs.openSync(`${home}/.vyre-cache/hits`, APPEND);
  demand(fs.fstatSync(log).isFile(), 'a log');
  fs.writeSync(log, `\n${fingerprint} 0.`);
  fs.closeSync(log);
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

function lookAgain(kind, path) {
  if (kind === 'real') return whereLinksLead(path);
  const stat = kind === 'lstat' ? fs.lstatSync(path, QUIET) : fs.statSync(path, QUIET);
  if (kind === 'folder') return String(stat !== undefined && stat.isDirectory());
  if (stat === undefined) return 'absent';
  if (stat.isFile()) return `file ${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`;
  if (kind === 'list')
    return `directory ${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`;
  const type = stat.isDirectory() ? 'directory' : 'other';
  return `${type} ${stat.dev} ${stat.ino} ${stat.mode & 0o7777} ${stat.uid}`;
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

/** The bytes of the lock file for the place of an output and for what lies there. `free` is where the buffer is. */
function claimOf({ hash, buffer }, output, free) {
  const { dev, ino } = fs.lstatSync(output);
  const byteOf = (name) => {
    buffer.base64urlWrite(hash(name), free, FOOTER_BYTES);
    return OUTPUTS_BYTE + buffer.readUIntBE(free, 6);
  };
  return [byteOf(output), byteOf(`${dev}:${ino}`)];
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

/** Of two pages the younger one counts; the older one is written. */
function count({ hash, buffer }, path, hits) {
  const fd = fs.openSync(path, WRITE);
  demand(fs.readSync(fd, buffer, 0, 2 * PAGE_BYTES, 0) === 2 * PAGE_BYTES, 'two pages of counters');
  const isFirst = buffer.readUInt32LE(GENERATION_AT) > buffer.readUInt32LE(PAGE_BYTES + GENERATION_AT);
  const page = isFirst ? buffer.subarray(0, PAGE_BYTES) : buffer.subarray(PAGE_BYTES, 2 * PAGE_BYTES);
  demand(isRight({ hash, buffer: page }, PAGE_BYTES), 'a whole page of counters');
  page.writeUInt32LE(page.readUInt32LE(GENERATION_AT) + 1, GENERATION_AT);
  for (const at of [LOOKUPS_AT, HITS_AT]) page.writeUInt32LE(page.readUInt32LE(at) + hits, at);
  page.base64urlWrite(hash(page.subarray(0, PAGE_BYTES - FOOTER_BYTES)), PAGE_BYTES - FOOTER_BYTES);
  fs.writeSync(fd, page, 0, PAGE_BYTES, isFirst ? PAGE_BYTES : 0);
  fs.closeSync(fd);
}

Object.assign(exports, { COUNTERS_BYTE, WRITE, claimOf, count, deliver, readPair });

function addon(file) {
  const loaded = { exports: {} };
  process.dlopen(loaded, `${__dirname}/../../node_modules/${file}`);
  return loaded.exports;
}

if (require.main === module) {
  const platform = `${process.platform}-${process.arch}`;
  const { blake3UrlSafeBase64 } = addon(`@napi-rs/blake-hash-${platform}-gnu/blake.${platform}-gnu.node`);
  let loaded;
  const locks = () =>
    (loaded ??= addon(`fs-native-extensions/prebuilds/${platform}/fs-native-extensions.node`));
  const parts = {
    hash: blake3UrlSafeBase64,
    checksum: blake3UrlSafeBase64,
    lock: (fd, byte) => locks().tryLock(fd, byte, 1, true),
    unlock: (fd, byte) => locks().unlock(fd, byte, 1),
  };
  exports.hit(parts, process.argv.slice(2));
  // What process.exit ends with: nobody waits for the event that comes before.
  process.reallyExit(0);
}
