/*
 * short-transfers LOG COUNT PROGRAM [ARG...]: runs a program whose COUNTth write to a regular file is given half of its
 * bytes. The kernel really writes no more than that, and says so, as it may for every write. With 0 nothing happens.
 * The first thread alone is followed. LOG is told what was cut, and at the end how many such writes there were.
 */
#include <elf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define CALL(r) ((long)(r).orig_rax)
#define FILE_ARGUMENT(r) ((int)(r).rdi)
#define LENGTH_ARGUMENT(r) (r).rdx
#elif defined(__aarch64__)
#define CALL(r) ((long)(r).regs[8])
#define FILE_ARGUMENT(r) ((int)(r).regs[0])
#define LENGTH_ARGUMENT(r) (r).regs[2]
#else
#error "expected x86-64 or arm64"
#endif

static int is_write(long call) { return call == SYS_write || call == SYS_pwrite64; }

/* What the traced process has open; a pipe or a terminal is no file of a cache. */
static int is_regular(pid_t pid, int fd, char *path, size_t size) {
  char link[64];
  struct stat status;
  snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)pid, fd);
  ssize_t length = readlink(link, path, size - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return stat(link, &status) == 0 && S_ISREG(status.st_mode);
}

static struct iovec registers_of(pid_t pid, struct user_regs_struct *registers) {
  struct iovec place = {registers, sizeof *registers};
  ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &place);
  return place;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  FILE *log = fopen(argv[1], "we");
  if (log == NULL) return 2;
  long wanted = atol(argv[2]), writes = 0;
  pid_t pid = fork();
  if (pid == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    execvp(argv[3], argv + 3);
    _exit(127);
  }
  int status, entering = 1, signal = 0;
  unsigned long asked = 0;
  waitpid(pid, &status, 0);
  ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  for (;;) {
    ptrace(PTRACE_SYSCALL, pid, 0, signal);
    signal = 0;
    if (waitpid(pid, &status, 0) < 0 || WIFEXITED(status) || WIFSIGNALED(status)) break;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
      continue;
    }
    struct user_regs_struct registers;
    struct iovec place = registers_of(pid, &registers);
    char path[4096];
    if (entering && is_write(CALL(registers)) && LENGTH_ARGUMENT(registers) > 1 &&
        is_regular(pid, FILE_ARGUMENT(registers), path, sizeof path) && ++writes == wanted) {
      asked = LENGTH_ARGUMENT(registers);
      LENGTH_ARGUMENT(registers) = asked / 2;
      ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &place);
      fprintf(log, "%lu of %lu bytes to %s\n", asked / 2, asked, path);
    } else if (!entering && asked != 0) {
      /* A call leaves this register as it was. */
      LENGTH_ARGUMENT(registers) = asked;
      asked = 0;
      ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &place);
    }
    entering = !entering;
  }
  fprintf(log, "%ld\n", writes);
  fclose(log);
  if (WIFSIGNALED(status)) {
    kill(getpid(), WTERMSIG(status));
    return 128 + WTERMSIG(status);
  }
  return WEXITSTATUS(status);
}
