#pragma once
#include <string>

#include "core/testing/issuer.hpp"
#include "core/testing/ticker.hpp"

namespace seonchak {

/// Counts what reaches the gate, in time run by hand.
struct Refusing {
  HandTime time;
  Issuing world;

  Refusing() { world.create("c", 2); }

  /// What the user is told, with " gate" when the gate was asked.
  std::string ask(const std::string& user, const std::string& coupon = "c") {
    world.answers.clear();
    world.ask(coupon, user);
    const bool asked = !world.slow.held.empty();
    world.answer_all();
    return world.answers.front() + (asked ? " gate" : "");
  }

  void sell_out() {
    EXPECT_EQ(ask("a"), "a issued 1 gate");
    EXPECT_EQ(ask("b"), "b issued 2 gate");
  }

  void learn() { world.refusals.step(std::chrono::milliseconds(0)); }
  void refresh() { EXPECT_TRUE(world.refresh()); }
};

}  // namespace seonchak
