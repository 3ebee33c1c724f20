#pragma once
#include <functional>
#include <map>
#include <random>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/mutex.hpp"

namespace seonchak {

/// Where an injected failure strikes: before the call had any effect, or after it took effect.
enum class Fault { none, before, after };

/// Decides for each call of a port whether it fails: by script, or at random from a seed. Safe from any
/// thread.
class FaultPlan {
 public:
  static constexpr std::size_t for_ever = static_cast<std::size_t>(-1);

  /// The calls of `name` fail: after the next `skip`, the `times` that follow.
  void fail(const std::string& name, Fault fault, std::size_t times = for_ever, std::size_t skip = 0) {
    const MutexLock lock(mutex_);
    scripts_[name] = {fault, skip, times};
  }

  /// `percent` of all calls fail, half of them before and half after they took effect.
  void fail_at_random(std::uint64_t seed, unsigned percent) {
    const MutexLock lock(mutex_);
    random_.seed(seed);
    percent_ = percent;
  }

  /// Nothing fails from here on.
  void heal() {
    const MutexLock lock(mutex_);
    scripts_.clear();
    percent_ = 0;
  }

  /// Calls of `name` so far.
  std::size_t calls(const std::string& name) const {
    const MutexLock lock(mutex_);
    const auto found = calls_.find(name);
    return found == calls_.end() ? 0 : found->second;
  }

  /// Notes a call of `name` and says how it fails.
  Fault next(const std::string& name) {
    if (on_call) on_call(name);
    const MutexLock lock(mutex_);
    ++calls_[name];
    if (const auto found = scripts_.find(name); found != scripts_.end()) {
      Script& script = found->second;
      if (script.skip > 0) {
        --script.skip;
      } else if (script.times > 0) {
        if (script.times != for_ever) --script.times;
        return script.fault;
      }
    }
    if (random_() % 100 >= percent_) return Fault::none;
    return random_() % 2 == 0 ? Fault::before : Fault::after;
  }

  /// Makes the call unless it is to fail before it.
  template <class Call>
  auto run(const std::string& name, Call call) -> decltype(call()) {
    const Fault fault = next(name);
    if (fault == Fault::before) return error(name);
    auto result = call();
    if (fault == Fault::after) return error(name);
    return result;
  }

  /// The same for a call that answers for each of `count` coupons: all of them fail.
  template <class Call>
  auto run_each(const std::string& name, std::size_t count, Call call) -> decltype(call()) {
    using Answers = decltype(call());
    using Answer = typename Answers::value_type;
    const Fault fault = next(name);
    if (fault == Fault::before) return Answers(count, Answer(error(name)));
    auto answers = call();
    if (fault == Fault::after) return Answers(count, Answer(error(name)));
    return answers;
  }

  static Error error(const std::string& name) { return {Errc::unavailable, "injected into " + name}; }

  /// Runs before each call, on its thread; set before the first one.
  std::function<void(const std::string& name)> on_call;

 private:
  struct Script {
    Fault fault = Fault::none;
    std::size_t skip = 0;
    std::size_t times = 0;
  };

  mutable Mutex mutex_;
  std::map<std::string, Script> scripts_ GUARDED_BY(mutex_);
  std::map<std::string, std::size_t> calls_ GUARDED_BY(mutex_);
  std::mt19937_64 random_ GUARDED_BY(mutex_);
  unsigned percent_ GUARDED_BY(mutex_) = 0;
};

}  // namespace seonchak
