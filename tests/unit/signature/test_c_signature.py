"""Which frames of a stack make its signature."""

from __future__ import annotations

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.errors import ConfigurationError
from socorro_processor.signature.c_signature import CSignatureTool, truncate
from socorro_processor.signature.siglists import FILES, IRRELEVANT, LINE_NUMBERS, PREFIX, SENTINELS, TRIM_DLL

LISTS = {
    IRRELEVANT: "raise\nstart_thread\n",
    PREFIX: "abort\nmalloc\nnvidia\n",
    SENTINELS: "std::terminate()\nhandler\n",
    LINE_NUMBERS: "interpret\n",
    TRIM_DLL: "nvidia.*\n",
}


@pytest.fixture
def lists_directory(tmp_path):
    for name in FILES:
        (tmp_path / name).write_text(LISTS[name])
    return tmp_path


@pytest.fixture
def tool(lists_directory) -> CSignatureTool:
    return CSignatureTool(defaults(CSignatureTool, siglists_directory=str(lists_directory)))


def sign(tool: CSignatureTool, names: list[str], hang_type: int = 0, thread: int | None = 0) -> str:
    return tool.generate(names, tool.lists.current, hang_type, thread)[0]


@pytest.mark.parametrize(
    ("names", "signature"),
    [
        (["load", "main"], "load"),
        (["abort", "load", "main"], "abort | load"),
        (["abort", "malloc", "load", "main"], "abort | malloc | load"),
        (["abort", "malloc"], "abort | malloc"),
        (["raise", "abort", "raise", "load"], "abort | load"),
        (["a", "b", "std::terminate()", "load"], "std::terminate()"),
        (["a", "handler", "b", "std::terminate()"], "handler"),
        (["a", "my_handler"], "a"),
        (["nvidia.dll@0x1", "nvidia.dll@0x2", "load"], "nvidia.dll | load"),
        (["nvidia.dll@0x1", "abort", "nvidia.dll@0x2", "load"], "nvidia.dll | abort | nvidia.dll | load"),
        (["nvidia.dll@0x1", "nvidia2.dll@0x1", "load"], "nvidia.dll | nvidia2.dll | load"),
        (["load('x')"], "load(''x'')"),
    ],
)
def test_a_signature_ends_with_the_first_frame_that_says_enough(names, signature, tool):
    assert sign(tool, names) == signature


@pytest.mark.parametrize(
    ("names", "hang_type", "thread", "signature"),
    [
        (["load"], -1, 0, "hang | load"),
        (["load"], 1, 0, "chromehang | load"),
        (["raise"], 1, 0, "chromehang"),
        ([], -1, None, "hang"),
        ([], 0, None, "EMPTY: no crashing thread identified"),
        ([], 0, 3, "EMPTY: no frame data available"),
        (["raise", "start_thread"], 0, 3, "raise"),
        (["x", "handler@0x1"], 7, 0, "x"),
    ],
)
def test_a_hang_is_marked_and_an_empty_signature_says_why(names, hang_type, thread, signature, tool):
    assert sign(tool, names, hang_type, thread) == signature


@pytest.mark.parametrize(("names", "thread", "note"), [([], None, "not known which"), (["raise"], 3, "thread 3")])
def test_a_note_says_why_there_is_no_proper_signature(names, thread, note, tool):
    (told,) = tool.generate(names, tool.lists.current, 0, thread)[1]

    assert note in told


def test_a_long_signature_is_cut_and_noted(tool):
    signature, notes = tool.generate(["x" * 256], tool.lists.current, 0, 0)

    assert signature == "x" * 252 + "..."
    assert notes == ["signature cut to 255 characters"]


@pytest.mark.parametrize(("maximum", "cut"), [(6, "abcdef"), (5, "ab..."), (4, "a..."), (3, "..."), (0, "...")])
def test_a_cut_signature_ends_in_an_ellipsis(maximum, cut):
    assert truncate("abcdef", maximum) == cut


def test_only_the_maximum_of_frames_is_considered(lists_directory):
    values = {"siglists_directory": str(lists_directory), "maximum_frames_to_consider": 2}
    tool = CSignatureTool(defaults(CSignatureTool, **values))
    frames = [{"function": name} for name in ("abort", "malloc", "load")]

    assert tool.name_frames(frames, tool.lists.current, lower_case_modules=False) == ["abort", "malloc"]
    assert "normalized" not in frames[2]


def test_normal_forms_are_kept_in_the_frames(tool):
    frames = [{"function": "interpret", "line": 3}]

    tool.name_frames(frames, tool.lists.current, lower_case_modules=False)
    assert frames == [{"function": "interpret", "line": 3, "normalized": "interpret:3"}]


