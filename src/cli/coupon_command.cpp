#include <cstdio>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/http_client.hpp"

namespace seonchak {

namespace {

namespace json = boost::json;

constexpr std::chrono::milliseconds answer_timeout{15'000};

struct CouponFlags {
  std::string url = "http://127.0.0.1:8080";
  std::string admin_key;
  std::string id;
  std::string name;
  std::int64_t stock = 0;
  std::string opens_at;
  std::string closes_at;
  std::string ack;
  std::string after;
  int limit = 100;
};

struct Call {
  std::string method;
  std::string path;
  std::string body;
};

void put(json::object& body, const char* field, const std::string& text) {
  if (!text.empty()) body[field] = text;
}

/// "none" takes a window bound away.
void put_time(json::object& body, const char* field, const std::string& text) {
  if (text == "none") {
    body[field] = nullptr;
  } else {
    put(body, field, text);
  }
}

std::string path_of(const std::string& id) {
  for (const char c : id) {
    if (c <= ' ' || c == '/' || c == '?' || c == '#' || c == '%' || c > '~') {
      throw StartupError("'" + id + "' is no coupon id: use 1 to 64 of A-Z a-z 0-9 . _ -");
    }
  }
  return "/v1/coupons/" + id;
}

void declare_server(CLI::App& command, CouponFlags& flags) {
  command.add_option("--url", flags.url, "The server")->envname("SEONCHAK_URL")->capture_default_str();
  command.add_option("--admin-key", flags.admin_key, "The server's admin key")->envname("SEONCHAK_ADMIN_KEY");
}

CLI::App* declare_create(CLI::App& app, CouponFlags& flags) {
  CLI::App* create = app.add_subcommand("create", "Create a coupon");
  create->add_option("--name", flags.name, "What people call it")->required();
  create->add_option("--stock", flags.stock, "How many there are, 1 to 10,000,000")->required();
  create->add_option("--id", flags.id, "1 to 64 of A-Z a-z 0-9 . _ -; without it the server numbers it");
  create->add_option("--opens-at", flags.opens_at, "RFC 3339 time, for example 2026-11-22T12:00:00+09:00");
  create->add_option("--closes-at", flags.closes_at, "RFC 3339 time");
  create->add_option("--ack", flags.ack,
                     "gate | log | store: how far a coupon has come when its user is answered");
  return create;
}

CLI::App* declare_set(CLI::App& app, CouponFlags& flags) {
  CLI::App* set = app.add_subcommand("set", "Change stock or window");
  set->add_option("id", flags.id, "The coupon")->required();
  set->add_option("--stock", flags.stock, "The new stock, not below what is issued");
  set->add_option("--opens-at", flags.opens_at, "RFC 3339 time, or none");
  set->add_option("--closes-at", flags.closes_at, "RFC 3339 time, or none");
  return set;
}

CLI::App* declare_list(CLI::App& app, CouponFlags& flags) {
  CLI::App* list = app.add_subcommand("list", "List the coupons, a page at a time");
  list->add_option("--limit", flags.limit, "How many, 1 to 1000")->capture_default_str();
  list->add_option("--after", flags.after, "Begin after this id (the last page's \"next\")");
  return list;
}

Call create_call(const CouponFlags& flags) {
  json::object body{{"name", flags.name}, {"stock", flags.stock}};
  put(body, "id", flags.id);
  put(body, "opensAt", flags.opens_at);
  put(body, "closesAt", flags.closes_at);
  put(body, "ack", flags.ack);
  return {"POST", "/v1/coupons", json::serialize(body)};
}

Call set_call(const CouponFlags& flags, bool with_stock) {
  json::object body;
  if (with_stock) body["stock"] = flags.stock;
  put_time(body, "opensAt", flags.opens_at);
  put_time(body, "closesAt", flags.closes_at);
  return {"PATCH", path_of(flags.id), json::serialize(body)};
}

Call list_call(const CouponFlags& flags) {
  std::string path = "/v1/coupons?limit=" + std::to_string(flags.limit);
  if (!flags.after.empty())
    path += "&after=" + boost::urls::encode(flags.after, boost::urls::unreserved_chars);
  return {"GET", path, ""};
}

int perform(const CouponFlags& flags, const Call& call) {
  const HttpReply reply = http_call(parse_http_url(flags.url), call.method, call.path, flags.admin_key,
                                    call.body, answer_timeout);
  const bool accepted = reply.status >= 200 && reply.status < 300;
  std::fprintf(accepted ? stdout : stderr, "%s\n", reply.body.c_str());
  return accepted ? exit_ok : exit_refused;
}

}  // namespace

int coupon_command(int argc, char** argv) {
  CouponFlags flags;
  CLI::App app(
      "Manages the coupons of a running server. Prints its JSON answer; exits 1 when the server refuses.",
      "seonchak coupon");
  app.require_subcommand(1);
  app.fallthrough();
  declare_server(app, flags);
  const CLI::App* create = declare_create(app, flags);
  const CLI::App* list = declare_list(app, flags);
  const CLI::App* set = declare_set(app, flags);
  CLI::App* show = app.add_subcommand("show", "Show one coupon with its numbers");
  show->add_option("id", flags.id, "The coupon")->required();
  CLI::App* close = app.add_subcommand("close", "Close a coupon for good");
  close->add_option("id", flags.id, "The coupon")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    app.exit(help);
    return exit_ok;
  } catch (const CLI::ParseError& error) {
    throw StartupError(std::string(error.what()) + " (seonchak coupon --help lists the flags)");
  }
  if (create->parsed()) return perform(flags, create_call(flags));
  if (list->parsed()) return perform(flags, list_call(flags));
  if (set->parsed()) return perform(flags, set_call(flags, set->count("--stock") > 0));
  if (show->parsed()) return perform(flags, {"GET", path_of(flags.id), ""});
  return perform(flags, {"POST", path_of(flags.id) + "/close", ""});
}

}  // namespace seonchak
