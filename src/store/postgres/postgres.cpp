#include "store/postgres/postgres.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

#include "store/migrations.hpp"
#include "store/postgres/array.hpp"
#include "store/postgres/connection.hpp"
#include "store/postgres/leases.hpp"
#include "store/postgres/pool.hpp"
#include "store/postgres/save.hpp"
#include "store/postgres/statements.hpp"
#include "store/postgres/unsaved.hpp"

namespace seonchak {

namespace {

namespace sql = postgres_sql;

constexpr int server_version_min = 150'000;

/// Of one call for many coupons, when rows are refused.
constexpr int fence_tries_max = 32;

std::int64_t limit_rows(std::size_t limit) {
  return static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<std::int64_t>::max()));
}

/// Columns in the order of sql::coupon_columns.
Coupon read_coupon(const PostgresRows& rows, std::size_t row) {
  Coupon coupon;
  coupon.id = rows.text(row, 0);
  coupon.name = rows.text(row, 1);
  coupon.stock = rows.bigint(row, 2);
  coupon.opens_at = rows.optional_time(row, 3, postgres_format::minus_infinity);
  coupon.closes_at = rows.optional_time(row, 4, postgres_format::infinity);
  coupon.closed = rows.text(row, 5) == "closed";
  coupon.ack = parse_ack(rows.text(row, 6)).value_or(Ack::store);
  coupon.epoch = rows.epoch(row, 7);
  coupon.revision = rows.revision(row, 8);
  coupon.created_at = rows.time(row, 9);
  coupon.gate = rows.text(row, 10);
  coupon.settled = rows.epoch(row, 11);
  return coupon;
}

/// Columns user_id, sequence, issued_at.
std::vector<Holder> read_holders(const PostgresRows& rows) {
  std::vector<Holder> found;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    found.push_back({std::string(rows.text(row, 0)), rows.sequence(row, 1), rows.time(row, 2)});
  }
  return found;
}

std::vector<Coupon> read_coupons(const PostgresRows& rows) {
  std::vector<Coupon> coupons;
  for (std::size_t row = 0; row < rows.size(); ++row) coupons.push_back(read_coupon(rows, row));
  return coupons;
}

/// Columns partition, next_offset.
std::vector<LogPosition> read_positions(const PostgresRows& rows) {
  std::vector<LogPosition> found;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    found.push_back({rows.integer(row, 0), rows.bigint(row, 1), std::string(rows.text(row, 2))});
  }
  return found;
}

/// $1 to $10 of create_coupon and update_coupon.
PostgresParams coupon_params(const Coupon& coupon) {
  PostgresParams params;
  params.text(coupon.id).text(coupon.name).bigint(coupon.stock).time(coupon.opens_at).time(coupon.closes_at);
  params.text(coupon.closed ? "closed" : "active")
      .text(std::string(to_string(coupon.ack)))
      .bigint(coupon.epoch)
      .text(coupon.gate)
      .bigint(coupon.settled);
  return params;
}

class PostgresStore final : public Store {
 public:
  PostgresStore(const PostgresOptions& options, std::unique_ptr<PostgresConnection> connection)
      : options_(options), pool_(options, std::move(connection)) {}

  Result<Coupon> create_coupon(Coupon coupon) override {
    auto connection = pool_.acquire();
    if (!connection) return connection.error();
    PostgresParams params = coupon_params(coupon);
    params.time(coupon.created_at);
    const auto rows = (*connection)
                          ->transaction({{&sql::lock_revisions},
                                         {&sql::wait_briefly},
                                         {&sql::change_quickly},
                                         {&sql::create_coupon, std::move(params)}});
    if (!rows && rows.error().constraint == "coupon_pkey") {
      return Error{Errc::already_exists, "coupon " + coupon.id + " exists"};
    }
    if (!rows) return row_error(coupon.id, rows.error());
    coupon.id = rows->at(3).text(0, 0);
    coupon.revision = rows->at(3).revision(0, 1);
    return coupon;
  }

  Result<Coupon> coupon(const std::string& id) override {
    const auto rows = pool_.query(sql::coupon, PostgresParams().text(id));
    if (!rows) return rows.error();
    if (rows->size() == 0) return not_found(id);
    return read_coupon(*rows, 0);
  }

  Result<Coupon> update_coupon(const std::string& id,
                               const std::function<Result<void>(Coupon&)>& change) override {
    // Its end rolls back whatever was not committed, whichever way this function is left.
    auto connection = pool_.acquire();
    if (!connection) return connection.error();
    const std::array begin = {PostgresCall{&begin_transaction},
                              PostgresCall{&sql::coupon_for_update, PostgresParams().text(id)}};
    const auto present = (*connection)->run(begin);
    if (!present) return row_error(id, present.error());
    if (present->at(1).size() == 0) return not_found(id);
    const Coupon before = read_coupon(present->at(1), 0);

    Coupon after = before;
    if (const auto changed = change(after); !changed) return changed.error();
    after.id = before.id;
    after.created_at = before.created_at;

    // `change` may have waited for the gate: only now stop the other writers.
    auto [limit, commit] = (*connection)->commit_calls();
    const std::array finish = {PostgresCall{&sql::lock_revisions}, PostgresCall{&sql::change_quickly},
                               PostgresCall{&sql::update_coupon, coupon_params(after).bigint(after.revision)},
                               std::move(limit), std::move(commit)};
    const auto rows = (*connection)->run(finish);
    if (!rows) return change_error(rows.error());
    after.revision = rows->at(2).revision(0, 0);
    return after;
  }

