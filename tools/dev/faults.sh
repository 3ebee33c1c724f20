# shellcheck shell=bash
# Long runs of the seeded fault tests. Sourced by ./dev.

# faults FLAG...: the flags of tests/faults/__main__.py.
cmd_faults() {
  setup_all
  build release
  PYTHONPATH=$ROOT/tests exec "$VENV/bin/python" -m faults "$@"
}
