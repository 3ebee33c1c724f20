#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/health.hpp"
#include "core/admin/coupon_admin.hpp"
#include "core/admission/issuer.hpp"
#include "http/http_metrics.hpp"
#include "http/request.hpp"
#include "http/response.hpp"

namespace seonchak {

/// What handlers work with; the same for every thread, and safe from any.
struct Services {
  CouponAdmin* coupon_admin = nullptr;  ///< null in a process that does not serve the API
  const Health& health;
  const Metrics& metrics;
  IssueMetrics& issue_metrics;
  std::vector<std::string> required;  ///< dependencies without which /readyz is 503
};

/// A request that has found its route.
struct Call {
  const Request& request;
  std::string_view id;  ///< the path's {id}, decoded and not yet checked
  const Services& services;
};

/// A call that is being answered, for handlers that answer later. Used on its connection's thread.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const Call& call() const = 0;
  virtual Issuer& issuer() = 0;

  /// An answer to write into, with the memory of those before it; the thread's only one, so only until
  /// reply().
  virtual Answer& scratch() = 0;

  /// Sends the answer, once; the exchange must not be touched afterwards.
  virtual void reply(const Answer& answer) = 0;
};

}  // namespace seonchak
