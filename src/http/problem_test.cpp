#include "http/problem.hpp"

#include <set>

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace seonchak {

namespace {

constexpr int errc_count = static_cast<int>(Errc::rejected) + 1;
constexpr int code_count = static_cast<int>(ProblemCode::unavailable) + 1;

boost::json::object parse(const Answer& answer) {
  return boost::json::parse(answer.body).as_object();
}

}  // namespace

TEST(Problem, EveryCodeHasItsOwnNameAndARefusalsStatus) {
  std::set<std::string_view> names;
  for (int i = 0; i < code_count; ++i) {
    const ProblemKind& kind = kind_of(static_cast<ProblemCode>(i));
    EXPECT_EQ(static_cast<int>(kind.code), i);
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
    EXPECT_GE(kind.status, 400U) << kind.name;
    EXPECT_EQ(kind.retryable, kind.status == 503) << kind.name;
  }
}

TEST(Problem, TheBodyIsThatOfRfc9457) {
  const Answer answer = to_answer({ProblemCode::sold_out, "All \"100\"\nare\x01 gone."});
  EXPECT_EQ(answer.status, 409U);
  EXPECT_EQ(answer.content_type, "application/problem+json");
  EXPECT_EQ(answer.headers, "");
  const auto body = parse(answer);
  EXPECT_EQ(body.at("type"), "urn:seonchak:problem:sold_out");
  EXPECT_EQ(body.at("title"), "Sold out");
  EXPECT_EQ(body.at("status"), 409);
  EXPECT_EQ(body.at("detail"), "All \"100\"\nare\x01 gone.");
  EXPECT_EQ(body.at("code"), "sold_out");
  EXPECT_EQ(body.size(), 5U);
}

TEST(Problem, FieldErrorsAndTimesAreMembersOfTheirOwn) {
  Problem problem{
      ProblemCode::invalid_coupon, "See errors.", {{"stock", "is required"}, {"name", "is \"odd\""}}};
  problem.opens_at = parse_rfc3339("2026-11-22T03:00:00Z");
  const auto body = parse(to_answer(problem));
  const auto& errors = body.at("errors").as_array();
  ASSERT_EQ(errors.size(), 2U);
  EXPECT_EQ(errors[1].at("field"), "name");
  EXPECT_EQ(errors[1].at("message"), "is \"odd\"");
  EXPECT_EQ(body.at("opensAt"), "2026-11-22T03:00:00.000Z");
}

TEST(Problem, WhatMayWorkLaterSaysWhen) {
  EXPECT_EQ(to_answer({ProblemCode::unavailable, ""}).headers, "Retry-After: 1\r\n");
}

TEST(Problem, EveryFailureHasACodeAndKeepsItsSecrets) {
  for (int i = 0; i < errc_count; ++i) {
    const Problem problem = problem_of({static_cast<Errc>(i), "SELECT at host db-7"});
    EXPECT_EQ(to_answer(problem).body.find("db-7"), std::string::npos);
    EXPECT_FALSE(problem.detail.empty());
  }
}

TEST(Problem, FailClosedErrorsNameTheirReason) {
  for (const Errc code : {Errc::unavailable, Errc::gate_missing, Errc::gate_epoch, Errc::gate_behind,
                          Errc::gate_untrusted, Errc::gate_unusable, Errc::outbox_full, Errc::overloaded}) {
    const Problem problem = problem_of({code, ""});
    EXPECT_EQ(problem.code, ProblemCode::unavailable);
    EXPECT_TRUE(problem.detail.starts_with(to_string(code))) << problem.detail;
  }
  EXPECT_EQ(problem_of({Errc::not_found, ""}).code, ProblemCode::coupon_not_found);
  EXPECT_EQ(problem_of({Errc::already_exists, ""}).code, ProblemCode::coupon_exists);
  EXPECT_EQ(problem_of({Errc::stock_below_issued, ""}).code, ProblemCode::stock_below_issued);
  EXPECT_EQ(problem_of({Errc::invalid, ""}).code, ProblemCode::invalid_coupon);
  EXPECT_EQ(problem_of({Errc::rejected, ""}).code, ProblemCode::internal);
}

}  // namespace seonchak
