#include "events/message.hpp"

#include <benchmark/benchmark.h>

namespace seonchak {
namespace {

const IssuedEvent event{"lunch", "user-1234567", 123'456, from_millis(1'795'316'400'123), 1};

void message_encode(benchmark::State& state) {
  MessageEncoder encoder;
  for (auto _ : state) benchmark::DoNotOptimize(encoder.encode(event).value.data());
}
BENCHMARK(message_encode);

void message_decode(benchmark::State& state) {
  MessageEncoder encoder;
  const auto encoded = encoder.encode(event);
  const std::string value(encoded.value);
  for (auto _ : state) benchmark::DoNotOptimize(decode_message({value, {}, {}}));
}
BENCHMARK(message_decode);

}  // namespace
}  // namespace seonchak
