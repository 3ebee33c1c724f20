#include "cli/commands.hpp"

int main(int argc, char** argv) {
  return seonchak::run_command(argc, argv);
}
