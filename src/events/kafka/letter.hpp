#pragma once
#include "events/kafka/dead_letter_box.hpp"

struct rd_kafka_message_s;

namespace seonchak::kafka {

/// What a message of a dead-letter topic says; also one that another program put there.
DeadLetter letter_of(const rd_kafka_message_s& message);

}  // namespace seonchak::kafka
