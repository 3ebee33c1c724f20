#include "events/kafka/admin_handles.hpp"

#include <librdkafka/rdkafka.h>

namespace seonchak::kafka {

void DestroyAdmin::operator()(rd_kafka_AdminOptions_s* options) const {
  rd_kafka_AdminOptions_destroy(options);
}

void DestroyAdmin::operator()(rd_kafka_NewTopic_s* topic) const {
  rd_kafka_NewTopic_destroy(topic);
}

void DestroyAdmin::operator()(rd_kafka_op_s* event) const {
  rd_kafka_event_destroy(event);
}

void DestroyAdmin::operator()(rd_kafka_queue_s* queue) const {
  rd_kafka_queue_destroy(queue);
}

}  // namespace seonchak::kafka