@pytest.mark.parametrize(("lower_case_modules", "module"), [(True, "mozglue.dll"), (False, "MozGlue.DLL")])
def test_modules_are_in_lower_case_on_request(lower_case_modules, module, tool):
    frame = {"module": "MozGlue.DLL", "module_offset": "0x1f"}

    names = tool.name_frames([frame], tool.lists.current, lower_case_modules=lower_case_modules)
    assert names == [f"{module}@0x1f"]
    assert frame["module"] == module


def test_without_lists_there_is_no_tool(tmp_path):
    with pytest.raises(ConfigurationError, match=str(tmp_path)):
        CSignatureTool(defaults(CSignatureTool, siglists_directory=str(tmp_path)))


PROJECT_LISTS = {
    "glibc, a failed assertion": (
        "__pthread_kill_implementation | __GI_raise | __GI_abort | __assert_fail_base | "
        "__assert_fail | Scene::load(char const*) | main",
        "__assert_fail | Scene::load(char const*)",
    ),
    "glibc without symbols": (
        "libc.so.6@0x8aeec | libc.so.6@0x3bfb1 | Scene::load(char const*)",
        "Scene::load(char const*)",
    ),
    "musl": (
        "__restore_sigs | raise | abort | Scene::load(char const*)",
        "abort | Scene::load(char const*)",
    ),
    "macOS": (
        "__pthread_kill | pthread_kill | abort | Scene::load(char const*)",
        "abort | Scene::load(char const*)",
    ),
    "an exception of C++ that nobody caught": (
        "raise | abort | __gnu_cxx::__verbose_terminate_handler() | "
        "__cxxabiv1::__terminate(void (*)()) | std::terminate() | __cxa_throw | "
        "std::__throw_out_of_range_fmt(char const*, ...) | Scene::at(int)",
        "std::terminate() | std::__throw_out_of_range_fmt(char const*, ...) | Scene::at(int)",
    ),
    "a call of a pure virtual function": (
        "abort | __cxa_pure_virtual | Node::draw()",
        "__cxa_pure_virtual | Node::draw()",
    ),
    "the C runtime of Windows": (
        "_invoke_watson | _invalid_parameter_noinfo_noreturn | std::vector<T>::_Xlen | "
        "Scene::load | BaseThreadInitThunk",
        "_invoke_watson | _invalid_parameter_noinfo_noreturn | std::vector<T>::_Xlen | Scene::load",
    ),
    "damage found by the allocator": (
        "raise | abort | __libc_message | malloc_printerr | _int_free | free | Scene::~Scene()",
        "malloc_printerr | _int_free | free | Scene::~Scene()",
    ),
    "an unwrap() in Rust": (
        "__pthread_kill_implementation | raise | abort | std::sys::pal::unix::abort_internal | "
        "std::process::abort | rust_panic | std::panicking::rust_panic_with_hook | "
        "std::sys::backtrace::__rust_end_short_backtrace | rust_begin_unwind | "
        "core::panicking::panic_fmt | core::option::unwrap_failed | viewer::scene::load | "
        "std::rt::lang_start",
        "core::option::unwrap_failed | viewer::scene::load",
    ),
    "an index out of bounds in Rust": (
        "rust_begin_unwind | core::panicking::panic_fmt | core::panicking::panic_bounds_check | viewer::scene::at",
        "core::panicking::panic_bounds_check | viewer::scene::at",
    ),
    "an abort in Rust": (
        "abort | std::sys::pal::unix::abort_internal | std::process::abort | viewer::give_up",
        "abort | std::sys::pal::unix::abort_internal | std::process::abort | viewer::give_up",
    ),
    "a sanitizer": (
        "__sanitizer::Die() | __asan::ReportGenericError(unsigned long) | __interceptor_memcpy | Scene::copy()",
        "Scene::copy()",
    ),
    "copying into nowhere": (
        "__memmove_avx_unaligned_erms | Scene::copy()",
        "__memmove_avx_unaligned_erms | Scene::copy()",
    ),
    "a call through null": (
        "@0x0000000000000000 | Scene::draw()",
        "@0x0000000000000000 | Scene::draw()",
    ),
    "a call into nowhere": (
        "@0x00007f21 | Scene::draw()",
        "Scene::draw()",
    ),
    "a graphics driver": (
        "nvoglv64.dll@0x1f4c | nvoglv64.dll@0x2 | Scene::draw()",
        "nvoglv64.dll",
    ),
    "a function named like an allocator": (
        "freetype_load | main",
        "freetype_load",
    ),
    "only the beginning of a thread": (
        "start_thread | clone3",
        "start_thread",
    ),
}


@pytest.mark.parametrize(("stack", "signature"), PROJECT_LISTS.values(), ids=PROJECT_LISTS)
def test_the_projects_lists_find_whose_fault_it_is(stack, signature):
    assert sign(CSignatureTool(), stack.split(" | ")) == signature