  Result<FencedCoupons> fence_coupons(std::span<const CouponFence> fences) override {
    int tries = fence_tries_max;
    return fence(fences, tries);
  }

  Result<std::vector<Coupon>> coupons_since(Revision after, std::size_t limit) override {
    const auto rows =
        pool_.query(sql::coupons_since, PostgresParams().bigint(after).bigint(limit_rows(limit)));
    if (!rows) return rows.error();
    return read_coupons(*rows);
  }

  Result<std::vector<Coupon>> list_coupons(const std::string& after_id, std::size_t limit) override {
    const auto rows =
        pool_.query(sql::list_coupons, PostgresParams().text(after_id).bigint(limit_rows(limit)));
    if (!rows) return rows.error();
    return read_coupons(*rows);
  }

  Result<CouponTotals> coupon_totals() override {
    const auto rows = pool_.query(sql::coupon_totals, PostgresParams());
    if (!rows) return rows.error();
    return CouponTotals{rows->bigint(0, 0), rows->revision(0, 1), rows->bigint(0, 2)};
  }

  Result<SaveOutcome> save(const SaveBatch& batch) override {
    if (batch.events.empty() && batch.positions.empty() && batch.late.empty()) return SaveOutcome::saved;
    auto connection = pool_.acquire();
    if (!connection) return connection.error();
    return saver_.save(**connection, batch);
  }

  Result<std::vector<LogPosition>> positions(const std::string& group, const std::string& topic) override {
    const auto rows = pool_.query(sql::positions, PostgresParams().text(group).text(topic));
    if (!rows) return rows.error();
    return read_positions(*rows);
  }

  Result<std::vector<LogPosition>> highest_positions(const std::string& topic) override {
    const auto rows = pool_.query(sql::highest_positions, PostgresParams().text(topic));
    if (!rows) return rows.error();
    return read_positions(*rows);
  }

  Result<std::vector<UserCoupon>> coupons_of_user(const std::string& user_id, std::size_t limit) override {
    const auto rows =
        pool_.query(sql::coupons_of_user, PostgresParams().text(user_id).bigint(limit_rows(limit)));
    if (!rows) return rows.error();
    std::vector<UserCoupon> found;
    for (std::size_t row = 0; row < rows->size(); ++row) {
      found.push_back({std::string(rows->text(row, 0)), user_id, rows->sequence(row, 1), rows->time(row, 2),
                       std::string(rows->text(row, 3))});
    }
    return found;
  }

  Result<std::vector<Holder>> holders(const std::string& coupon_id, Sequence after_sequence,
                                      std::size_t limit) override {
    const auto rows = pool_.query(
        sql::holders, PostgresParams().text(coupon_id).bigint(after_sequence).bigint(limit_rows(limit)));
    if (!rows) return rows.error();
    return read_holders(*rows);
  }

  Result<std::vector<Holder>> holders_among(const std::string& coupon_id,
                                            std::span<const std::string> users) override {
    const std::vector<std::string_view> names(users.begin(), users.end());
    const auto rows = pool_.query(sql::holders_among, PostgresParams().text(coupon_id).texts(names));
    if (!rows) return rows.error();
    return read_holders(*rows);
  }

  Result<bool> begin_recording(const std::string& coupon_id, Epoch epoch,
                               const std::string& process) override {
    return unsaved_.begin_recording(coupon_id, epoch, process);
  }

  Result<bool> record_unsaved(const std::string& coupon_id, Epoch epoch, const std::string& process,
                              std::span<const KnownClaim> claims) override {
    return unsaved_.record_unsaved(coupon_id, epoch, process, claims);
  }

  Result<void> end_recording(const std::string& coupon_id, Epoch epoch, const std::string& process) override {
    return unsaved_.end_recording(coupon_id, epoch, process);
  }

  Result<std::vector<Recording>> recordings(const std::string& coupon_id, Epoch epoch) override {
    return unsaved_.recordings(coupon_id, epoch);
  }

  Result<std::vector<KnownClaim>> recorded_claims(const std::string& coupon_id) override {
    return unsaved_.recorded_claims(coupon_id);
  }

  Result<std::int64_t> recorded_claim_count(const std::string& coupon_id) override {
    return unsaved_.recorded_claim_count(coupon_id);
  }

  Result<void> forget_recorded(const std::string& coupon_id, Epoch epoch) override {
    return unsaved_.forget_recorded(coupon_id, epoch);
  }

  Result<std::vector<KnownClaim>> late_claims(const std::string& coupon_id, const KnownClaim& after,
                                              std::size_t limit) override {
    return unsaved_.late_claims(coupon_id, after, limit_rows(limit));
  }

