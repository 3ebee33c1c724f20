#pragma once
#include <string>
#include <vector>

#include "core/catalog.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

/// Marks that lag behind the store: a consumer that died between its commit and the trim leaves the outbox
/// untrimmed, and without further events nobody would notice. Of each coupon that is published beyond what
/// the gate knows to be persisted it looks at the oldest outbox entries: those whose users all have their
/// row, with no other entry before them, are persisted.
Result<std::vector<Mark>> find_unmarked(Store& store, Outbox& outbox, const CatalogSnapshot& catalog);

}  // namespace seonchak
