#include <cstdlib>
#include <filesystem>

#include <benchmark/benchmark.h>

#include "base/log.hpp"
#include "store/sqlite/sqlite.hpp"

namespace seonchak {
namespace {

/// One transaction of so many new rows, in memory where the machine offers that: the disk is not asked.
void sqlite_batch(benchmark::State& state) {
  log::set_level("off");
  const std::filesystem::path memory = "/dev/shm";
  const auto parent = std::filesystem::exists(memory) ? memory : std::filesystem::temp_directory_path();
  std::string folder = (parent / "seonchak-guards-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return state.SkipWithError("no folder");
  {
    const auto store = open_sqlite({folder + "/store.db"});
    Coupon coupon;
    coupon.id = "c";
    coupon.name = "c";
    coupon.stock = stock_max;
    (void)store->create_coupon(coupon);
    Sequence next = 1;
    for (auto _ : state) {
      state.PauseTiming();
      SaveBatch batch{"coupon", "memory", {}, {}, {}};
      for (std::int64_t i = 0; i < state.range(0); ++i, ++next)
        batch.events.push_back({"c", "user-" + to_string(next), next, from_millis(1'795'316'400'123), 1});
      state.ResumeTiming();
      const auto saved = store->save(batch);
      if (!saved || *saved != SaveOutcome::saved) state.SkipWithError("not saved");
    }
  }
  std::filesystem::remove_all(folder);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(sqlite_batch)->Arg(1)->Arg(32)->Arg(1'000)->Iterations(200);

}  // namespace
}  // namespace seonchak
