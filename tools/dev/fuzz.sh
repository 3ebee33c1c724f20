# shellcheck shell=bash
# Fuzzing with libFuzzer. Sourced by ./dev.

FUZZ_CHECK_SECONDS=60

fuzz_names() {
  (cd "$ROOT/fuzz" && for source in *.cpp; do echo "${source%.cpp}"; done)
}

build_fuzz() {
  local targets
  mapfile -t targets < <(fuzz_names)
  build fuzz "${targets[@]/#/fuzz_}"
}

# fuzz_one NAME SECONDS [FLAG...]: inputs that reach new code are kept in build/fuzz/corpus, beside the seeds in fuzz/seeds;
# one that breaks something is left in build/fuzz.
fuzz_one() {
  local name=$1 seconds=$2
  shift 2
  mkdir -p "$ROOT/build/fuzz/corpus/$name"
  "$ROOT/build/fuzz/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$ROOT/build/fuzz/$name-" "$@" "$ROOT/build/fuzz/corpus/$name" "$ROOT/fuzz/seeds/$name"
}

cmd_fuzz() {
  local name=${1:-} seconds=${2:-600}
  if [[ -z $name || ! -f $ROOT/fuzz/$name.cpp ]]; then
    fail "usage: ./dev fuzz NAME [SECONDS]; NAME is one of: $(fuzz_names | xargs)"
  fi
  setup_all
  build_fuzz
  fuzz_one "$name" "$seconds"
}

# Every target for a minute, two at a time; shows the end of each that fails.
check_fuzz() {
  local name failed=0 names running=()
  build_fuzz || return 1
  mapfile -t names < <(fuzz_names)
  for name in "${names[@]}"; do
    fuzz_one "$name" "$FUZZ_CHECK_SECONDS" >"$ROOT/build/fuzz/$name.log" 2>&1 &
    running+=("$!:$name")
    ((${#running[@]} < 2)) || {
      fuzz_wait "${running[0]}" || failed=1
      running=("${running[@]:1}")
    }
  done
  for name in "${running[@]}"; do fuzz_wait "$name" || failed=1; done
  return "$failed"
}

# fuzz_wait PID:NAME
fuzz_wait() {
  wait "${1%%:*}" || {
    tail -n 40 "$ROOT/build/fuzz/${1#*:}.log"
    return 1
  }
}
