#include "cli/part_checks.hpp"

#include <utility>

#include "base/named_thread.hpp"

namespace seonchak {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds stop_look_period{50};

}  // namespace

PartChecks::PartChecks(Health& health, PartChecksOptions options) : health_(health), options_(options) {}

PartChecks::~PartChecks() {
  stop();
  join();
}

void PartChecks::add(std::string name, const char* thread_name, std::function<Check()> make) {
  auto part = std::make_unique<Part>();
  part->name = std::move(name);
  parts_.push_back(std::move(part));
  parts_.back()->thread =
      named_thread(thread_name, [this, &part = *parts_.back(), make = std::move(make)] { ask(part, make); });
}

void PartChecks::ask(Part& part, const std::function<Check()>& make) {
  const Check check = make();
  while (!stopping_) {
    const auto began = steady_clock::now();
    {
      const MutexLock lock(part.mutex);
      part.asked_at = began;
    }
    const Result<void> answer = check();
    {
      const MutexLock lock(part.mutex);
      part.asked_at.reset();
      if (!stopping_) health_.note(part.name, answer);
    }
    while (!stopping_ && steady_clock::now() < began + options_.period)
      std::this_thread::sleep_for(stop_look_period);
  }
}

void PartChecks::note_silent() {
  const auto time = steady_clock::now();
  for (const auto& part : parts_) {
    const MutexLock lock(part->mutex);
    if (stopping_ || !part->asked_at || time - *part->asked_at < options_.silent_after) continue;
    const auto silent = std::chrono::floor<std::chrono::seconds>(time - *part->asked_at).count();
    health_.note(part->name, Error{Errc::unavailable, "no answer for " + std::to_string(silent) + " s"});
  }
}

void PartChecks::stop() {
  stopping_ = true;
}

void PartChecks::join() {
  for (const auto& part : parts_) {
    if (part->thread.joinable()) part->thread.join();
  }
}

}  // namespace seonchak
