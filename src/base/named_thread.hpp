#pragma once
#include <thread>
#include <utility>

#include <pthread.h>

namespace seonchak {

/// Starts a thread that `top -H` and debuggers show under `name`: a literal of at most 15 characters, which
/// is what Linux keeps.
template <class Run>
std::thread named_thread(const char* name, Run run) {
  return std::thread([name, run = std::move(run)]() mutable {
    pthread_setname_np(pthread_self(), name);
    run();
  });
}

}  // namespace seonchak