  Result<std::vector<std::string>> coupons_with_late_claims(const std::string& after_id,
                                                            std::size_t limit) override {
    return unsaved_.coupons_with_late_claims(after_id, limit_rows(limit));
  }

  Result<void> forget_late_claims(const std::string& coupon_id, std::span<const KnownClaim> claims) override {
    return unsaved_.forget_late_claims(coupon_id, claims);
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
    return leases_.release(name, token);
  }

  Result<void> check() override {
    const auto latest =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(options_.check_timeout_ms);
    const auto rows = pool_.query(sql::check, PostgresParams(), latest);
    if (!rows) return rows.error();
    return {};
  }

 private:
  Result<FencedCoupons> fence_together(std::span<const CouponFence> fences) {
    std::vector<std::string_view> ids;
    std::vector<std::int64_t> seen_epochs;
    std::vector<std::string_view> seen_gates;
    std::vector<std::int64_t> epochs;
    std::vector<std::string_view> gates;
    for (const CouponFence& fence : fences) {
      ids.push_back(fence.coupon_id);
      seen_epochs.push_back(fence.seen_epoch.value());
      seen_gates.push_back(fence.seen_gate);
      epochs.push_back(fence.epoch.value());
      gates.push_back(fence.gate);
    }
    PostgresParams changes;
    changes.texts(ids).bigints(seen_epochs).texts(seen_gates).bigints(epochs).texts(gates);
    auto connection = pool_.acquire();
    if (!connection) return connection.error();
    const auto rows = (*connection)
                          ->transaction({{&sql::coupons_for_fence, PostgresParams().texts(ids)},
                                         {&sql::lock_revisions},
                                         {&sql::change_quickly},
                                         {&sql::fence_coupons, std::move(changes)},
                                         {&sql::coupons_among, PostgresParams().texts(ids)}});
    if (!rows) return change_error(rows.error());
    FencedCoupons fenced{read_coupons(rows->at(3)), {}};
    std::set<std::string_view> free;
    for (std::size_t row = 0; row < rows->at(0).size(); ++row) free.insert(rows->at(0).text(row, 0));
    for (const Coupon& coupon : fenced.changed) free.insert(coupon.id);
    for (std::size_t row = 0; row < rows->at(4).size(); ++row) {
      const auto id = rows->at(4).text(row, 0);
      if (!free.contains(id)) fenced.held.emplace_back(id);
    }
    return fenced;
  }

  // What the database refuses may be one row, by a trigger or a constraint: then the others are changed
  // without it.
  Result<FencedCoupons> fence(std::span<const CouponFence> fences, int& tries) {
    Result<FencedCoupons> fenced = FencedCoupons{};
    if (tries-- > 0) {
      fenced = fence_together(fences);
      const auto of_one = [](Errc code) { return code == Errc::not_now || code == Errc::rejected; };
      if (fenced || !of_one(fenced.error().code)) return fenced;
    }
    if (tries <= 0 || fences.size() == 1) {
      FencedCoupons none;
      for (const CouponFence& fence : fences) none.held.push_back(fence.coupon_id);
      return none;
    }
    const std::size_t half = fences.size() / 2;
    fenced = fence(fences.first(half), tries);
    const auto others = fence(fences.subspan(half), tries);
    if (!fenced || !others) return fenced ? others : fenced;
    std::ranges::copy(others->changed, std::back_inserter(fenced->changed));
    std::ranges::copy(others->held, std::back_inserter(fenced->held));
    return fenced;
  }

  static Error not_found(const std::string& id) { return {Errc::not_found, "there is no coupon " + id}; }

  static Error row_error(const std::string& id, const PostgresFailure& failure) {
    if (failure.sqlstate != sql::lock_timeout_state) return change_error(failure);
    return {Errc::row_held, "somebody holds the row of coupon " + id + " in the database"};
  }

  const PostgresOptions options_;
  PostgresPool pool_;
  PostgresSaver saver_;
  PostgresUnsaved unsaved_{pool_};
  PostgresLeases leases_{pool_, options_};
};

}  // namespace

std::unique_ptr<Store> open_postgres(const PostgresOptions& options) {
  auto opened = PostgresConnection::open(options);
  if (!opened) {
    throw StartupError("PostgreSQL cannot be used: " + opened.error().message +
                       ": check the store's URL and that the server accepts connections");
  }
  PostgresConnection& connection = **opened;
  if (connection.server_version() < server_version_min) {
    throw StartupError("PostgreSQL is version " + std::to_string(connection.server_version() / 10'000) +
                       ": use version 15 or later");
  }
  if (connection.server_encoding() != "UTF8") {
    throw StartupError("the database's encoding is " + connection.server_encoding() +
                       ": create it with ENCODING 'UTF8'");
  }
  if (options.read_only) {
    require_migrated(connection);
  } else {
    migrate(connection);
  }
  return std::make_unique<PostgresStore>(options, std::move(*opened));
}

std::unique_ptr<Store> connect_postgres(const PostgresOptions& options) {
  return std::make_unique<PostgresStore>(options, nullptr);
}

}  // namespace seonchak
