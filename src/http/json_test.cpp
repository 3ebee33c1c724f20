#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include "http/coupon_input.hpp"
#include "http/coupon_json.hpp"
#include "http/json_members.hpp"
#include "http/query.hpp"
#include "http/response.hpp"

namespace seonchak {

namespace {

using Kind = JsonMember::Kind;
using Fields = std::vector<std::string>;

Fields fields_of(const Problem& problem) {
  Fields fields;
  for (const FieldError& error : problem.errors) fields.push_back(error.field);
  return fields;
}

/// The fields complained about, or nothing when the input is fine.
Fields complaints(std::string_view body) {
  const auto input = read_new_coupon(body, {});
  return input ? Fields{} : fields_of(input.error());
}

Fields change_complaints(std::string_view body) {
  const auto input = read_coupon_change(body, {});
  return input ? Fields{} : fields_of(input.error());
}

Kind kind_of_value(const std::string& value) {
  const auto members = parse_json_members("{\"x\":" + value + "}");
  EXPECT_TRUE(members) << value;
  return members->front().kind;
}

}  // namespace

TEST(JsonMembers, KeepOrderTypesAndDuplicates) {
  const auto members = parse_json_members(R"({"a":"x\u00e9\n","b":-5,"b":{"a":[1,"y",{"b":2}]},"c":null})");
  ASSERT_TRUE(members);
  ASSERT_EQ(members->size(), 4U);
  EXPECT_EQ(members->at(0).text, "x\xc3\xa9\n");
  EXPECT_EQ(members->at(1).integer, -5);
  EXPECT_EQ(members->at(2).name, "b");
  EXPECT_EQ(members->at(2).kind, Kind::structure);
  EXPECT_EQ(members->at(2).text, "");
  EXPECT_EQ(members->at(3).kind, Kind::null);
}

TEST(JsonMembers, TellWholeNumbersFromOthers) {
  EXPECT_EQ(kind_of_value("9223372036854775807"), Kind::integer);
  EXPECT_EQ(kind_of_value("9223372036854775808"), Kind::number);
  EXPECT_EQ(kind_of_value("99999999999999999999999999"), Kind::number);
  EXPECT_EQ(kind_of_value("1.0"), Kind::number);
  EXPECT_EQ(kind_of_value("1e3"), Kind::number);
  EXPECT_EQ(kind_of_value("1e400"), Kind::number);
  EXPECT_EQ(kind_of_value("true"), Kind::boolean);
}

TEST(JsonMembers, RefuseWhatIsNoObject) {
  for (const std::string text :
       {"", " ", "{", "{}x", "{}{}", "[]", "[{\"a\":1}]", "\"a\"", "5", "null", "{\"a\":01}", "{\"a\":1,}",
        "{'a':1}", "{\"a\":NaN}", "// x\n{}", "{\"a\":\"\xff\"}", "{\"a\":\"\x01\"}", "\xef\xbb\xbf{}",
        "{\"a\":[[[[[[[[[1]]]]]]]]]}"}) {
    const auto members = parse_json_members(text);
    ASSERT_FALSE(members) << text;
    EXPECT_EQ(members.error().code, Errc::invalid);
  }
  EXPECT_FALSE(parse_json_members(std::string(4096, '[')));
}

TEST(NewCouponInput, TakesEveryField) {
  const auto input = read_new_coupon(
      R"({"id":"tea","name":"차","stock":10000000,"opensAt":"2026-11-22T12:00:00+09:00","closesAt":null,"ack":"log"})",
      {});
  ASSERT_TRUE(input);
  EXPECT_EQ(input->id, "tea");
  EXPECT_EQ(input->name, "차");
  EXPECT_EQ(input->stock, 10'000'000);
  EXPECT_EQ(input->opens_at, parse_rfc3339("2026-11-22T03:00:00Z"));
  EXPECT_EQ(input->closes_at, std::nullopt);
  EXPECT_EQ(input->ack, Ack::log);
  const auto least = read_new_coupon(R"({"name":"x","stock":1})", {});
  ASSERT_TRUE(least);
  EXPECT_EQ(least->id, "");
  EXPECT_EQ(least->ack, std::nullopt);
}

TEST(NewCouponInput, NamesEachBadField) {
  EXPECT_EQ(complaints("{}"), (Fields{"name", "stock"}));
  EXPECT_EQ(complaints(R"({"name":null,"stock":"5"})"), (Fields{"name", "stock"}));
  EXPECT_EQ(complaints(R"({"name":"","stock":1})"), Fields{"name"});
  EXPECT_EQ(complaints(R"({"name":"a\u0000b","stock":1})"), Fields{"name"});
  EXPECT_EQ(complaints(R"({"name":")" + std::string(201, 'x') + R"(","stock":1})"), Fields{"name"});
  for (const std::string stock :
       {"0", "-1", "10000001", "1.5", "1e3", "1.0", "99999999999999999999", "true", "null", "[1]"}) {
    EXPECT_EQ(complaints(R"({"name":"x","stock":)" + stock + "}"), Fields{"stock"}) << stock;
  }
  EXPECT_EQ(complaints(R"({"name":"x","stock":1,"id":""})"), Fields{"id"});
  EXPECT_EQ(complaints(R"({"name":"x","stock":1,"id":7})"), Fields{"id"});
  EXPECT_EQ(complaints(R"({"name":"x","stock":1,"id":"a b"})"), Fields{"id"});
  EXPECT_EQ(complaints(R"({"name":"x","stock":1,"ack":"disk"})"), Fields{"ack"});
  EXPECT_EQ(complaints(R"({"name":"x","stock":1,"ack":null})"), Fields{"ack"});
  EXPECT_EQ(complaints(R"({"name":"x","stock":1,"opensAt":1763780400})"), Fields{"opensAt"});
  EXPECT_EQ(complaints(R"({"name":"x","stock":1,"closesAt":"2026-11-22"})"), Fields{"closesAt"});
  EXPECT_EQ(
      complaints(
          R"({"name":"x","stock":1,"opensAt":"2026-11-22T03:00:00Z","closesAt":"2026-11-22T03:00:00Z"})"),
      Fields{"closesAt"});
}

TEST(NewCouponInput, RefusesUnknownAndRepeatedFields) {
  EXPECT_EQ(complaints(R"({"name":"x","stock":1,"issued":0})"), Fields{"issued"});
  EXPECT_EQ(complaints(R"({"name":"x","stock":1,"stock":2})"), Fields{"stock"});
  EXPECT_EQ(complaints(R"({"name":"x","stock":1,"Name":"y","opens_at":null})"), (Fields{"Name", "opens_at"}));
}

TEST(NewCouponInput, TellsJsonThatIsBrokenFromFieldsThatAreWrong) {
  EXPECT_EQ(read_new_coupon("{", {}).error().code, ProblemCode::bad_json);
  EXPECT_EQ(read_new_coupon("{}", {}).error().code, ProblemCode::invalid_coupon);
}

TEST(NewCouponInput, AsksTheCompositionAboutAck) {
  CouponAdminOptions volatile_gate;
  volatile_gate.gate_is_durable = false;
  const auto input = read_new_coupon(R"({"name":"x","stock":1,"ack":"gate"})", volatile_gate);
  ASSERT_FALSE(input);
  EXPECT_EQ(fields_of(input.error()), Fields{"ack"});
}

TEST(CouponChangeInput, TellsAbsentFromNull) {
  const auto change = read_coupon_change(R"({"opensAt":null,"closesAt":"2026-11-22T03:00:00Z"})", {});
  ASSERT_TRUE(change);
  EXPECT_EQ(change->stock, std::nullopt);
  ASSERT_TRUE(change->opens_at.has_value());
  EXPECT_EQ(*change->opens_at, std::nullopt);
  EXPECT_EQ(change->closes_at, std::optional(parse_rfc3339("2026-11-22T03:00:00Z")));
}

TEST(CouponChangeInput, NamesEachBadField) {
  EXPECT_EQ(change_complaints(R"({"stock":5})"), Fields{});
  EXPECT_EQ(change_complaints(R"({"stock":0})"), Fields{"stock"});
  EXPECT_EQ(change_complaints(R"({"stock":null})"), Fields{"stock"});
  EXPECT_EQ(change_complaints(R"({"stock":1,"name":"x","ack":"log"})"), (Fields{"name", "ack"}));
  EXPECT_EQ(change_complaints(R"({"opensAt":"2026-11-22T03:00:00Z","closesAt":"2026-11-22T02:00:00Z"})"),
            Fields{"closesAt"});
  EXPECT_EQ(change_complaints("{}"), Fields{"stock"});
}

TEST(CouponJson, WithoutTheGateTheNumbersAreNull) {
  CouponView view;
  view.coupon.id = "tea";
  view.coupon.name = "a\\b";
  view.coupon.stock = 5;
  const auto json = boost::json::parse(coupon_json(view)).as_object();
  EXPECT_EQ(json.at("name"), "a\\b");
  EXPECT_EQ(json.at("stock"), 5);
  EXPECT_TRUE(json.at("issued").is_null());
  EXPECT_TRUE(json.at("remaining").is_null());
  EXPECT_EQ(json.at("createdAt"), "1970-01-01T00:00:00.000Z");
}

TEST(CouponJson, TheGatesStockIsTheOneInForce) {
  CouponView view;
  view.coupon.id = "tea";
  view.coupon.stock = 5;
  view.gate.emplace();
  view.gate->stock = 3;
  view.gate->issued = 4;
  view.gate->published = 2;
  view.gate->persisted = 1;
  const auto json = boost::json::parse(coupon_json(view)).as_object();
  EXPECT_EQ(json.at("stock"), 3);
  EXPECT_EQ(json.at("remaining"), 0);
  EXPECT_EQ(json.at("published"), 2);
  EXPECT_EQ(json.at("persisted"), 1);
  EXPECT_EQ(json.at("status"), "sold_out");
}

TEST(Query, ValuesAreFoundAndDecoded) {
  EXPECT_EQ(query_value("a=1&b=2&a=3", "a"), "1");
  EXPECT_EQ(query_value("ab=1&b=%41+", "b"), "A+");
  EXPECT_EQ(query_value("a&b=2", "a"), "");
  EXPECT_EQ(query_value("a=%zz", "a"), "");
  EXPECT_EQ(query_value("", "a"), std::nullopt);
  EXPECT_EQ(query_value("&&&", "a"), std::nullopt);
  EXPECT_EQ(percent_decode("%41%6a%6A"), "Ajj");
  EXPECT_EQ(percent_decode("%4"), std::nullopt);
}

TEST(HttpDateText, IsThatOfRfc9110) {
  EXPECT_EQ(format_http_date(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(format_http_date(1'709'164'800), "Thu, 29 Feb 2024 00:00:00 GMT");
}

}  // namespace seonchak
