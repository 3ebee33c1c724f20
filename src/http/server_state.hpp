#pragma once
#include <atomic>

#include "http/auth.hpp"
#include "http/blocking_pool.hpp"
#include "http/changes_under_way.hpp"
#include "http/exchange.hpp"
#include "http/http_metrics.hpp"
#include "http/routes.hpp"
#include "http/server.hpp"

namespace seonchak {

/// What the event loops of one server share. Immutable, or safe from any thread.
struct ServerState {
  ServerState(const ServerOptions& server_options, const ServerParts& parts, bool loopback)
      : options(server_options),
        router(options.serve_api),
        auth(options.admin_key, loopback),
        metrics(parts.metrics, router.classes()),
        issue_metrics(parts.metrics),
        services{parts.coupon_admin, parts.health, parts.metrics, issue_metrics, parts.required},
        operators(options.admin_threads, options.admin_queue_max),
        changes(options.change_threads, options.admin_queue_max),
        readers(options.reader_threads, options.reader_queue_max) {}

  const ServerOptions options;
  const Router router;
  const Auth auth;
  HttpMetrics metrics;
  IssueMetrics issue_metrics;
  const Services services;
  ChangesUnderWay under_way;
  BlockingPool operators;
  BlockingPool changes;
  BlockingPool readers;
  std::atomic<std::size_t> connections{0};
};

}  // namespace seonchak
