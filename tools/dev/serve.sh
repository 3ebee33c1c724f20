# shellcheck shell=bash
# Runs the server in the foreground with a coupon to try. Sourced by ./dev.

# flag_value NAME DEFAULT FLAG...: what `--NAME value` or `--NAME=value` says among the flags.
flag_value() {
  local name=--$1 value=$2
  shift 2
  while (($#)); do
    case $1 in
      "$name") value=${2-} ;;
      "$name"=*) value=${1#*=} ;;
    esac
    shift
  done
  echo "$value"
}

# Waits until the server of that process answers /readyz; false if it has ended or takes too long.
wait_ready() {
  local url=$1 pid=$2 deadline=$((SECONDS + READY_TIMEOUT_S))
  until curl -fs -o /dev/null --max-time 2 "$url/readyz"; do
    kill -0 "$pid" 2>/dev/null || return 1
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

create_sample() {
  local url=$1 admin_key=$2 key_flags=()
  curl -fs -o /dev/null --max-time 5 "$url/v1/coupons/$SAMPLE_COUPON" && return
  [[ -z $admin_key ]] || key_flags=(--admin-key "$admin_key")
  "$ROOT/build/release/seonchak" coupon create --id "$SAMPLE_COUPON" --name Welcome --stock "$SAMPLE_STOCK" \
    --url "$url" "${key_flags[@]}" >/dev/null
}

# Waits for a process through any number of signals and returns its exit code.
wait_for() {
  local code
  while true; do
    interrupted=0 code=0
    wait "$1" || code=$?
    ((interrupted)) || return "$code"
  done
}

# serve_with_sample FLAG...: `seonchak serve FLAG...` until Ctrl-C; its exit code is passed on.
serve_with_sample() {
  local listen url server code=0
  listen=$(flag_value listen "${SEONCHAK_LISTEN:-$LISTEN_DEFAULT}" "$@")
  url=http://$listen
  if (: <"/dev/tcp/${listen%:*}/${listen##*:}") 2>/dev/null; then
    fail "something listens on $listen already; choose another address with --listen"
  fi
  [[ " $* " == *" --listen"* ]] || set -- --listen "$listen" "$@"

  # In a session of its own Ctrl-C does not reach it beside our signal; it ends with this shell, however that ends.
  setpriv --pdeathsig TERM -- setsid "$ROOT/build/release/seonchak" serve "$@" &
  server=$!
  trap 'interrupted=1; kill -TERM "$server" 2>/dev/null || true' INT TERM
  if wait_ready "$url" "$server" && create_sample "$url" "$(flag_value admin-key "${SEONCHAK_ADMIN_KEY-}" "$@")"; then
    print_examples "$url"
  else
    kill -TERM "$server" 2>/dev/null && say "the server did not become ready with its sample coupon"
    code=1
  fi
  wait_for "$server" || code=$?
  return "$code"
}

print_examples() {
  echo
  echo "Ready on $1. Coupon \"$SAMPLE_COUPON\" has a stock of $SAMPLE_STOCK. Ctrl-C stops. Ask for one:"
  echo "  curl -i -X POST $1/v1/coupons/$SAMPLE_COUPON/issue -H 'X-User-Id: user-1'"
  [[ -z ${SEONCHAK_TEST_REDIS-} ]] || print_server_examples
}

print_server_examples() {
  echo "Then look at the gate, the log and the store:"
  echo "  redis-cli -u $SEONCHAK_TEST_REDIS hgetall '{coupon:$SAMPLE_COUPON}:holders'"
  printf '  %s\n' "kcat -b $SEONCHAK_TEST_KAFKA -t coupon-issue -C -e -q -f '%k %s\n'"
  echo "  psql '$SEONCHAK_TEST_POSTGRES' -c 'select * from user_coupon order by coupon_id, sequence'"
}

# The server of `up`: with_servers has put the addresses into the environment.
cmd_serve_on_servers() {
  serve_with_sample --gate "$SEONCHAK_TEST_REDIS" --log "kafka://$SEONCHAK_TEST_KAFKA/coupon-issue" \
    --store "$SEONCHAK_TEST_POSTGRES" "$@"
}
