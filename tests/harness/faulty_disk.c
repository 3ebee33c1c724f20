/* Preloaded into a process, makes its disk fail as the page shared with the test says.
 *
 * Only files whose name contains the text of FAULTY_DISK_FILES are concerned; FAULTY_DISK_CONTROL names the
 * page: three native ints, a mode, how many calls still pass before it strikes, and how often it has struck. Calls that end the process
 * strike once. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum { PASS, SYNC_EIO, WRITE_ENOSPC, WRITE_EIO, DIE_AT_SYNC, DIE_IN_WRITE };

struct control {
  int mode;
  int passes;
  int strikes;
};

static struct control* control;
static const char* files;

__attribute__((constructor)) static void attach(void) {
  const char* path = getenv("FAULTY_DISK_CONTROL");
  files = getenv("FAULTY_DISK_FILES");
  if (!path || !files) return;
  int fd = open(path, O_RDWR);
  if (fd < 0) return;
  void* page = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page != MAP_FAILED) control = page;
  close(fd);
}

static int concerned(int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = '\0';
  return strstr(path, files) != NULL;
}

/* Whether a call of this mode strikes now. */
static int strikes(int mode, int fd) {
  if (!control || __atomic_load_n(&control->mode, __ATOMIC_ACQUIRE) != mode || !concerned(fd)) return 0;
  if (__atomic_fetch_sub(&control->passes, 1, __ATOMIC_ACQ_REL) > 0) return 0;
  __atomic_fetch_add(&control->strikes, 1, __ATOMIC_ACQ_REL);
  return 1;
}

static void die(void) {
  __atomic_store_n(&control->mode, PASS, __ATOMIC_RELEASE);
  kill(getpid(), SIGKILL);
  pause();
}

typedef ssize_t (*pwrite_call)(int, const void*, size_t, off_t);

static ssize_t faulty_pwrite(const char* name, int fd, const void* data, size_t size, off_t at) {
  pwrite_call real = (pwrite_call)dlsym(RTLD_NEXT, name);
  if (strikes(WRITE_ENOSPC, fd)) {
    errno = ENOSPC;
    return -1;
  }
  if (strikes(WRITE_EIO, fd)) {
    errno = EIO;
    return -1;
  }
  if (strikes(DIE_IN_WRITE, fd)) {
    real(fd, data, size / 2, at);
    die();
  }
  return real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  return faulty_pwrite("pwrite64", fd, data, size, at);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t at) { return faulty_pwrite("pwrite", fd, data, size, at); }

ssize_t write(int fd, const void* data, size_t size) {
  ssize_t (*real)(int, const void*, size_t) = (ssize_t(*)(int, const void*, size_t))dlsym(RTLD_NEXT, "write");
  if (strikes(WRITE_ENOSPC, fd)) {
    errno = ENOSPC;
    return -1;
  }
  if (strikes(WRITE_EIO, fd)) {
    errno = EIO;
    return -1;
  }
  if (strikes(DIE_IN_WRITE, fd)) {
    real(fd, data, size / 2);
    die();
  }
  return real(fd, data, size);
}

static int faulty_sync(const char* name, int fd) {
  if (strikes(SYNC_EIO, fd)) {
    errno = EIO;
    return -1;
  }
  if (strikes(DIE_AT_SYNC, fd)) die();
  return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}

int fsync(int fd) { return faulty_sync("fsync", fd); }

int fdatasync(int fd) { return faulty_sync("fdatasync", fd); }
