"""What clang-tidy is given, and when a file is looked at again."""

from pathlib import Path

from tidy import clang_arguments, included


def test_what_only_gcc_understands_is_dropped() -> None:
    command = (
        "g++ -Ia -fsanitize=address -fno-sanitize-recover=all -Winvalid-pch "
        "-include b/cmake_pch.hxx -include own.hpp -c x.cpp"
    )
    assert clang_arguments(command) == [
        *["g++", "-Ia", "-include", "own.hpp", "-c", "x.cpp"],
        "-Wno-unknown-warning-option",
        "-Wno-deprecated-declarations",
        *["-Wthread-safety", "-Werror=thread-safety"],
    ]


def test_headers_are_followed_through_headers(tmp_path: Path) -> None:
    for name, text in {
        "a.cpp": '#include "b.hpp"\n#include <c.hpp>',
        "b.hpp": '#include "d.hpp"',
        "d.hpp": "",
    }.items():
        (tmp_path / name).write_text(text)
    names = [path.name for path in included(tmp_path / "a.cpp", tmp_path)]
    assert names == ["a.cpp", "b.hpp", "d.hpp"]
