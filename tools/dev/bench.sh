# shellcheck shell=bash
# Measurements beside other servers. Sourced by ./dev.

bench_packages=(libbenchmark-dev nginx libnginx-mod-http-lua default-jdk-headless)
bench_tools=(nginx javac)

setup_bench() {
  setup_all
  # shellcheck disable=SC2154 # setup.sh sets it
  if ((known_system)); then install_packages "${bench_packages[@]}"; else require_tools "${bench_tools[@]}"; fi
}

# Maven needs the network once; later runs work from what it has fetched.
build_spring_peer() {
  local peer=$ROOT/bench/peers/spring jar=$ROOT/build/peers/spring/spring-peer-1.jar
  if [[ -f $jar && -z $(find "$peer" -newer "$jar" -type f -print -quit) ]]; then return; fi
  say "building the Spring Boot peer"
  mvn -q -o -B -Dstyle.color=never -f "$peer/pom.xml" package >/dev/null 2>&1 ||
    mvn -q -B -Dstyle.color=never -f "$peer/pom.xml" package
}

# bench [growth | recovery | compare PROGRAM] FLAG...: the flags of bench/__main__.py, or of the module of that name.
# bench guards FLAG...: single parts, in one process; the flags of google-benchmark.
cmd_bench() {
  local module=bench
  if [[ ${1-} == guards ]]; then
    shift
    setup_bench
    build bench seonchak-guards
    exec "$ROOT/build/bench/seonchak-guards" "$@"
  fi
  case ${1-} in
    growth | recovery | compare)
      module=bench.$1
      shift
      ;;
  esac
  setup_bench
  build release seonchak
  build bench seonchak-load
  if [[ $module == bench ]]; then build_spring_peer; fi
  PYTHONPATH=$ROOT:$ROOT/tests exec "$VENV/bin/python" -m "$module" "$@"
}
