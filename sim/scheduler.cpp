#include "sim/scheduler.hpp"

#include <cstdio>
#include <cstdlib>

#include <boost/context/pooled_fixedsize_stack.hpp>
#include <pthread.h>

namespace seonchak::sim {

namespace {

constexpr std::size_t stack_bytes = 256 * 1'024;
constexpr Micros mutex_wait{200};

Scheduler* the_scheduler = nullptr;

boost::context::pooled_fixedsize_stack& stacks() {
  static boost::context::pooled_fixedsize_stack pool(stack_bytes, 16);
  return pool;
}

}  // namespace

struct Fiber {
  boost::context::fiber context;
  Process* process = nullptr;
  std::function<void()> body;
  std::uint64_t ticket = 0;  // of its present wait; an event with another one is stale
  bool waits_for_mutex = false;
  bool done = false;
};

std::uint64_t Random::next() {
  std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

Scheduler::Scheduler(std::uint64_t seed) : random_(seed), instead_(*this) {
  the_scheduler = this;
}

Scheduler::~Scheduler() {
  the_scheduler = nullptr;
}

Scheduler* Scheduler::running() {
  return the_scheduler;
}

void Scheduler::start(Process& process, std::function<void()> body) {
  fibers_.push_back(std::make_unique<Fiber>());
  Fiber* const fiber = fibers_.back().get();
  fiber->process = &process;
  fiber->body = std::move(body);
  fiber->context =
      boost::context::fiber(std::allocator_arg, stacks(), [this, fiber](boost::context::fiber&& main) {
        main_ = std::move(main);
        try {
          if (!fiber->process->dying) fiber->body();
        } catch (const Crash&) {
        }
        fiber->done = true;
        return std::move(main_);
      });
  process.fibers.push_back(fiber);
  ++process.running;
  schedule(fiber, Micros(0));
}

void Scheduler::schedule(Fiber* fiber, Micros delay) {
  queue_.push({now_ + delay, random_.next(), fiber, ++fiber->ticket});
}

void Scheduler::after(Micros delay, std::function<void()> callback) {
  callbacks_.push_back(std::move(callback));
  queue_.push({now_ + delay, random_.next(), nullptr, callbacks_.size() - 1});
}

void Scheduler::suspend() {
  main_ = std::move(main_).resume();
}

void Scheduler::pause(Micros delay) {
  if (current_ == nullptr) std::abort();
  Fiber* const fiber = current_;
  if (fiber->process->dying) throw Crash{};
  schedule(fiber, delay);
  suspend();
  if (fiber->process->dying) throw Crash{};
}

void Scheduler::wait_to_be_woken() {
  Fiber* const fiber = current_;
  if (fiber->process->dying) throw Crash{};
  ++fiber->ticket;
  suspend();
  if (fiber->process->dying) throw Crash{};
}

void Scheduler::wake(Fiber* fiber) {
  if (!fiber->done) schedule(fiber, Micros(0));
}

// A mutex is taken where nothing may be thrown: a fiber that dies meanwhile finds out at its next port call.
void Scheduler::wait_for_mutex() {
  if (current_ == nullptr) {
    std::fputs("simulator: a mutex is held across a wait, and wanted outside of any fiber\n", stderr);
    std::abort();
  }
  Fiber* const fiber = current_;
  fiber->waits_for_mutex = true;
  schedule(fiber, mutex_wait);
  suspend();
  fiber->waits_for_mutex = false;
}

void Scheduler::resume(Fiber* fiber) {
  ++fiber->ticket;
  current_ = fiber;
  fiber->context = std::move(fiber->context).resume();
  current_ = nullptr;
  if (!fiber->done) return;
  --fiber->process->running;
  fiber->body = nullptr;
}

void Scheduler::kill(Process& process) {
  if (process.dying) return;
  process.dying = true;
  if (current_ != nullptr && current_->process == &process) {
    after(Micros(0), [this, &process] { reap(process); });
    throw Crash{};
  }
  if (current_ != nullptr) std::abort();
  reap(process);
}

void Scheduler::reap(Process& process) {
  for (Fiber* fiber : process.fibers) {
    if (!fiber->done && !fiber->waits_for_mutex) resume(fiber);
  }
}

bool Scheduler::step() {
  while (!queue_.empty()) {
    const Event event = queue_.top();
    queue_.pop();
    if (event.fiber != nullptr && (event.fiber->done || event.ticket != event.fiber->ticket)) continue;
    now_ = event.at;
    ++events_;
    if (event.fiber != nullptr) {
      resume(event.fiber);
    } else {
      auto callback = std::move(callbacks_[event.ticket]);
      callbacks_[event.ticket] = nullptr;
      callback();
    }
    return true;
  }
  return false;
}

}  // namespace seonchak::sim

/// In the place of the C library's: all code of the program runs in fibers of one thread, so a fiber that
/// finds a mutex taken lets the others run instead of blocking them all.
extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  while (pthread_mutex_trylock(mutex) != 0) {
    seonchak::sim::Scheduler* const scheduler = seonchak::sim::Scheduler::running();
    if (scheduler == nullptr) std::abort();
    scheduler->wait_for_mutex();
  }
  return 0;
}
