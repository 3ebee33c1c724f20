#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

#include <boost/system/result.hpp>

namespace seonchak {

/// Why an operation failed. One short list for every layer; http/problem maps it to a status and a stable
/// code.
enum class Errc {
  unavailable,     ///< a dependency is unreachable, slow or unsure: try again later, nothing is known
  gate_missing,    ///< the gate has no state for a coupon that should have it: fail closed
  gate_epoch,      ///< the gate's state belongs to another epoch or another coupon of that id: fail closed
  gate_untrusted,  ///< the gate is another server than the one the store trusts for a coupon: fail closed
  gate_behind,     ///< the gate has forgotten sequences, holders or an outbox that it had: fail closed
  gate_later,      ///< the gate has a later revision of a coupon than the one it is given
  gate_unusable,   ///< what the gate has of a coupon is not what we write; others are fine: fail closed
  outbox_full,     ///< too many issued coupons wait for the log and the store: fail closed until they drain
  row_held,        ///< somebody holds the coupon's row in the store: others are free, this one is later
  overloaded,      ///< a bounded queue of this process is full
  not_found,       ///< no such coupon
  already_exists,  ///< a coupon with that id exists
  stock_below_issued,  ///< the stock asked for is less than what is issued
  invalid,             ///< the caller's input is wrong; the message says what to fix
  rejected,            ///< the store refuses this data for good (constraint, type): never retry
  not_now,  ///< the store does not take this data as things are, and may take other: try again, apart
};

/// Stable lower-case name, as used in logs and metrics: "gate_missing".
std::string_view to_string(Errc code);

struct Error {
  Errc code = Errc::unavailable;
  std::string message;  ///< for the operator's log; http/ decides what a client may see
};

/// An expected failure travels as a value. A startup failure is a StartupError; a broken invariant aborts.
template <class T>
using Result = boost::system::result<T, Error>;

/// Lets result<T, Error>::value() throw; found by argument-dependent lookup.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

/// The process cannot start as configured. what() says what to change; main prints it and exits 2.
class StartupError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace seonchak
