#include "events/message.hpp"

#include <random>

#include <gtest/gtest.h>

namespace seonchak {
namespace {

const Time record_time = from_millis(1'700'000'000'000);

Message decode(std::string_view value, std::string_view event_id = "") {
  return decode_message({value, [event_id] { return event_id; }, record_time});
}

std::string reason(std::string_view value) {
  const Message message = decode(value);
  const auto* malformed = std::get_if<Malformed>(&message);
  return malformed ? malformed->reason : "(well formed)";
}

IssuedEvent event() {
  return {"1", "42", 17, *parse_rfc3339("2026-11-22T03:00:00.123Z"), 3};
}

TEST(Message, TheValueIsExactlyTheDocumentedOne) {
  MessageEncoder encoder;
  const auto encoded = encoder.encode(event());
  EXPECT_EQ(
      encoded.value,
      R"({"couponId":"1","userId":"42","sequence":17,"issuedAt":"2026-11-22T03:00:00.123Z","epoch":3})");
  EXPECT_EQ(encoded.id, "1:3:17");
  EXPECT_EQ(encoded.time, "2026-11-22T03:00:00.123Z");
}

TEST(Message, AnUnknownEpochIsLeftOutOfTheValue) {
  MessageEncoder encoder;
  IssuedEvent unknown = event();
  unknown.epoch = 0;
  const auto encoded = encoder.encode(unknown);
  EXPECT_EQ(encoded.value,
            R"({"couponId":"1","userId":"42","sequence":17,"issuedAt":"2026-11-22T03:00:00.123Z"})");
  EXPECT_EQ(decode(encoded.value, encoded.id), Message(unknown));
}

TEST(Message, AnEncoderIsReusable) {
  MessageEncoder encoder;
  encoder.encode(event());
  IssuedEvent other{"spring.sale_2-x", "user:a@b.c", Sequence(9'007'199'254'740'992), from_millis(1), 9};
  const auto encoded = encoder.encode(other);
  EXPECT_EQ(decode(encoded.value, encoded.id), Message(other));
  EXPECT_EQ(encoded.time, "1970-01-01T00:00:00.001Z");
}

TEST(Message, RoundTrip) {
  MessageEncoder encoder;
  const auto encoded = encoder.encode(event());
  EXPECT_EQ(decode(encoded.value), Message(event()));
}

TEST(Message, EncodingAnIdThatNeedsEscapingAborts) {
  MessageEncoder encoder;
  IssuedEvent bad = event();
  bad.user_id = "4\"2";
  EXPECT_DEATH(encoder.encode(bad), "");
}

TEST(Message, IdsMayBeNumbersAndTheSequenceAString) {
  const Message expected = IssuedEvent{"18446744073709551615", "9007199254740993",
                                       Sequence(9'007'199'254'740'992), record_time, 0};
  EXPECT_EQ(
      decode(R"({"couponId":18446744073709551615,"userId":9007199254740993,"sequence":"9007199254740992"})"),
      expected);
}

TEST(Message, TheRecordsTimestampStandsInForAMissingIssuedAt) {
  const Message expected = IssuedEvent{"1", "2", 3, record_time, 0};
  EXPECT_EQ(decode(R"({"couponId":"1","userId":"2","sequence":3})"), expected);
  EXPECT_EQ(decode(R"({"couponId":"1","userId":"2","sequence":3,"issuedAt":null})"), expected);
}

TEST(Message, IssuedAtMayHaveAnOffset) {
  const Message message =
      decode(R"({"couponId":"1","userId":"2","sequence":3,"issuedAt":"2026-11-22T12:00:00+09:00"})");
  EXPECT_EQ(std::get<IssuedEvent>(message).issued_at, *parse_rfc3339("2026-11-22T03:00:00Z"));
}

TEST(Message, UnknownFieldsAreIgnored) {
  const Message expected = IssuedEvent{"1", "2", 3, record_time, 0};
  EXPECT_EQ(decode(R"( {"x":[{"y":1e300}],"couponId":"1","userId":"2","sequence":3,"z":"é\n"} )"), expected);
}

TEST(Message, TheOriginsOwnMessageIsABareRequest) {
  const Message expected = BareRequest{"1", "42"};
  EXPECT_EQ(decode(R"({"couponId":1,"userId":42})"), expected);
  EXPECT_EQ(decode(R"({"userId":"42","couponId":"1"})"), expected);
  EXPECT_EQ(decode(R"({"couponId":1,"userId":42,"sequence":null})"), expected);
}

TEST(Message, ADoubleEncodedValueIsReadOnce) {
  EXPECT_EQ(decode(R"("{\"couponId\":1,\"userId\":42}")"), Message(BareRequest{"1", "42"}));
  EXPECT_EQ(reason(R"("\"{\\\"couponId\\\":1,\\\"userId\\\":42}\"")"), "not a JSON object");
  EXPECT_TRUE(reason(R"("hello")").starts_with("a JSON string with no JSON inside"));
}

TEST(Message, TheEpochComesFromAnEventIdThatAgrees) {
  const auto epoch = [](std::string_view event_id) {
    return std::get<IssuedEvent>(decode(R"({"couponId":"1","userId":"2","sequence":17})", event_id)).epoch;
  };
  EXPECT_EQ(epoch("1:5:17"), 5);
  EXPECT_EQ(epoch("1:9007199254740992:17"), Epoch(9'007'199'254'740'992));
  for (const char* other :
       {"", ":", "1", "1:", "1:5", "1:5:18", "2:5:17", "11:5:17", "1::17", "1:x:17", "1:-5:17", "1:5:5:17",
        "1:9007199254740993:17", "15:17", "1:9223372036854775808:17", "1:5:17 "}) {
    EXPECT_EQ(epoch(other), 0) << other;
  }
}

TEST(Message, TheValuesEpochLeavesTheHeadersUnread) {
  const auto never = []() -> std::string_view {
    ADD_FAILURE() << "the event id was looked up";
    return "1:5:17";
  };
  const auto read = [&](std::string_view value) { return decode_message({value, never, record_time}); };
  EXPECT_EQ(read(R"({"couponId":"1","userId":"2","sequence":17,"epoch":3})"),
            Message(IssuedEvent{"1", "2", 17, record_time, 3}));
  EXPECT_EQ(read(R"({"couponId":"1","userId":"2"})"), Message(BareRequest{"1", "2"}));
  EXPECT_EQ(decode(R"({"couponId":"1","userId":"2","sequence":17,"epoch":null})", "1:5:17"),
            Message(IssuedEvent{"1", "2", 17, record_time, 5}));
}

TEST(Message, AnEpochIsAPositive64BitInteger) {
  const auto with = [](std::string_view epoch) {
    return reason(R"({"couponId":"1","userId":"2","sequence":3,"epoch":)" + std::string(epoch) + "}");
  };
  EXPECT_EQ(with("9007199254740992"), "(well formed)");
  EXPECT_EQ(with("9007199254740993"), "epoch is more than 2^53");
  EXPECT_EQ(with("9223372036854775807"), "epoch is more than 2^53");
  EXPECT_EQ(with("0"), "epoch is less than 1");
  EXPECT_EQ(with("-1"), "epoch is less than 1");
  for (const char* bad : {"1.5", "1e2", "9223372036854775808", R"("3")", "{}", "true"}) {
    EXPECT_EQ(with(bad), "epoch is not a 64-bit integer") << bad;
  }
}

TEST(Message, NoNumberIsBeyondItsLimitInTheFormThatWeWriteEither) {
  const auto with = [](const char* sequence, const char* epoch) {
    return reason(std::string(R"({"couponId":"1","userId":"2","sequence":)") + sequence +
                  R"(,"issuedAt":"2026-11-22T03:00:00.123Z","epoch":)" + epoch + "}");
  };
  EXPECT_EQ(with("9007199254740992", "9007199254740992"), "(well formed)");
  EXPECT_EQ(with("9007199254740993", "1"), "sequence is more than 2^53");
  EXPECT_EQ(with("1", "9007199254740993"), "epoch is more than 2^53");
}

TEST(Message, TheReasonSaysWhatIsWrong) {
  EXPECT_EQ(reason(R"({"userId":"2","sequence":3})"), "couponId is missing");
  EXPECT_EQ(reason(R"({"couponId":null,"userId":"2"})"), "couponId is missing");
  EXPECT_EQ(reason(R"({"couponId":"1","sequence":3})"), "userId is missing");
  EXPECT_EQ(reason(R"({"couponId":"a b","userId":"2"})"),
            "couponId is not a valid id: 1 to 64 characters of a limited set");
  EXPECT_TRUE(reason(R"({"couponId":"a:b","userId":"2"})").starts_with("couponId is not a valid id"));
  EXPECT_TRUE(reason(R"({"couponId":"","userId":"2"})").starts_with("couponId is not a valid id"));
  EXPECT_TRUE(reason(R"({"couponId":"1","userId":"\u0000"})").starts_with("userId is not a valid id"));
  EXPECT_TRUE(
      reason(R"({"couponId":"1","userId":")" + std::string(65, 'u') + "\"}").starts_with("userId is not"));
  EXPECT_EQ(reason(R"({"couponId":1.5,"userId":"2"})"), "couponId is not a 64-bit integer");
  EXPECT_EQ(reason(R"({"couponId":18446744073709551616,"userId":"2"})"), "couponId is not a 64-bit integer");
  EXPECT_EQ(reason(R"({"couponId":true,"userId":"2"})"), "couponId is neither a string nor a number");
  EXPECT_EQ(reason(R"({"couponId":"1","userId":["2"]})"), "userId is neither a string nor a number");
}

TEST(Message, ASequenceIsAPositive64BitInteger) {
  const auto with = [](std::string_view sequence) {
    return reason(R"({"couponId":"1","userId":"2","sequence":)" + std::string(sequence) + "}");
  };
  EXPECT_EQ(with("9007199254740992"), "(well formed)");
  EXPECT_EQ(with(R"("9007199254740992")"), "(well formed)");
  for (const char* large : {"9007199254740993", "9223372036854775807", R"("9223372036854775807")"})
    EXPECT_EQ(with(large), "sequence is more than 2^53") << large;
  EXPECT_EQ(with("0"), "sequence is less than 1");
  EXPECT_EQ(with("-1"), "sequence is less than 1");
  EXPECT_EQ(with(R"("-1")"), "sequence is less than 1");
  for (const char* bad : {"1.5", "1e2", "9223372036854775808", "1e400", R"("9223372036854775808")", R"("")",
                          R"("1x")", R"(" 1")", R"("+1")", R"("1.0")"}) {
    EXPECT_EQ(with(bad), "sequence is not a 64-bit integer") << bad;
  }
  EXPECT_EQ(with("{}"), "sequence is neither a number nor a string");
  EXPECT_EQ(with("true"), "sequence is neither a number nor a string");
}

TEST(Message, ABadIssuedAtIsMalformed) {
  EXPECT_EQ(reason(R"({"couponId":"1","userId":"2","sequence":3,"issuedAt":"yesterday"})"),
            "issuedAt is not an RFC 3339 time");
  EXPECT_EQ(reason(R"({"couponId":"1","userId":"2","sequence":3,"issuedAt":1700000000})"),
            "issuedAt is not a string");
}

TEST(Message, WhatIsNotAJsonObjectIsMalformed) {
  EXPECT_EQ(decode_message({std::nullopt, {}, record_time}),
            Message(Malformed{"the message has no value (a tombstone)"}));
  for (const char* bad :
       {"", " ", "{", "}", "{]", "nul", "{\"couponId\":1,}", "{\"couponId\":1} x", "\xff\xfe",
        "{\"couponId\":\"\xc3\x28\",\"userId\":1}", "NaN", "'a'", "{couponId:1}"}) {
    EXPECT_TRUE(reason(bad).starts_with("not JSON: ")) << bad << " -> " << reason(bad);
  }
  for (const char* bad : {"null", "1", "[]", "true", "[{\"couponId\":1,\"userId\":2}]"}) {
    EXPECT_EQ(reason(bad), "not a JSON object") << bad;
  }
}

TEST(Message, SizeAndDepthAreBounded) {
  const std::string valid = R"({"couponId":1,"userId":2})";
  EXPECT_EQ(reason(valid + std::string(value_bytes_max - valid.size(), ' ')), "(well formed)");
  EXPECT_EQ(reason(valid + std::string(value_bytes_max - valid.size() + 1, ' ')),
            "the value has 65537 bytes, more than 65536");
  EXPECT_TRUE(reason(std::string(10'000, '[')).starts_with("not JSON: "));
  EXPECT_TRUE(reason(R"({"couponId":1,"userId":2,"x":)" + std::string(20, '[') + std::string(20, ']') + "}")
                  .starts_with("not JSON: "));
}

TEST(Message, AValueThatIsNearlyOursMeansWhatItMeansAsJson) {
  std::mt19937 random(20'261'123);
  MessageEncoder encoder;
  const std::string ours(encoder.encode(event()).value);
  const std::string_view alphabet = R"(0123456789"\,:{}-+.eTZ x/)";
  std::size_t well_formed = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string text = ours;
    const std::size_t at = random() % text.size();
    const char letter = alphabet[random() % alphabet.size()];
    switch (round % 4) {
      case 0:
        text[at] = letter;
        break;
      case 1:
        text.insert(at, 1, letter);
        break;
      case 2:
        text.erase(at, 1 + random() % 3);
        break;
      default:
        text.resize(at);
        break;
    }
    // A space ahead changes nothing but who reads it.
    const Message message = decode(text);
    ASSERT_EQ(message, decode(" " + text)) << text;
    well_formed += message.index() == 0;
  }
  EXPECT_GT(well_formed, 0u);
  EXPECT_EQ(decode(ours), decode(" " + ours));
}

TEST(Message, RandomBytesNeverCrash) {
  std::mt19937 random(20'261'122);
  const std::string_view alphabet = "{}[]\",:\\u0123456789eE+-.truefalsnl couponIdserquc\x80\xff\n";
  const std::string seed =
      R"({"couponId":"1","userId":42,"sequence":17,"issuedAt":"2026-11-22T03:00:00.123Z"})";
  std::size_t well_formed = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string text;
    if (round % 2 == 0) {
      text = seed;
      for (int i = 0; i < 1 + round % 4; ++i)
        text[random() % text.size()] = alphabet[random() % alphabet.size()];
    } else {
      for (std::size_t i = random() % 64; i > 0; --i) text += alphabet[random() % alphabet.size()];
    }
    const Message message = decode(text, text);
    well_formed += message.index() != 2;
    if (const auto* issued = std::get_if<IssuedEvent>(&message)) {
      EXPECT_GE(issued->sequence, 1);
      MessageEncoder().encode(*issued);
    }
  }
  EXPECT_GT(well_formed, 0u);
}

}  // namespace
}  // namespace seonchak
