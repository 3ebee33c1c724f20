#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/ticker.hpp"
#include "core/admission/issuer.hpp"
#include "core/testing/loop.hpp"
#include "core/testing/world.hpp"

namespace seonchak {

/// An issuer on a loop run by hand, before a gate that is slow.
struct Issuing : World {
  explicit Issuing(IssuerOptions options = {}, AckWaitersOptions waiting = {std::chrono::hours(1)})
      : waiters(loop, watermarks, waiting),
        issuer(loop, slow, reader, waiters, watermarks, unsaved_claims, refusal_reader, metrics, options) {}
  ~Issuing() { catalog.stop(); }

  /// Asks, and lets the loop run until nothing is posted.
  void ask(const std::string& coupon_id, const std::string& user_id) {
    ask_in_this_turn(coupon_id, user_id);
    loop.run();
  }

  /// Asks and leaves the loop alone. Answers are noted as "user decision sequence" or "user error-code", in
  /// the order they come; as "user late" when they may not be given any more.
  void ask_in_this_turn(const std::string& coupon_id, const std::string& user_id) {
    issuer.issue(coupon_id, user_id, [this, user_id](Result<IssueAnswer> answer) {
      if (!answer) return answers.push_back(user_id + " " + std::string(to_string(answer.error().code)));
      if (ticker().now() > answer->valid_until) return answers.push_back(user_id + " late");
      std::string text = user_id + " " + std::string(to_string(answer->decision));
      if (answer->sequence > 0) text += " " + to_string(answer->sequence);
      answers.push_back(text + (answer->pending ? " pending" : ""));
    });
  }

  /// Lets the gate answer until it is idle.
  void answer_all() {
    for (loop.run(); !slow.held.empty(); loop.run()) slow.answer();
  }

  bool answered(std::size_t count) {
    return loop.run_until([&] { return answers.size() >= count; });
  }

  void published(const std::string& coupon_id, Sequence sequence) {
    const Watermark watermark{coupon_id, sequence, 1};
    watermarks.published({&watermark, 1});
    loop.run();
  }

  void persisted(const std::string& coupon_id, Sequence sequence) {
    const Watermark watermark{coupon_id, sequence, 1};
    watermarks.persisted({&watermark, 1});
    loop.run();
  }

  HandLoop loop;
  HoldingGate slow{gate};
  CatalogReader reader{catalog};
  AckWaiters waiters;
  UnsavedClaims unsaved_claims;
  RefusalCache refusals{gate, catalog, metrics};
  RefusalReader refusal_reader{refusals};
  Issuer issuer;
  std::vector<std::string> answers;
};

using Answers = std::vector<std::string>;

}  // namespace seonchak
