# seonchak_embed(TARGET NAME FILE...): compiles text files into TARGET.
#
# For each FILE "a/0001_init.sql" the generated header "embedded/NAME.hpp" holds a constant
# std::string_view in namespace seonchak::embedded, named after the file: k_0001_init_sql.
function(seonchak_embed target name)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embedded/embedded/${name}.hpp)
  set(files)
  foreach(file IN LISTS ARGN)
    list(APPEND files ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  endforeach()
  string(REPLACE ";" "," files_arg "${files}")
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DFILES=${files_arg} -P ${PROJECT_SOURCE_DIR}/cmake/embed_file.cmake
    DEPENDS ${files} ${PROJECT_SOURCE_DIR}/cmake/embed_file.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${out})
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/embedded)
endfunction()
