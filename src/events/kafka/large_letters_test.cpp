#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "events/kafka/dead_letter_box.hpp"
#include "events/testing/kafka.hpp"
#include "events/testing/kafka_member.hpp"

namespace seonchak {
namespace {

/// What just fits the broker's default of 1 MiB + 12, and not with the headers of a letter.
const std::string large(1'048'588 - 250, 'x');

constexpr int in_partition = 1;

struct KafkaLargeLetters : testing::Test {
  /// Writes the large message and a small one, and gives both up together.
  std::vector<DeadLetter> letters(const std::string& key, const std::string& value,
                                  const std::pair<std::string, std::string>& header) {
    KafkaOptions writer = options;
    writer.properties = {{"message.max.bytes", "2000000"}};
    write_raw(writer, key, value, in_partition, header);
    write_raw(writer, "small", "small", in_partition);
    Member member(options);
    std::map<std::int32_t, std::int64_t> position;
    std::vector<RefusedRecord> refused;
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (member.records.size() < 2 && std::chrono::steady_clock::now() < deadline) {
      const std::size_t before = member.records.size();
      member.step(position);
      for (std::size_t i = before; i < member.records.size(); ++i) {
        const LogRecord* record = &member.records[i];
        member.consumer->keep({&record, 1});
      }
    }
    for (const LogRecord& record : member.records) refused.push_back({&record, "never"});
    const auto sent = member.consumer->dead_letter(refused);
    EXPECT_TRUE(sent) << sent.error().message;
    return open_dead_letters(options)->unhandled(9).value();
  }

  const KafkaOptions options = fresh_kafka(2);
};

void expect_origin(const DeadLetter& letter, std::int64_t offset) {
  EXPECT_EQ(letter.partition, in_partition);
  EXPECT_EQ(letter.original_partition, in_partition);
  EXPECT_EQ(letter.original_offset, offset);
  EXPECT_EQ(letter.reason.substr(0, 5), "never");
}

TEST_F(KafkaLargeLetters, ALargeKeyIsCut) {
  const auto found = letters(large, "value", {"trace", "abc"});
  ASSERT_EQ(found.size(), 2U);
  const DeadLetter& whole = found[found[0].cut ? 1 : 0];
  const DeadLetter& cut = found[found[0].cut ? 0 : 1];
  expect_origin(whole, 1);
  EXPECT_EQ(whole.key, "small");
  EXPECT_FALSE(whole.cut);
  expect_origin(cut, 0);
  EXPECT_EQ(cut.key, large.substr(0, 1'024));
  EXPECT_EQ(cut.value, "value");
  EXPECT_TRUE(cut.headers.empty());
  EXPECT_TRUE(cut.cut) << "it cannot be sent again as it was";
  EXPECT_EQ(cut.reason,
            "never (headers left out; key cut: 1024 of its 1048338 bytes; the original offset has it whole)");
}

TEST_F(KafkaLargeLetters, LargeHeadersAreLeftOut) {
  const auto found = letters("key", "value", {"trace", large});
  ASSERT_EQ(found.size(), 2U);
  const DeadLetter& cut = found[found[0].cut ? 0 : 1];
  expect_origin(cut, 0);
  EXPECT_EQ(cut.key, "key");
  EXPECT_EQ(cut.value, "value");
  EXPECT_TRUE(cut.headers.empty());
  EXPECT_TRUE(cut.cut);
  EXPECT_EQ(cut.reason, "never (headers left out; the original offset has it whole)");
}

TEST_F(KafkaLargeLetters, ALargeValueIsCutAlone) {
  const auto found = letters("key", large, {"trace", "abc"});
  ASSERT_EQ(found.size(), 2U);
  const DeadLetter& cut = found[found[0].cut ? 0 : 1];
  expect_origin(cut, 0);
  EXPECT_EQ(cut.key, "key");
  EXPECT_EQ(cut.value, large.substr(0, 65'536));
  EXPECT_EQ(cut.headers.size(), 1U);
  EXPECT_EQ(cut.reason, "never (value cut: 65536 of its 1048338 bytes; the original offset has it whole)");
}

}  // namespace
}  // namespace seonchak
