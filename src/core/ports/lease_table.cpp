#include "core/ports/lease_table.hpp"

namespace seonchak {

LeaseRow LeaseTable::read(const std::string& name) const {
  const MutexLock guard(mutex_);
  const auto found = rows_.find(name);
  return found == rows_.end() ? LeaseRow{} : found->second;
}

std::optional<std::int64_t> LeaseTable::take(const std::string& name, const LeaseRow& seen,
                                             const std::string& holder) {
  const MutexLock guard(mutex_);
  LeaseRow& row = rows_[name];
  if (row.token != seen.token || row.beat != seen.beat) return std::nullopt;
  row = {row.token + 1, 0, holder};
  return row.token;
}

bool LeaseTable::beat(const std::string& name, std::int64_t token) {
  const MutexLock guard(mutex_);
  LeaseRow& row = rows_[name];
  if (row.token != token || row.holder.empty()) return false;
  ++row.beat;
  return true;
}

void LeaseTable::release(const std::string& name, std::int64_t token) {
  const MutexLock guard(mutex_);
  LeaseRow& row = rows_[name];
  if (row.token != token || row.holder.empty()) return;
  ++row.beat;
  row.holder.clear();
}

}  // namespace seonchak
