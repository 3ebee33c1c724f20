# seonchak_module(NAME DEPENDS mod... LINKS lib... PCH header... TEST_LINKS lib...): the library of one folder of src/.
#
# Sources are every *.cpp of the folder and the folders in it, but main/; those ending in _test.cpp become the test program
# NAME_test. TEST_LINKS is for the embedded twins, which take the place of mocks and so may be linked by the tests of a lower
# layer.
function(seonchak_module name)
  cmake_parse_arguments(M "" "" "DEPENDS;LINKS;PCH;TEST_LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main/[^/]*$")
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")

  add_library(seonchak_${name} STATIC ${sources})
  target_link_libraries(seonchak_${name} PUBLIC seonchak_options ${M_DEPENDS} PRIVATE ${M_LINKS})
  if(M_PCH)
    target_precompile_headers(seonchak_${name} PRIVATE ${M_PCH})
  endif()

  if(SEONCHAK_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE seonchak_${name} ${M_LINKS} ${M_TEST_LINKS} GTest::gtest_main)
    target_precompile_headers(${name}_test PRIVATE <gtest/gtest.h> ${M_PCH})
    gtest_discover_tests(${name}_test TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 120)
  endif()
endfunction()
