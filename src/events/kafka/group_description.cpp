#include "events/kafka/group_description.hpp"

#include <array>
#include <string_view>

#include <librdkafka/rdkafka.h>

namespace seonchak::kafka {

namespace {

void add_assigned(const rd_kafka_MemberDescription_t* member, const std::string& topic,
                  std::set<std::int32_t>& assigned) {
  const auto* assignment = rd_kafka_MemberDescription_assignment(member);
  const auto* list = assignment == nullptr ? nullptr : rd_kafka_MemberAssignment_partitions(assignment);
  for (int i = 0; list != nullptr && i < list->cnt; ++i) {
    if (std::string_view(list->elems[i].topic) == topic) assigned.insert(list->elems[i].partition);
  }
}

Error unavailable(const std::string& reason) {
  return {Errc::unavailable, "kafka consumer group: " + reason};
}

}  // namespace

Result<GroupDescription> describe_group(rd_kafka_t* client, const std::string& group,
                                        const std::string& topic, std::chrono::milliseconds wait) {
  std::array<char, 512> reason{};
  const auto wait_ms = static_cast<int>(wait.count());
  const Admin<rd_kafka_AdminOptions_t> request(
      rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS));
  rd_kafka_AdminOptions_set_request_timeout(request.get(), wait_ms, reason.data(), reason.size());
  const Admin<rd_kafka_queue_t> queue(rd_kafka_queue_new(client));
  const char* name = group.c_str();
  rd_kafka_DescribeConsumerGroups(client, &name, 1, request.get(), queue.get());
  // The request has a limit of its own; one more second for its answer to come through.
  const Admin<rd_kafka_event_t> answer(rd_kafka_queue_poll(queue.get(), wait_ms + 1'000));
  if (!answer) return unavailable("no answer");
  if (rd_kafka_event_error(answer.get()) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return unavailable(rd_kafka_event_error_string(answer.get()));
  std::size_t count = 0;
  const auto* result = rd_kafka_event_DescribeConsumerGroups_result(answer.get());
  const auto** groups = rd_kafka_DescribeConsumerGroups_result_groups(result, &count);
  if (count != 1) return unavailable("no description");
  if (const auto* error = rd_kafka_ConsumerGroupDescription_error(groups[0]); error != nullptr)
    return unavailable(rd_kafka_error_string(error));
  GroupDescription description;
  const auto state = rd_kafka_ConsumerGroupDescription_state(groups[0]);
  description.at_rest = state != RD_KAFKA_CONSUMER_GROUP_STATE_PREPARING_REBALANCE &&
                        state != RD_KAFKA_CONSUMER_GROUP_STATE_COMPLETING_REBALANCE;
  for (std::size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(groups[0]); ++i)
    add_assigned(rd_kafka_ConsumerGroupDescription_member(groups[0], i), topic, description.assigned);
  return description;
}

}  // namespace seonchak::kafka
