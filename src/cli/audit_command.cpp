#include <cstdio>

#include <boost/json.hpp>

#include "base/log.hpp"
#include "cli/commands.hpp"
#include "cli/config.hpp"
#include "cli/wire.hpp"
#include "core/audit/auditor.hpp"

namespace seonchak {

namespace {

namespace json = boost::json;

json::array strings(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

json::object to_json(const CouponAudit& coupon) {
  return {{"id", coupon.coupon_id},        {"epoch", coupon.epoch.value()}, {"stock", coupon.stock},
          {"held", coupon.held},           {"saved", coupon.saved},         {"waiting", coupon.waiting},
          {"logged", coupon.logged},       {"moving", coupon.moving},       {"breaches", coupon.breach_count},
          {"notes", strings(coupon.notes)}};
}

json::object to_json(const Breach& breach) {
  json::object object{{"kind", std::string(to_string(breach.kind))},
                      {"meaning", std::string(explain(breach.kind))},
                      {"couponId", breach.coupon_id},
                      {"sequence", nullptr},
                      {"userId", nullptr},
                      {"detail", breach.detail}};
  if (breach.sequence != 0) object["sequence"] = breach.sequence.value();
  if (!breach.user_id.empty()) object["userId"] = breach.user_id;
  return object;
}

void print_json(const AuditReport& report) {
  json::array coupons;
  json::array breaches;
  std::int64_t held = 0;
  std::int64_t saved = 0;
  for (const CouponAudit& coupon : report.coupons) {
    coupons.push_back(to_json(coupon));
    for (const Breach& breach : coupon.breaches) breaches.push_back(to_json(breach));
    held += coupon.held;
    saved += coupon.saved;
  }
  const json::object all{{"checkedAt", format_rfc3339(report.checked_at)},
                         {"couponCount", report.coupons.size()},
                         {"held", held},
                         {"saved", saved},
                         {"breachCount", report.breach_count()},
                         {"coupons", std::move(coupons)},
                         {"breaches", std::move(breaches)},
                         {"unfinished", strings(report.unfinished)},
                         {"notes", strings(report.notes)}};
  std::puts(json::serialize(all).c_str());
}

void print_coupon(const CouponAudit& coupon) {
  std::printf("%s coupon %s  epoch %lld  stock %lld  issued %lld  saved %lld  waiting %lld  logged %lld",
              coupon.breach_count == 0 ? "ok    " : "BREACH", coupon.coupon_id.c_str(),
              static_cast<long long>(coupon.epoch.value()), static_cast<long long>(coupon.stock),
              static_cast<long long>(coupon.held), static_cast<long long>(coupon.saved),
              static_cast<long long>(coupon.waiting), static_cast<long long>(coupon.logged));
  if (coupon.moving > 0) {
    std::printf("  still moving: %lld issued while it was read", static_cast<long long>(coupon.moving));
  }
  std::putchar('\n');
  for (const std::string& note : coupon.notes) std::printf("       note: %s\n", note.c_str());
}

void print_breaches(const CouponAudit& coupon) {
  for (const Breach& breach : coupon.breaches) {
    std::printf("breach %.*s: coupon %s", static_cast<int>(to_string(breach.kind).size()),
                to_string(breach.kind).data(), breach.coupon_id.c_str());
    if (breach.sequence != 0) std::printf(" sequence %lld", static_cast<long long>(breach.sequence.value()));
    if (!breach.user_id.empty()) std::printf(" user %s", breach.user_id.c_str());
    std::printf(": %.*s (%s)\n", static_cast<int>(explain(breach.kind).size()), explain(breach.kind).data(),
                breach.detail.c_str());
  }
  const auto more = coupon.breach_count - static_cast<std::int64_t>(coupon.breaches.size());
  if (more > 0) {
    std::printf("breach: coupon %s has %lld more\n", coupon.coupon_id.c_str(), static_cast<long long>(more));
  }
}

void print_text(const AuditReport& report) {
  for (const CouponAudit& coupon : report.coupons) print_coupon(coupon);
  for (const std::string& note : report.notes) std::printf("note: %s\n", note.c_str());
  for (const std::string& reason : report.unfinished) std::printf("not checked: %s\n", reason.c_str());
  for (const CouponAudit& coupon : report.coupons) print_breaches(coupon);
  std::printf("%zu coupons checked at %s, %lld breaches\n", report.coupons.size(),
              format_rfc3339(report.checked_at).c_str(), static_cast<long long>(report.breach_count()));
}

std::string advice(const Error& error) {
  if (error.code == Errc::not_found) return "";
  if (error.code == Errc::overloaded) return "; run it again when the consumers have caught up";
  return "; check --gate, --log and --store, and that the three are up";
}

}  // namespace

int audit_command(int argc, char** argv) {
  const auto config = read_audit_config(argc, argv);
  if (!config) return exit_ok;
  log::set_level(config->serve.log_level == "info" ? "warn" : config->serve.log_level);
  const Readers readers = wire_readers(config->serve);
  AuditOptions options;
  options.coupon_id = config->coupon_id;
  const auto report = run_audit(
      {*readers.store, readers.gate.get(), readers.outbox.get(), readers.holders.get(), readers.log.get()},
      options);
  if (!report)
    throw StartupError("the audit cannot be run: " + report.error().message + advice(report.error()));
  config->json ? print_json(*report) : print_text(*report);
  if (report->breach_count() > 0) return exit_refused;
  return report->unfinished.empty() ? exit_ok : exit_usage;
}

}  // namespace seonchak
