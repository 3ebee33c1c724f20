# Compiler settings shared by every target.
add_library(seonchak_options INTERFACE)
target_compile_options(seonchak_options INTERFACE -Wall -Wextra -Werror)
target_include_directories(seonchak_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(seonchak_options INTERFACE SEONCHAK_VERSION="${PROJECT_VERSION}"
                                                      BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)

if(SEONCHAK_FAILPOINTS)
  target_compile_definitions(seonchak_options INTERFACE SEONCHAK_FAILPOINTS)
endif()

if(SEONCHAK_SANITIZE)
  # GCC's own manual warns that sanitizers make this warning report false positives (here: in variant2).
  target_compile_options(seonchak_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_compile_options(seonchak_options INTERFACE -fsanitize=${SEONCHAK_SANITIZE} -fno-omit-frame-pointer
                                                    -fno-sanitize-recover=all)
  # Asio fences with atomic_thread_fence, which TSan does not model, and GCC warns of each use.
  if(SEONCHAK_SANITIZE MATCHES "thread")
    target_compile_definitions(seonchak_options INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
    target_compile_options(seonchak_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
  target_link_options(seonchak_options INTERFACE -fsanitize=${SEONCHAK_SANITIZE})
endif()

if(SEONCHAK_FUZZ)
  # Coverage for libFuzzer in every object; only the targets link its main.
  target_compile_options(seonchak_options INTERFACE -fsanitize=fuzzer-no-link)
  # The stable_sort of libstdc++ 12 uses what it deprecates.
  target_compile_options(seonchak_options INTERFACE -Wno-deprecated-declarations)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
