#pragma once
#include "core/ports/event_log.hpp"

struct rd_kafka_message_s;

namespace seonchak::kafka {

/// What a consumed message says.
LogRecord record_of(const rd_kafka_message_s& message);

}  // namespace seonchak::kafka
