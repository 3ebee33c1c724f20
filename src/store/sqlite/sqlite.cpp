#include "store/sqlite/sqlite.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <limits>
#include <tuple>
#include <utility>

#include "base/mutex.hpp"
#include "core/ports/lease_table.hpp"
#include "store/migrations.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/file_lock.hpp"
#include "store/sqlite/save.hpp"
#include "store/sqlite/statements.hpp"
#include "store/sqlite/unsaved.hpp"
#include "store/sqlite/unsaved_statements.hpp"

namespace seonchak {

namespace {

namespace sql = sqlite_sql;

constexpr int cache_kib = 64 * 1'024;

/// A checkpoint every 64 MiB of log. SQLite's own 1,000 pages are one batch of scattered keys: it would write
/// each page twice for every commit (measured: half the rows a second).
constexpr int checkpoint_pages = 16'384;

std::int64_t limit_rows(std::size_t limit) {
  return static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<std::int64_t>::max()));
}

Coupon read_coupon(SqliteStatement& row) {
  Coupon coupon;
  coupon.id = row.text_at(0);
  coupon.name = row.text_at(1);
  coupon.stock = row.integer_at(2);
  coupon.opens_at = row.optional_time_at(3);
  coupon.closes_at = row.optional_time_at(4);
  coupon.closed = row.text_at(5) == "closed";
  coupon.ack = parse_ack(row.text_at(6)).value_or(Ack::store);
  coupon.epoch = row.epoch_at(7);
  coupon.revision = row.revision_at(8);
  coupon.created_at = row.time_at(9);
  coupon.gate = row.text_at(10);
  coupon.settled = row.epoch_at(11);
  return coupon;
}

Holder read_holder(SqliteStatement& row) {
  return {row.text_at(0), row.sequence_at(1), row.time_at(2)};
}

LogPosition read_position(SqliteStatement& row) {
  return {static_cast<std::int32_t>(row.integer_at(0)), row.integer_at(1), row.text_at(2)};
}

/// ?1 to ?10 of sql::create_coupon and sql::update_coupon.
SqliteStatement& bind_coupon(SqliteStatement& statement, const Coupon& coupon) {
  statement.text(coupon.id)
      .text(coupon.name)
      .integer(coupon.stock)
      .time(coupon.opens_at)
      .time(coupon.closes_at);
  return statement.text(coupon.closed ? "closed" : "active")
      .text(to_string(coupon.ack))
      .integer(coupon.epoch)
      .text(coupon.gate)
      .integer(coupon.settled);
}

