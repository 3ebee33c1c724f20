#include "base/error.hpp"

namespace seonchak {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::unavailable:
      return "unavailable";
    case Errc::gate_missing:
      return "gate_missing";
    case Errc::gate_epoch:
      return "gate_epoch";
    case Errc::gate_untrusted:
      return "gate_untrusted";
    case Errc::gate_behind:
      return "gate_behind";
    case Errc::gate_later:
      return "gate_later";
    case Errc::gate_unusable:
      return "gate_unusable";
    case Errc::outbox_full:
      return "outbox_full";
    case Errc::row_held:
      return "row_held";
    case Errc::overloaded:
      return "overloaded";
    case Errc::not_found:
      return "not_found";
    case Errc::already_exists:
      return "already_exists";
    case Errc::stock_below_issued:
      return "stock_below_issued";
    case Errc::invalid:
      return "invalid";
    case Errc::rejected:
      return "rejected";
    case Errc::not_now:
      return "not_now";
  }
  return "unknown";
}

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  throw std::runtime_error(std::string(to_string(error.code)) + ": " + error.message + " at " +
                           where.file_name());
}

}  // namespace seonchak
