#include <benchmark/benchmark.h>
#include <hiredis/hiredis.h>

#include "core/admission/bloom_filter.hpp"
#include "gate/memory/memory.hpp"
#include "gate/redis/scripts.hpp"

namespace seonchak {
namespace {

std::vector<std::string> users_from(std::int64_t first, std::int64_t count) {
  std::vector<std::string> users;
  for (std::int64_t i = first; i < first + count; ++i) users.push_back("user-" + std::to_string(i));
  return users;
}

/// One batch of new users in memory; time per batch.
void memory_gate_batch(benchmark::State& state) {
  MemoryGate gate;
  (void)gate.install({.id = "c", .epoch = 1, .stock = stock_max});
  std::int64_t next = 0;
  for (auto _ : state) {
    state.PauseTiming();
    ClaimBatch batch{"c", 1, 0, users_from(next, state.range(0))};
    next += state.range(0);
    state.ResumeTiming();
    benchmark::DoNotOptimize(gate.claim_now(std::move(batch)));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(memory_gate_batch)->Arg(1)->Arg(32)->Iterations(20'000);

/// What a batch costs on this side of the connection to Redis.
void redis_command_of_a_batch(benchmark::State& state) {
  const ClaimBatch batch{"c", 1, 0, users_from(0, state.range(0))};
  for (auto _ : state) benchmark::DoNotOptimize(claim_call(batch, 1'000'000).evalsha());
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(redis_command_of_a_batch)->Arg(1)->Arg(32)->Arg(512);

void redis_answer_of_a_batch(benchmark::State& state) {
  const std::string count = std::to_string(state.range(0));
  std::string text =
      "*14\r\n:0\r\n$8\r\n10000000\r\n:1000\r\n:1000\r\n$0\r\n\r\n$0\r\n\r\n$1\r\n0\r\n$1\r\n1\r\n";
  text += "$1\r\n2\r\n$1\r\n0\r\n$1\r\n0\r\n:1795316400000\r\n:" + count + "\r\n";
  text.replace(0, 3, "*13");
  for (auto _ : state) {
    redisReader* const reader = redisReaderCreate();
    redisReaderFeed(reader, text.data(), text.size());
    void* parsed = nullptr;
    if (redisReaderGetReply(reader, &parsed) != REDIS_OK || parsed == nullptr)
      state.SkipWithError("no reply");
    const Reply reply(static_cast<redisReply*>(parsed));
    redisReaderFree(reader);
    const auto claims = read_claims("c", static_cast<std::size_t>(state.range(0)), *reply);
    if (!claims) state.SkipWithError("not an answer of claim.lua");
    benchmark::DoNotOptimize(claims);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(redis_answer_of_a_batch)->Arg(1)->Arg(32)->Arg(512);

/// Strangers asked of a filter of so many holders.
void holder_filter(benchmark::State& state) {
  const auto holders = static_cast<std::size_t>(state.range(0));
  BloomFilter filter(holders);
  for (std::size_t i = 0; i < holders; ++i) filter.add("user-" + std::to_string(i));
  const std::vector<std::string> strangers = users_from(state.range(0), 4'096);
  std::size_t next = 0;
  for (auto _ : state) benchmark::DoNotOptimize(filter.may_contain(strangers[next++ % strangers.size()]));
}
BENCHMARK(holder_filter)->Arg(1'000)->Arg(1'000'000);

}  // namespace
}  // namespace seonchak
