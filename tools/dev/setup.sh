# shellcheck shell=bash
# What the commands of ./dev need, installed when it is missing. Sourced by ./dev.

# One version on every system, so that everybody sees the same findings.
CLANG_FORMAT=clang-format-14
CLANG_TIDY=clang-tidy-19
CLANG=clang-19

VENV=$ROOT/.venv
KAFKA_JARS=$ROOT/build/kafka

build_packages=(
  g++ cmake ninja-build ccache pkg-config curl ca-certificates
  libssl-dev libhiredis-dev librdkafka-dev libpq-dev libsqlite3-dev
  libspdlog-dev libfmt-dev libcli11-dev
)
test_packages=(
  libgtest-dev redis-server redis-tools postgresql postgresql-client
  default-jre-headless maven python3 python3-venv kcat sqlite3 git
  "$CLANG_FORMAT" "$CLANG_TIDY" "$CLANG" libclang-rt-19-dev shellcheck spin
)
build_tools=(g++ cmake ninja pkg-config curl)
test_tools=(redis-server psql java mvn python3 kcat git "$CLANG_FORMAT" "$CLANG_TIDY" "$CLANG" shellcheck spin)

# Adds what is named differently from one system to the next. False for a system we have no names for.
add_system_packages() {
  # shellcheck source=/dev/null
  local system
  system=$(. /etc/os-release && echo "$ID-$VERSION_ID")
  case $system in
    debian-12)
      build_packages+=(libboost1.81-dev libboost-context1.81-dev libboost-json1.81-dev libboost-url1.81-dev)
      test_packages+=(chromium)
      ;;
    ubuntu-24.04)
      build_packages+=(libboost1.83-dev libboost-context1.83-dev libboost-json1.83-dev libboost-url1.83-dev)
      # Chromium is a snap there, which no container can run: the browser tests look for any Chromium in PATH.
      ;;
    *) return 1 ;;
  esac
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# Installs those of the packages that are missing; without any it needs neither the network nor root.
# Where a package brings a system service, that is left as the package sets it up: the tests and
# `up` start servers of their own, on free ports.
install_packages() {
  local missing=() package installed
  installed=$(dpkg-query -W -f ' ${Package}=${db:Status-Status} ' "$@" 2>/dev/null || true)
  for package in "$@"; do
    [[ $installed == *" $package=installed "* ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  say "installing ${missing[*]}"
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

require_tools() {
  local missing=() tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  ((${#missing[@]})) || return 0
  fail "this system is not Debian 12 or Ubuntu 24.04, so install by hand: ${missing[*]} (README lists the libraries)"
}

# setup_build: enough to build and run. setup_all: also to test, check and bring up real servers.
setup_build() {
  if ((known_system)); then install_packages "${build_packages[@]}"; else require_tools "${build_tools[@]}"; fi
}

setup_all() {
  if ((known_system)); then
    install_packages "${build_packages[@]}" "${test_packages[@]}"
  else
    require_tools "${build_tools[@]}" "${test_tools[@]}"
  fi
  setup_python
  setup_kafka
}

setup_python() {
  local wanted=$ROOT/tests/requirements.txt
  cmp -s "$wanted" "$VENV/installed.txt" && return
  say "installing the Python packages of tests/requirements.txt"
  python3 -m venv --clear "$VENV"
  "$VENV/bin/pip" install -q --disable-pip-version-check -r "$wanted"
  cp "$wanted" "$VENV/installed.txt"
}

setup_kafka() {
  local wanted=$ROOT/tests/kafka/pom.xml
  cmp -s "$wanted" "$KAFKA_JARS/installed.xml" && return
  say "fetching Kafka for the tests"
  rm -rf "$KAFKA_JARS"
  mvn -q -B -Dstyle.color=never -f "$wanted" dependency:copy-dependencies
  cp "$wanted" "$KAFKA_JARS/installed.xml"
}

known_system=0
if add_system_packages; then known_system=1; fi
