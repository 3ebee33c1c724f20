#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace load {

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string method = "GET";
  std::string path = "/";
  std::vector<std::string> headers;

  // {coupon} in path and headers is 0 to coupons - 1, in turns; {user} is a number of 9 digits that no
  // request shares.
  unsigned coupons = 1;
  std::uint64_t first_user = 0;

  bool in_steps =
      false;  // print "connected" and wait for a line; after the report wait for the end of the input

  unsigned connections = 64;
  double seconds = 0;          // 0: until all `requests` are answered
  std::uint64_t requests = 0;  // 0: until `seconds` are over
  double rate = 0;             // requests a second; 0: each connection asks again as soon as it is answered
};

// Ends the program with a message when the command line is wrong, as --help does with the manual.
Options parse_options(int argc, char** argv);

}  // namespace load
