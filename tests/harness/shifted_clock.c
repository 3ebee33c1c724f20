/* Moves the wall clock of the process it is preloaded into: by the seconds in the page that
 * SHIFTED_CLOCK_CONTROL names. See shifted_clock.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

static volatile int64_t *shift_s;

__attribute__((constructor)) static void map_control(void) {
  const char *path = getenv("SHIFTED_CLOCK_CONTROL");
  if (path == NULL) return;
  int fd = open(path, O_RDONLY);
  if (fd < 0) return;
  void *page = mmap(NULL, sizeof *shift_s, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (page != MAP_FAILED) shift_s = page;
}

int gettimeofday(struct timeval *time, void *zone) {
  static int (*real)(struct timeval *, void *);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "gettimeofday");
  int result = real(time, zone);
  if (result == 0 && shift_s != NULL) time->tv_sec += *shift_s;
  return result;
}
