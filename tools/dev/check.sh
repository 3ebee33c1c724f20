# shellcheck shell=bash
# The checks that need no running program. Sourced by ./dev.

checks_passed=0
checks_failed=0

# check NAME COMMAND...: runs one check and shows its output only if it fails.
check() {
  local name=$1 output began=$SECONDS
  shift
  if output=$("$@" 2>&1); then
    ((checks_passed += 1))
    echo "ok      $name ($((SECONDS - began)) s)"
  else
    ((checks_failed += 1))
    printf '%s\nFAILED  %s (%s s)\n' "$output" "$name" "$((SECONDS - began))"
  fi
}

# A check runs where `set -e` has no effect: its steps are joined by `&&`.

check_format() {
  local unformatted
  unformatted=$(git -C "$ROOT" ls-files -z --cached --others --exclude-standard '*.cpp' '*.hpp' |
    (cd "$ROOT" && xargs -0r "$CLANG_FORMAT" --dry-run) 2>&1 | sed -n 's/^\([^ :]*\):[0-9].*/\1/p' | sort -u)
  [[ -z $unformatted ]] || {
    printf '%s\n' "$unformatted" "to repair: $CLANG_FORMAT -i FILE..."
    return 1
  }
}

# clang-tidy needs the compile commands and the headers that the build generates, not the build itself.
check_tidy() {
  configure asan && generate_headers asan && python3 "$ROOT/tools/tidy.py" --tool "$CLANG_TIDY"
}

generate_headers() {
  local build=$ROOT/build/$1 headers
  mapfile -t headers < <(ninja -C "$build" -t targets all | sed -n 's/^\(.*embedded\/.*\.hpp\): CUSTOM_COMMAND$/\1/p')
  ((${#headers[@]} == 0)) || ninja -C "$build" "${headers[@]}"
}

check_python() {
  local settings=(--no-cache --config "$ROOT/tests/ruff.toml") sources=("$ROOT/tests" "$ROOT/tools" "$ROOT/bench")
  "$VENV/bin/ruff" check -q "${settings[@]}" "${sources[@]}" &&
    "$VENV/bin/ruff" format -q --check "${settings[@]}" "${sources[@]}"
}

check_shell() {
  (cd "$ROOT" && shellcheck -x dev .ci/run docs/model/check tools/dev/*.sh)
}

cmd_check() {
  setup_all
  check "layers: base <- core <- adapters <- cli" python3 "$ROOT/tools/check_layers.py"
  check "text: no machine paths, notes, skipped tests; file length" python3 "$ROOT/tools/check_text.py"
  check "format: C++" check_format
  check "style: Python" check_python
  check "style: shell" check_shell
  check "model: the design survives what it should, and planted mistakes are found" "$ROOT/docs/model/check"
  check "fuzz: a minute of each target" check_fuzz
  check "clang-tidy" check_tidy
  echo
  echo "$checks_passed passed, $checks_failed failed"
  ((checks_failed == 0))
}