Error not_found(const std::string& id) {
  return {Errc::not_found, "there is no coupon " + id};
}

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(const SqliteOptions& options)
      : lock_(options.path, options.read_only),
        writer_(options.path, options.busy_timeout_ms, options.read_only, options.stop),
        reader_(options.path, options.busy_timeout_ms, options.read_only, options.stop) {
    if (options.read_only) {
      require_migrated(reader_);
    } else {
      set_up_writer(options.path);
      migrate(writer_);
    }
    if (const auto set = reader_.script("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF"); !set) {
      throw StartupError("cannot open " + options.path + ": " + set.error().message);
    }
  }

  Result<Coupon> create_coupon(Coupon coupon) override {
    const MutexLock coupons(coupon_mutex_);
    const MutexLock guard(writer_mutex_);
    auto transaction = SqliteTransaction::begin(writer_);
    if (!transaction) return transaction.error();
    const auto insert = writer_.prepared(sql::create_coupon);
    if (!insert) return insert.error();
    const auto made = bind_coupon(**insert, coupon).time(coupon.created_at).rows([](SqliteStatement& row) {
      return std::pair(row.text_at(0), row.revision_at(1));
    });
    if (!made && writer_.primary_key_taken()) {
      return Error{Errc::already_exists, "coupon " + coupon.id + " exists"};
    }
    if (!made) return made.error();
    if (const auto committed = transaction->commit(); !committed) return committed.error();
    std::tie(coupon.id, coupon.revision) = made->front();
    return coupon;
  }

  Result<Coupon> coupon(const std::string& id) override {
    const auto found = read(sql::coupon, read_coupon, [&](SqliteStatement& query) { query.text(id); });
    if (!found) return found.error();
    if (found->empty()) return not_found(id);
    return found->front();
  }

  Result<Coupon> update_coupon(const std::string& id,
                               const std::function<Result<void>(Coupon&)>& change) override {
    // Stands for the row's lock: only this process writes the file, and coupons only under this mutex.
    const MutexLock coupons(coupon_mutex_);
    const auto before = coupon(id);
    if (!before) return before.error();
    Coupon after = *before;
    if (const auto changed = change(after); !changed) return changed.error();
    after.id = before->id;
    after.created_at = before->created_at;

    const MutexLock guard(writer_mutex_);
    auto transaction = SqliteTransaction::begin(writer_);
    if (!transaction) return transaction.error();
    const auto update = writer_.prepared(sql::update_coupon);
    if (!update) return update.error();
    const auto revisions =
        bind_coupon(**update, after).integer(after.revision).rows([](SqliteStatement& row) {
          return row.revision_at(0);
        });
    if (!revisions) return revisions.error();
    if (revisions->empty()) return not_found(id);
    if (const auto committed = transaction->commit(); !committed) return committed.error();
    after.revision = revisions->front();
    return after;
  }

  Result<FencedCoupons> fence_coupons(std::span<const CouponFence> fences) override {
    const MutexLock coupons(coupon_mutex_);
    const MutexLock guard(writer_mutex_);
    auto transaction = SqliteTransaction::begin(writer_);
    if (!transaction) return transaction.error();
    const auto update = writer_.prepared(sql::fence_coupon);
    if (!update) return update.error();
    FencedCoupons fenced;
    for (const CouponFence& fence : fences) {
      (*update)->text(fence.coupon_id).integer(fence.seen_epoch).text(fence.seen_gate);
      auto rows = (*update)->integer(fence.epoch).text(fence.gate).rows(read_coupon);
      if (!rows) return rows.error();
      std::ranges::move(*rows, std::back_inserter(fenced.changed));
    }
    if (const auto committed = transaction->commit(); !committed) return committed.error();
    return fenced;
  }

  Result<std::vector<Coupon>> coupons_since(Revision after, std::size_t limit) override {
    return read(sql::coupons_since, read_coupon,
                [&](SqliteStatement& query) { query.integer(after).integer(limit_rows(limit)); });
  }

  Result<std::vector<Coupon>> list_coupons(const std::string& after_id, std::size_t limit) override {
    return read(sql::list_coupons, read_coupon,
                [&](SqliteStatement& query) { query.text(after_id).integer(limit_rows(limit)); });
  }

  Result<CouponTotals> coupon_totals() override {
    const auto totals = read(
        sql::coupon_totals,
        [](SqliteStatement& row) {
          return CouponTotals{row.integer_at(0), row.revision_at(1), row.integer_at(2)};
        },
        [](SqliteStatement&) {});
    if (!totals) return totals.error();
    return totals->front();
  }

  Result<SaveOutcome> save(const SaveBatch& batch) override {
    const MutexLock guard(writer_mutex_);
    return save_batch(writer_, batch);
  }

  Result<std::vector<LogPosition>> positions(const std::string& group, const std::string& topic) override {
    return read(sql::positions, read_position,
                [&](SqliteStatement& query) { query.text(group).text(topic); });
  }

  Result<std::vector<LogPosition>> highest_positions(const std::string& topic) override {
    return read(sql::highest_positions, read_position, [&](SqliteStatement& query) { query.text(topic); });
  }

  Result<std::vector<UserCoupon>> coupons_of_user(const std::string& user_id, std::size_t limit) override {
    return read(
        sql::coupons_of_user,
        [](SqliteStatement& row) {
          return UserCoupon{row.text_at(0), row.text_at(1), row.sequence_at(2), row.time_at(3),
                            row.text_at(4)};
        },
        [&](SqliteStatement& query) { query.text(user_id).integer(limit_rows(limit)); });
  }

  Result<std::vector<Holder>> holders(const std::string& coupon_id, Sequence after_sequence,
                                      std::size_t limit) override {
    return read(sql::holders, read_holder, [&](SqliteStatement& query) {
      query.text(coupon_id).integer(after_sequence).integer(limit_rows(limit));
    });
  }

  Result<std::vector<Holder>> holders_among(const std::string& coupon_id,
                                            std::span<const std::string> users) override {
    std::vector<Holder> found;
    for (const std::string& user : users) {
      auto row =
          read(sql::holder, read_holder, [&](SqliteStatement& query) { query.text(coupon_id).text(user); });
      if (!row) return row.error();
      std::ranges::move(*row, std::back_inserter(found));
    }
    return found;
  }

  Result<bool> begin_recording(const std::string& coupon_id, Epoch epoch,
                               const std::string& process) override {
    const MutexLock guard(writer_mutex_);
    return sqlite_unsaved::begin_recording(writer_, coupon_id, epoch, process);
  }

  Result<bool> record_unsaved(const std::string& coupon_id, Epoch epoch, const std::string& process,
                              std::span<const KnownClaim> claims) override {
    const MutexLock coupons(coupon_mutex_);
    const MutexLock guard(writer_mutex_);
    return sqlite_unsaved::record_unsaved(writer_, coupon_id, epoch, process, claims);
  }

  Result<void> end_recording(const std::string& coupon_id, Epoch epoch, const std::string& process) override {
    const MutexLock guard(writer_mutex_);
    return sqlite_unsaved::end_recording(writer_, coupon_id, epoch, process);
  }

  Result<std::vector<Recording>> recordings(const std::string& coupon_id, Epoch epoch) override {
    return read(
        sql::recordings,
        [](SqliteStatement& row) {
          return Recording{row.text_at(0), row.integer_at(1)};
        },
        [&](SqliteStatement& query) { query.text(coupon_id).integer(epoch); });
  }

  Result<std::vector<KnownClaim>> recorded_claims(const std::string& coupon_id) override {
    return read(sql::recorded_claims, sqlite_unsaved::read_claim,
                [&](SqliteStatement& query) { query.text(coupon_id); });
  }

  Result<std::int64_t> recorded_claim_count(const std::string& coupon_id) override {
    const auto counts = read(
        sql::recorded_claim_count, [](SqliteStatement& row) { return row.integer_at(0); },
        [&](SqliteStatement& query) { query.text(coupon_id); });
    if (!counts) return counts.error();
    return counts->front();
  }

  Result<void> forget_recorded(const std::string& coupon_id, Epoch epoch) override {
    const MutexLock guard(writer_mutex_);
    return sqlite_unsaved::forget_recorded(writer_, coupon_id, epoch);
  }

  Result<std::vector<KnownClaim>> late_claims(const std::string& coupon_id, const KnownClaim& after,
                                              std::size_t limit) override {
    return read(sql::late_claims, sqlite_unsaved::read_claim, [&](SqliteStatement& query) {
      query.text(coupon_id).integer(after.holder.sequence).integer(after.epoch).text(after.holder.user_id);
      query.integer(limit_rows(limit));
    });
  }

  Result<std::vector<std::string>> coupons_with_late_claims(const std::string& after_id,
                                                            std::size_t limit) override {
    return read(
        sql::coupons_with_late_claims, [](SqliteStatement& row) { return row.text_at(0); },
        [&](SqliteStatement& query) { query.text(after_id).integer(limit_rows(limit)); });
  }

  Result<void> forget_late_claims(const std::string& coupon_id, std::span<const KnownClaim> claims) override {
    const MutexLock guard(writer_mutex_);
    return sqlite_unsaved::forget_late_claims(writer_, coupon_id, claims);
  }

  Result<LeaseRow> read_lease(const std::string& name) override { return leases_.read(name); }

  Result<std::optional<std::int64_t>> take_lease(const std::string& name, const LeaseRow& seen,
                                                 const std::string& holder) override {
    return leases_.take(name, seen, holder);
  }

  Result<bool> beat_lease(const std::string& name, std::int64_t token) override {
    return leases_.beat(name, token);
  }

  Result<void> release_lease(const std::string& name, std::int64_t token) override {
    leases_.release(name, token);
    return {};
  }

  Result<void> check() override {
    const auto answer = read(
        sql::check, [](SqliteStatement& row) { return row.integer_at(0); }, [](SqliteStatement&) {});
    if (!answer) return answer.error();
    return {};
  }

 private:
  void set_up_writer(const std::string& path) REQUIRES(writer_mutex_) {
    const auto mode = writer_.value("PRAGMA journal_mode = WAL");
    if (!mode) {
      throw StartupError("cannot use " + path + " as the store: " + mode.error().message +
                         ": choose a path where no other kind of file is, and which no other program holds");
    }
    if (*mode != "wal") {
      throw StartupError("cannot use " + path + " as the store: no write-ahead log there, but " + *mode +
                         ": put it on a local file system");
    }
    const auto set = writer_.script(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
        "PRAGMA cache_size = -" +
        std::to_string(cache_kib) + ";PRAGMA wal_autocheckpoint = " + std::to_string(checkpoint_pages));
    if (!set) throw StartupError("cannot use " + path + " as the store: " + set.error().message);
  }

  template <class Read, class Bind>
  auto read(const char* sql, Read read_row, Bind bind)
      -> decltype(std::declval<SqliteStatement&>().rows(read_row)) {
    const MutexLock guard(reader_mutex_);
    const auto query = reader_.prepared(sql);
    if (!query) return query.error();
    bind(**query);
    return (*query)->rows(read_row);
  }

  const FileLock lock_;  // first: released when the file is closed
  Mutex coupon_mutex_;   // before writer_mutex_
  Mutex writer_mutex_;
  SqliteConnection writer_ GUARDED_BY(writer_mutex_);
  Mutex reader_mutex_;
  SqliteConnection reader_ GUARDED_BY(reader_mutex_);
  LeaseTable leases_;  // the file's lock makes this process the only one
};

}  // namespace

std::unique_ptr<Store> open_sqlite(const SqliteOptions& options) {
  if (options.path.empty() || options.path.find(":memory:") != std::string::npos) {
    throw StartupError(
        "a store in memory would not outlive the process: give the SQLite store the path of a file");
  }
  // One name for one file, whatever link or folder it is reached by: the lock goes by name.
  SqliteOptions named = options;
  std::error_code failed;
  const auto path = std::filesystem::weakly_canonical(options.path, failed);
  if (failed) throw StartupError("cannot use " + options.path + " as the store: " + failed.message());
  named.path = path.string();
  if (options.read_only && !std::filesystem::exists(path, failed)) {
    throw StartupError("there is no store at " + options.path +
                       ": name the file of `seonchak serve --store`");
  }
  return std::make_unique<SqliteStore>(named);
}

}  // namespace seonchak
