#include "events/kafka/record.hpp"

#include <librdkafka/rdkafka.h>

#include "events/message.hpp"

namespace seonchak::kafka {

namespace {

std::string_view event_id_of(const rd_kafka_message_t& message) {
  rd_kafka_headers_t* headers = nullptr;
  const void* id = nullptr;
  std::size_t id_bytes = 0;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      rd_kafka_header_get_last(headers, header::id, &id, &id_bytes) != RD_KAFKA_RESP_ERR_NO_ERROR || !id) {
    return {};
  }
  return {static_cast<const char*>(id), id_bytes};
}

}  // namespace

LogRecord record_of(const rd_kafka_message_t& message) {
  RawMessage raw;
  if (message.payload) raw.value = {static_cast<const char*>(message.payload), message.len};
  raw.event_id = [&message] { return event_id_of(message); };
  rd_kafka_timestamp_type_t type{};
  const std::int64_t timestamp = rd_kafka_message_timestamp(&message, &type);
  raw.timestamp = time_from_millis(timestamp).value_or(now());
  return {message.partition, message.offset, decode_message(raw)};
}

}  // namespace seonchak::kafka
