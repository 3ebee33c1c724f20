#pragma once

namespace seonchak {

inline constexpr int exit_ok = 0;
inline constexpr int exit_refused = 1;  ///< the server said no, or an audit found a breach
inline constexpr int exit_usage = 2;    ///< wrong flags, or a composition or server that cannot work

/// The program: "serve", "coupon", "audit", "dead-letter" or "version", with its flags. Returns the exit
/// code.
int run_command(int argc, char** argv);

/// The commands; argv[0] is the command's own name.
int serve_command(int argc, char** argv);
int coupon_command(int argc, char** argv);
int audit_command(int argc, char** argv);
int dead_letter_command(int argc, char** argv);

}  // namespace seonchak
