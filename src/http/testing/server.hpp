#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "core/admin/coupon_admin.hpp"
#include "core/catalog/catalog.hpp"
#include "gate/memory/memory.hpp"
#include "http/server.hpp"
#include "http/testing/client.hpp"
#include "store/sqlite/sqlite.hpp"

namespace seonchak::test {

/// A gate whose answers the test decides; by default it asks the memory gate.
class TestGate final : public Gate {
 public:
  using Claim = std::function<void(ClaimBatch, ClaimHandler)>;
  explicit TestGate(Claim claim) : claim_(std::move(claim)) {}
  void claim(ClaimBatch batch, ClaimHandler handler) override {
    claim_(std::move(batch), std::move(handler));
  }

 private:
  Claim claim_;
};

/// A folder that is gone afterwards.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "seonchak-http-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The server on a free port, over the memory gate and a SQLite file. Set the options before start().
class TestServer {
 public:
  TestServer()
      : store(open_sqlite({.path = (folder.path() / "test.db").string()})),
        catalog(*store),
        propagator(*store, gate, catalog, metrics),
        coupon_admin(*store, *store, gate, catalog, propagator, {.loosening_delay = {}}) {
    options.listen = "127.0.0.1:0";
    options.threads = 1;
    claim = [this](ClaimBatch batch, ClaimHandler handler) {
      gate.claim(std::move(batch), std::move(handler));
    };
  }

  ~TestServer() {
    if (server) server->drain();
    catalog.stop();
  }

  void start() {
    if (!catalog.start()) throw std::runtime_error("the catalog does not start");
    const auto make_gate = [this](boost::asio::io_context& context) {
      if (on_make_gate) on_make_gate(context);
      return std::make_unique<TestGate>(claim);
    };
    const ServerParts parts{.catalog = &catalog,
                            .coupon_admin = &coupon_admin,
                            .watermarks = &watermarks,
                            .unsaved_claims = &unsaved_claims,
                            .refusals = &refusals,
                            .make_gate = make_gate,
                            .metrics = metrics,
                            .health = health,
                            .issuer = issuer,
                            .ack = ack,
                            .required = required};
    server = std::make_unique<Server>(options, parts);
    server->start();
    address = server->address();
  }

  Response ask(const std::string& text) { return Client(address).ask(text); }

  /// Makes a coupon and returns its id.
  std::string coupon(std::int64_t stock, const std::function<void(NewCoupon&)>& edit = {}) {
    NewCoupon coupon;
    coupon.name = "Tea";
    coupon.stock = stock;
    if (edit) edit(coupon);
    return coupon_admin.create(coupon).value().id;
  }

  bool metrics_have(std::string_view line) const { return metrics.text().find(line) != std::string::npos; }

  ServerOptions options;
  IssuerOptions issuer;
  AckWaitersOptions ack;
  std::vector<std::string> required;
  TestGate::Claim claim;  ///< runs on the event loop's thread
  std::function<void(boost::asio::io_context&)> on_make_gate;

  TemporaryFolder folder;
  Metrics metrics;
  Health health;
  Watermarks watermarks;
  UnsavedClaims unsaved_claims;
  MemoryGate gate;
  std::unique_ptr<Store> store;
  Catalog catalog;
  Propagator propagator;
  RefusalCache refusals{gate, catalog, metrics};
  CouponAdmin coupon_admin;
  std::string address;
  std::unique_ptr<Server> server;
};

/// What goes wrong for one client is no matter of the next one.
inline void expect_alive(TestServer& server) {
  EXPECT_EQ(server.ask(get("/healthz")).status, 200);
}

}  // namespace seonchak::test
