#include <librdkafka/rdkafka.h>

#include "events/kafka/client.hpp"
#include "events/kafka/kafka.hpp"

namespace seonchak {

namespace {

using namespace kafka;

class KafkaProbe final : public EventLogProbe {
 public:
  explicit KafkaProbe(const KafkaOptions& options)
      : target_(parse_url(options.url)),
        timeout_(options.check_timeout_ms),
        client_(make_client(Role::producer, options, target_, {})),
        topic_(rd_kafka_topic_new(client_.get(), target_.topic.c_str(), nullptr)) {}

  Result<void> check() override {
    const auto count = partition_count(client_.get(), topic_.get(), target_, timeout_);
    if (!count) return count.error();
    return {};
  }

 private:
  const Target target_;
  const std::chrono::milliseconds timeout_;
  Client client_;
  Topic topic_;
};

}  // namespace

std::unique_ptr<EventLogProbe> make_kafka_probe(const KafkaOptions& options) {
  return std::make_unique<KafkaProbe>(options);
}

}  // namespace seonchak
