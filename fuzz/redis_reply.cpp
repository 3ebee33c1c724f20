#include "core/model/decision.hpp"
#include "fuzz.hpp"
#include "gate/redis/identity.hpp"
#include "gate/redis/scripts.hpp"
#include "redis_input.hpp"

using namespace seonchak;

/// Whatever a server sends, in the places where an answer of ours is expected.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Reply reply = fuzz::first_reply(fuzz::text_of(data, size));
  if (!reply) return 0;
  (void)read_status("c", *reply);
  (void)read_state("c", *reply);
  (void)read_identity(*reply);
  for (const std::size_t users : {1U, 2U}) {
    const auto claims = read_claims("c", users, *reply);
    if (!claims) continue;
    fuzz::require(claims->claims.size() == users);
    for (const Claim& claim : claims->claims) {
      const bool holds = claim.decision == Decision::issued || claim.decision == Decision::already_issued;
      fuzz::require(holds == (claim.sequence > 0));
    }
  }
  return 0;
}
