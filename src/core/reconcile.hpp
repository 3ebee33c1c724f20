#pragma once
#include <string>
#include <vector>

#include "core/catalog.hpp"
#include "core/ports/gate.hpp"
#include "core/ports/store.hpp"

namespace seonchak {

/// Marks that lag behind the store: a consumer that died between its commit and the trim leaves the outbox
/// untrimmed, and without further events nobody would notice. Returns a mark for each coupon that is
/// published beyond what the gate knows to be persisted and of which the store has more.
///
/// The log carries a coupon's events in order, so the highest sequence in the store vouches for all below it.
Result<std::vector<Mark>> find_unmarked(Store& store, Outbox& outbox, const CatalogSnapshot& catalog);

}  // namespace seonchak
