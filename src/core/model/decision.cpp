#include "core/model/decision.hpp"

namespace seonchak {

std::string_view to_string(Decision decision) {
  switch (decision) {
    case Decision::not_found:
      return "not_found";
    case Decision::already_issued:
      return "already_issued";
    case Decision::closed:
      return "closed";
    case Decision::not_open:
      return "not_open";
    case Decision::sold_out:
      return "sold_out";
    case Decision::issued:
      return "issued";
  }
  return "unknown";
}

Decision decide(const std::optional<GateState>& state, bool holds) {
  if (!state) return Decision::not_found;
  if (holds) return Decision::already_issued;
  if (state->closed || (state->closes_at && state->now >= *state->closes_at)) return Decision::closed;
  if (state->opens_at && state->now < *state->opens_at) return Decision::not_open;
  if (state->issued >= state->stock) return Decision::sold_out;
  return Decision::issued;
}

}  // namespace seonchak
