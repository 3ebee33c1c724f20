#include <charconv>

#include "base/failpoint.hpp"
#include "gate/memory/memory.hpp"

namespace seonchak {

namespace {

constexpr std::size_t holders_page_size = 1'000;

/// 0 for no number.
std::size_t number_in(const std::string& text) {
  std::size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Error not_shut(const std::string& coupon_id) {
  return {Errc::gate_epoch, "coupon " + coupon_id + " is not shut by this recovery"};
}

Error parts_lost(const std::string& coupon_id) {
  return {Errc::gate_behind, "the gate has lost a part of coupon " + coupon_id + " during its recovery"};
}

}  // namespace

std::string MemoryGate::run_id() const {
  return options_.name + "-" + std::to_string(lives_);
}

std::string MemoryGate::name() const {
  return run_id() + "/" + replication_id_;
}

Result<GateIdentity> MemoryGate::identity(const std::string&) {
  const MutexLock lock(mutex_);
  return GateIdentity{run_id(), replication_id_, joined_};
}

void MemoryGate::restart_empty() {
  restart_with({});
}

MemoryGate::Image MemoryGate::image() {
  const MutexLock lock(mutex_);
  Image image;
  image.coupons_ = coupons_;
  return image;
}

void MemoryGate::restart_with(const Image& image) {
  const MutexLock lock(mutex_);
  ++lives_;
  coupons_ = image.coupons_;
  leases_.clear();
  active_.clear();
}

void MemoryGate::rename(const std::string& replication_id, bool joined) {
  const MutexLock lock(mutex_);
  replication_id_ = replication_id;
  joined_ = joined;
}

void MemoryGate::forget(const std::string& coupon_id) {
  const MutexLock lock(mutex_);
  coupons_.erase(coupon_id);
}

void MemoryGate::forget_holders(const std::string& coupon_id) {
  const MutexLock lock(mutex_);
  if (Entry* const entry = find(coupon_id)) entry->holders.clear();
}

void MemoryGate::forget_outbox(const std::string& coupon_id) {
  const MutexLock lock(mutex_);
  if (Entry* const entry = find(coupon_id)) entry->outbox.clear();
}

void MemoryGate::forget_outbox_entry(const std::string& coupon_id, Sequence last_sequence) {
  const MutexLock lock(mutex_);
  if (Entry* const entry = find(coupon_id))
    std::erase_if(entry->outbox,
                  [&](const OutboxEntry& item) { return item.last_sequence() == last_sequence; });
}

// The cursor is a bucket of the table, how many buckets there were, since somebody who joins may move others,
// and whose table it was.
Result<HoldersPage> MemoryGate::holders_page(const std::string& coupon_id, const std::string& cursor) {
  const auto slash = cursor.find('/');
  std::size_t bucket = number_in(cursor.substr(0, slash));
  const std::size_t buckets = slash == std::string::npos ? 0 : number_in(cursor.substr(slash + 1));
  const auto space = cursor.find(' ');
  const MutexLock lock(mutex_);
  if (space != std::string::npos && cursor.substr(space + 1) != name())
    return Error{Errc::gate_untrusted, "the holders were being read on " + cursor.substr(space + 1)};
  HoldersPage page;
  const Entry* const entry = find(coupon_id);
  if (entry == nullptr) return page;
  const auto& holders = entry->holders;
  if (buckets != holders.bucket_count()) bucket = 0;
  while (bucket < holders.bucket_count() && page.holders.size() < holders_page_size) {
    for (auto it = holders.begin(bucket); it != holders.end(bucket); ++it)
      page.holders.push_back({it->first, it->second.sequence, it->second.issued_at});
    ++bucket;
  }
  if (bucket < holders.bucket_count())
    page.next = std::to_string(bucket) + '/' + std::to_string(holders.bucket_count()) + ' ' + name();
  return page;
}

Result<std::vector<std::optional<Holder>>> MemoryGate::holders_of(const GateConfig& config,
                                                                  std::span<const std::string> users) {
  const MutexLock lock(mutex_);
  const Entry* const entry = find(config.id);
  if (entry == nullptr) return Error{Errc::gate_missing, "the gate has no state of coupon " + config.id};
  if (!entry->token.empty() || entry->state.epoch != config.epoch) return not_shut(config.id);
  std::vector<std::optional<Holder>> holders;
  for (const std::string& user : users) {
    const auto held = entry->holders.find(user);
    if (held == entry->holders.end()) {
      holders.emplace_back();
    } else {
      holders.emplace_back(Holder{user, held->second.sequence, held->second.issued_at});
    }
  }
  return holders;
}

Result<MemoryGate::Entry*> MemoryGate::find_shut(const std::string& coupon_id, const std::string& token) {
  Entry* const entry = find(coupon_id);
  if (entry == nullptr || (entry->token != token && !failpoint("token_anyway"))) return not_shut(coupon_id);
  return entry;
}

// As the other gate writes it.
std::string MemoryGate::epoch_text(const std::string& coupon_id) {
  const Entry* const entry = find(coupon_id);
  if (entry == nullptr) return {};
  return entry->token.empty() ? to_string(entry->state.epoch) : 'r' + entry->token;
}

Result<std::string> MemoryGate::observe(const std::string& coupon_id) {
  const MutexLock lock(mutex_);
  return epoch_text(coupon_id);
}

Result<Remains> MemoryGate::begin(const GateConfig& config, const std::string& token,
                                  const std::string& expected) {
  const MutexLock lock(mutex_);
  if (epoch_text(config.id) != expected)
    return Error{Errc::gate_epoch, "coupon " + config.id + " has been shut or opened meanwhile"};
  const auto [place, created] = coupons_.try_emplace(config.id);
  Entry& entry = place->second;
  if (created) entry.created_at = config.created_at;
  if (entry.created_at != config.created_at)
    return Error{Errc::gate_epoch, "the gate has another coupon " + config.id};
  entry.token = token;
  const std::int64_t counted = failpoint("count_holders_only") ? -1 : entry.counted;
  return Remains{entry.state.epoch,
                 entry.state.sequence,
                 entry.state.persisted,
                 static_cast<std::int64_t>(entry.holders.size()),
                 counted,
                 entry.last_pending(),
                 static_cast<std::int64_t>(entry.outbox.size()),
                 entry.rebuilt};
}

Result<std::vector<Holder>> MemoryGate::survivors(const std::string& coupon_id, Sequence after) {
  const MutexLock lock(mutex_);
  std::vector<Holder> holders;
  if (const Entry* const entry = find(coupon_id)) {
    for (const auto& [user, held] : entry->holders) {
      if (held.sequence > after) holders.push_back({user, held.sequence, held.issued_at});
    }
  }
  return holders;
}

Result<void> MemoryGate::put_holders(const std::string& coupon_id, const std::string& token,
                                     std::span<const Holder> holders, bool first) {
  const MutexLock lock(mutex_);
  const auto entry = find_shut(coupon_id, token);
  if (!entry) return entry.error();
  if (holders.empty() && !first) return {};
  if (first) {
    (*entry)->holders.clear();
    (*entry)->rejected = {};
  } else if ((*entry)->has_lost_holders()) {
    return parts_lost(coupon_id);
  }
  for (const Holder& holder : holders) {
    (*entry)->holders.insert_or_assign(holder.user_id, Held{holder.sequence, holder.issued_at});
  }
  (*entry)->counted = static_cast<std::int64_t>((*entry)->holders.size());
  return {};
}

Result<void> MemoryGate::put_outbox(const std::string& coupon_id, const std::string& token,
                                    std::span<const OutboxEntry> entries, bool first) {
  const MutexLock lock(mutex_);
  const auto entry = find_shut(coupon_id, token);
  if (!entry) return entry.error();
  if (first) (*entry)->outbox.clear();
  (*entry)->outbox.insert((*entry)->outbox.end(), entries.begin(), entries.end());
  return {};
}

Result<void> MemoryGate::open(const GateConfig& config, const std::string& token,
                              const RebuiltWatermarks& watermarks) {
  const MutexLock lock(mutex_);
  // As the other gate does: the token may have come here with a copy of the server that is trusted.
  if (!config.gate.empty() && config.gate != name())
    return Error{Errc::gate_untrusted, "the coupon is recovered on " + config.gate};
  const auto entry = find_shut(config.id, token);
  if (!entry) return entry.error();
  const bool outbox_lost = watermarks.pending > watermarks.persisted && (*entry)->outbox.empty();
  if ((*entry)->has_lost_holders() || outbox_lost) return parts_lost(config.id);
  GateState& state = (*entry)->state;
  if (state.revision < config.revision) {
    state.stock = config.stock;
    state.opens_at = config.opens_at;
    state.closes_at = config.closes_at;
    state.closed = config.closed;
    state.revision = config.revision;
  }
  state.epoch = config.epoch;
  state.sequence = watermarks.sequence;
  state.published = watermarks.persisted;
  state.persisted = watermarks.persisted;
  (*entry)->pending = watermarks.pending;
  (*entry)->rebuilt = watermarks.sequence;
  (*entry)->counted = static_cast<std::int64_t>((*entry)->holders.size());
  (*entry)->token.clear();
  hint(config.id);
  appended_.notify_all();
  return {};
}

}  // namespace seonchak
