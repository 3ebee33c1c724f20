#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/processes.hpp"

namespace seonchak::sim {

/// One history drawn from a seed.
class Schedule {
 public:
  Schedule(std::uint64_t seed, Totals& totals, bool trace);
  ~Schedule();

  /// Plays it to the end. Returns what is wrong then; nothing when all promises were kept.
  std::vector<std::string> play();

 private:
  void plan_requests();
  void plan_faults();
  void plan_losses();
  void ask(std::size_t api, const std::string& coupon_id, const std::string& user_id);
  void lose_gate();
  void lose_machine();
  void break_gate();
  void forget_outbox(MemoryGate& gate, const std::string& coupon_id);
  void fail_over();
  void follow_master();
  void lose_log();
  void heal();
  bool at_rest();
  std::string state_of(const std::string& id);
  bool coupon_at_rest(const std::string& id);
  void run_for(Micros duration);
  bool run_until_rest();

  void check(std::vector<std::string>& wrong);
  void check_rows(const std::string& id, std::vector<std::string>& wrong);
  void check_log(std::vector<std::string>& wrong);

  Environment environment_;
  std::vector<std::string> coupons_;
  std::vector<std::unique_ptr<Actor>> actors_;
  std::vector<ApiActor*> apis_;
  std::vector<Actor*> consumers_;
  std::vector<MemoryGate::Image> images_;  // earlier moments of the master
  bool holders_forgotten_ = false;
};

}  // namespace seonchak::sim
