/* Preloaded into a process, sets its wall clock ahead or back by what the page shared with the test says.
 *
 * SKEWED_CLOCK_CONTROL names the page: one native 64-bit number, microseconds. Clocks that only measure
 * durations run on. Calls the kernel directly: an allocator may ask for the time before anything is set up. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t* skew_us;

__attribute__((constructor)) static void attach(void) {
  const char* path = getenv("SKEWED_CLOCK_CONTROL");
  if (!path) return;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  void* page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
  if (page != MAP_FAILED) skew_us = page;
  close(fd);
}

static void skew(struct timespec* at) {
  if (!skew_us) return;
  int64_t nanoseconds = at->tv_nsec + __atomic_load_n(skew_us, __ATOMIC_RELAXED) % 1000000 * 1000;
  at->tv_sec += __atomic_load_n(skew_us, __ATOMIC_RELAXED) / 1000000;
  if (nanoseconds >= 1000000000) {
    nanoseconds -= 1000000000;
    at->tv_sec += 1;
  } else if (nanoseconds < 0) {
    nanoseconds += 1000000000;
    at->tv_sec -= 1;
  }
  at->tv_nsec = nanoseconds;
}

int clock_gettime(clockid_t clock, struct timespec* at) {
  int result = (int)syscall(SYS_clock_gettime, clock, at);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) skew(at);
  return result;
}

int gettimeofday(struct timeval* restrict at, void* restrict zone) {
  (void)zone;
  struct timespec precise;
  int result = clock_gettime(CLOCK_REALTIME, &precise);
  if (result == 0 && at) {
    at->tv_sec = precise.tv_sec;
    at->tv_usec = precise.tv_nsec / 1000;
  }
  return result;
}

time_t time(time_t* at) {
  struct timespec precise;
  if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return (time_t)-1;
  if (at) *at = precise.tv_sec;
  return precise.tv_sec;
}
