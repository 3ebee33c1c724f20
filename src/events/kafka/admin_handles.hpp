#pragma once
#include <memory>

struct rd_kafka_AdminOptions_s;
struct rd_kafka_NewTopic_s;
struct rd_kafka_op_s;
struct rd_kafka_queue_s;

namespace seonchak::kafka {

/// Owners of what calls to the brokers' administration need. Each goes before its client.
struct DestroyAdmin {
  void operator()(rd_kafka_AdminOptions_s* options) const;
  void operator()(rd_kafka_NewTopic_s* topic) const;
  void operator()(rd_kafka_op_s* event) const;
  void operator()(rd_kafka_queue_s* queue) const;
};
template <class T>
using Admin = std::unique_ptr<T, DestroyAdmin>;

}  // namespace seonchak::kafka
