#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/health.hpp"
#include "base/metrics.hpp"
#include "core/admin/coupon_admin.hpp"
#include "core/admission/issuer.hpp"
#include "core/catalog/catalog.hpp"
#include "core/ports/gate.hpp"
#include "core/progress/watermarks.hpp"

namespace boost::asio {
class io_context;
}

namespace seonchak {

struct ServerOptions {
  std::string listen = "127.0.0.1:8080";  ///< HOST:PORT or [IPV6]:PORT; port 0 takes a free one
  unsigned threads = 0;                   ///< event loops; 0: one per core
  std::size_t header_bytes_max = 8 * 1024;
  std::size_t body_bytes_max = 4 * 1024;
  std::size_t connections_max = 20'000;               ///< the next one gets a 503 and is closed
  std::chrono::milliseconds request_timeout{10'000};  ///< from a request's first byte to its last
  std::chrono::milliseconds idle_timeout{75'000};     ///< between requests
  std::chrono::milliseconds write_timeout{10'000};    ///< for a client to take its answer
  std::chrono::milliseconds drain_timeout{5'000};     ///< for what is in flight when the server stops
  unsigned admin_threads = 4;          ///< for operators' calls, which block on the store and the gate
  unsigned change_threads = 8;         ///< for their changes of coupons: so many are under way at once
  std::size_t admin_queue_max = 256;   ///< calls that wait for one of these threads; the next is `overloaded`
  unsigned reader_threads = 2;         ///< for users' reads of coupons: they come last
  std::size_t reader_queue_max = 128;  ///< as admin_queue_max
  std::string admin_key;               ///< empty: administrators' calls only on a loopback address
  bool serve_api = true;               ///< false: only /healthz, /readyz and /metrics
};

/// What the server answers from. Everything pointed to must outlive it.
struct ServerParts {
  Catalog* catalog = nullptr;  ///< this and the next four may be missing when serve_api is false
  CouponAdmin* coupon_admin = nullptr;
  Watermarks* watermarks = nullptr;
  UnsavedClaims* unsaved_claims = nullptr;
  RefusalCache* refusals = nullptr;
  std::function<std::unique_ptr<Gate>(boost::asio::io_context&)> make_gate;  ///< called once per event loop
  Metrics& metrics;
  Health& health;
  IssuerOptions issuer{};
  AckWaitersOptions ack{};
  std::vector<std::string> required{};  ///< names in Health without which /readyz is 503
};

/// The HTTP server: HTTP/1.1 with keep-alive and pipelining, on one event loop and thread per core.
/// docs/api.md has the calls.
///
/// The loops share nothing on the path of an issue request: each has its own listening socket (SO_REUSEPORT),
/// gate, catalog view and connections.
///
/// Stopping, in this order: drain(), then stop the Catalog, then destroy the server: a request for an unknown
/// coupon waits for the catalog's thread, which hands it back to an event loop.
class Server {
 public:
  Server(ServerOptions options, ServerParts parts);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Binds, listens and starts the threads. Throws StartupError when the address is wrong or taken.
  /// Raises the process's limit of open files as far as it may.
  void start();

  /// Where it listens, with the port it got: "127.0.0.1:43121". After start().
  std::string address() const;

  /// Whether that is a loopback address, where administrators' calls need no key. After start().
  bool loopback() const;

  /// Stops accepting, closes idle connections, answers what is in flight with "Connection: close", and
  /// returns when all are done (true) or drain_timeout has passed (false). The relay and the consumer must
  /// still run: answers may wait for them. Repeating it is harmless.
  bool drain();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace seonchak
