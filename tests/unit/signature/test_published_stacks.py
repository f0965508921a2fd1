"""The lists of 2026 on stacks as programs and systems print them: who went wrong ends the signature.

The functions of systems and libraries are those of published stacks, which ``siglists/2026`` names; the program's own
are made up. A frame is a text, the name of its function, or an object.
"""

from __future__ import annotations

from typing import Any

import pytest

from socorro_processor.signature.c_signature_2026 import CSignatureTool2026

UNLOADED = {"offset": "0x7ff800001234", "unloaded_modules": [{"module": "C:\\harbor\\AQUA.dll", "offsets": ["0x1234"]}]}


def sign(frames: list[str | dict[str, Any]]) -> str:
    tool = CSignatureTool2026()
    lists = tool.lists.current
    walked = [{"function": frame} if isinstance(frame, str) else frame for frame in frames]
    names = tool.name_frames(walked, lists, lower_case_modules=True)
    return tool.generate(names, lists, 0, 0)[0]


@pytest.mark.parametrize(
    ("frames", "signature"),
    [
        pytest.param(
            ["abort", "terminate", "__scrt_unhandled_exception_filter", "UnhandledExceptionFilter",
             "RtlUserThreadStart$filt$0", "_C_specific_handler", "RtlpExecuteHandlerForException",
             "RtlDispatchException", "RtlRaiseException", "RaiseException", "_CxxThrowException",
             "harbor::Crane::lift(int)", "main", "BaseThreadInitThunk"],
            "terminate | harbor::Crane::lift",
            id="Windows: nobody catches an exception",
        ),
        pytest.param(
            ["NtWaitForMultipleObjects", "WerpWaitForCrashReporting", "RtlReportExceptionHelper", "RtlReportException",
             "RtlReportFatalFailure$filt$0", "_C_specific_handler", "RtlpExecuteHandlerForException",
             "RtlDispatchException", "RtlRaiseException", "RtlReportFatalFailure", "RtlReportCriticalFailure",
             "RtlpHeapHandleError", "RtlpHpHeapHandleError", "RtlpLogHeapFailure", "RtlpLowFragHeapFree",
             "RtlFreeHeap", "_free_base", "harbor::Crane::~Crane()"],
            "RtlFreeHeap | _free_base | harbor::Crane::~Crane",
            id="Windows: the heap is damaged",
        ),
        pytest.param(
            ["RtlpBreakPointHeap", "RtlpValidateHeapEntry", "RtlDebugFreeHeap", "RtlpFreeHeap", "RtlFreeHeap",
             "harbor::unload(void)"],
            "RtlpFreeHeap | RtlFreeHeap | harbor::unload",
            id="Windows: the heap is damaged, in a debugger",
        ),
        pytest.param(
            ["LdrpICallHandler", "RtlpExecuteHandlerForException", "RtlDispatchException", "KiUserExceptionDispatch",
             "LdrpDispatchUserCallTarget", "nsCOMPtr<nsISupports>::nsCOMPtr(const nsCOMPtr<nsISupports>&)",
             "harbor::Crew::notify(char const*)"],
            "LdrpDispatchUserCallTarget | nsCOMPtr<T>::nsCOMPtr | harbor::Crew::notify",
            id="Windows: a call to what is no function",
        ),
        pytest.param(
            ["RaiseFailFastException", "wil::details::WilRaiseFailFastException(_EXCEPTION_RECORD*,_CONTEXT*)",
             "wil::details::WilFailFast(wil::FailureInfo const &)", "harbor::Quay::open(void)"],
            "wil::details::WilRaiseFailFastException | wil::details::WilFailFast | harbor::Quay::open",
            id="Windows: WIL fails fast",
        ),
        pytest.param(
            [UNLOADED, {"module": "Harbor.exe", "module_offset": "0xff"}],
            "(unloaded aqua.dll@0x1234) | harbor.exe@0xff",
            id="Windows: code that was unloaded",
        ),
        pytest.param(
            ["NtUserMsgWaitForMultipleObjectsEx", "RealMsgWaitForMultipleObjectsEx", "harbor::Loop::wait(int)"],
            "NtUserMsgWaitForMultipleObjectsEx | RealMsgWaitForMultipleObjectsEx | harbor::Loop::wait",
            id="Windows: waits for messages",
        ),
        pytest.param(
            ["NtWaitForSingleObject", "SockWaitForSingleObject", "WSPSelect", "select", "harbor::poll()"],
            "SockWaitForSingleObject | WSPSelect | select | harbor::poll",
            id="Windows: waits for a socket",
        ),
        pytest.param(
            ["__pthread_kill", "pthread_kill", "abort", "abort_message", "default_terminate()", "_objc_terminate",
             "safe_handler_caller(void (*)())", "std::terminate()", "__cxa_throw", "objc_exception_throw",
             "+[NSException raise:format:arguments:]", "+[NSException raise:format:]",
             "-[NSString substringFromIndex:]", "-[HarborCrane lift:]"],
            "_objc_terminate | std::terminate | +[NSException raise:format:arguments:] "
            "| +[NSException raise:format:] | -[NSString substringFromIndex:] | -[HarborCrane lift:]",
            id="macOS: an exception of Foundation",
        ),
        pytest.param(
            ["__exceptionPreprocess", "objc_exception_throw", "-[NSObject(NSObject) doesNotRecognizeSelector:]",
             "___forwarding___", "_CF_forwarding_prep_0", "-[HarborCrane lift:]"],
            "-[NSObject(NSObject) doesNotRecognizeSelector:] | ___forwarding___ | -[HarborCrane lift:]",
            id="macOS: a method that an object does not have",
        ),
        pytest.param(
            ["abort", "__abort_message", "demangling_terminate_handler()", "_objc_terminate()",
             "std::__terminate(void (*)())", "__cxxabiv1::failed_throw(__cxxabiv1::__cxa_exception*)", "__cxa_throw",
             "objc_exception_throw", "-[__NSArrayM objectAtIndex:]", "-[HarborCrane lift:]"],
            "_objc_terminate | -[__NSArrayM objectAtIndex:] | -[HarborCrane lift:]",
            id="macOS: beyond the end of an array",
        ),
        pytest.param(
            ["objc_release", "(anonymous namespace)::AutoreleasePoolPage::pop(void*)", "_CFAutoreleasePoolPop",
             "-[HarborCrane lift:]"],
            "objc_release | (anonymous namespace)::AutoreleasePoolPage::pop | _CFAutoreleasePoolPop "
            "| -[HarborCrane lift:]",
            id="macOS: releases what is gone",
        ),
        pytest.param(
            ["__psynch_cvwait", "mozilla::detail::ConditionVariableImpl::wait(mozilla::detail::MutexImpl&)",
             "harbor::Queue::take()", "_pt_root"],
            "mozilla::detail::ConditionVariableImpl::wait | harbor::Queue::take",
            id="macOS: waits",
        ),
        pytest.param(
            ["Swift runtime failure: Array index is out of range", "specialized Array.subscript.getter",
             "Harbor.Crane.lift(at: Swift.Int) -> ()"],
            "Swift runtime failure: Array index is out of range | Array.subscript.getter | Harbor.Crane.lift",
            id="Swift: beyond the end of an array",
        ),
        pytest.param(
            ["raise", "abort", "qt_message_output(QtMsgType, char const*)", "qFatal(char const*, ...)",
             "qt_assert_x(char const*, char const*, char const*, int)", "QList<QAction*>::at(int) const",
             "harbor::Menu::add(int)"],
            "abort | qFatal | qt_assert_x | QList<T>::at | harbor::Menu::add",
            id="Qt: beyond the end of a list",
        ),
        pytest.param(
            ["base::debug::CollectStackTrace(void const**, unsigned long)", "base::debug::StackTrace::StackTrace()",
             "base::allocator::UnretainedDanglingRawPtrDetectedCrash(unsigned long)",
             "base::internal::RawPtrBackupRefImpl<true, false>::ReportIfDanglingInternal(unsigned long)",
             "base::RepeatingCallback<void ()>::Run() const &", "harbor::Quay::OnRequest()"],
            "base::allocator::UnretainedDanglingRawPtrDetectedCrash "
            "| base::internal::RawPtrBackupRefImpl<T>::ReportIfDanglingInternal | base::RepeatingCallback<T>::Run "
            "| harbor::Quay::OnRequest",
            id="Chromium: a pointer to what is gone",
        ),
        pytest.param(
            ["__cxa_throw", "nlohmann::detail::from_json<nlohmann::basic_json<std::map, std::vector>, int, 0>(int&)",
             "nlohmann::detail::from_json_fn::operator()<int>(int&) const", "harbor::Cargo::read(char const*)"],
            "nlohmann::detail::from_json<T> | nlohmann::detail::from_json_fn::operator()<T> | harbor::Cargo::read",
            id="JSON of another type",
        ),
        pytest.param(
            ["_dl_relocate_object", "dl_open_worker", "__GI__dl_catch_exception", "_dl_open", "dlopen_doit",
             "__GI__dl_catch_error", "_dlerror_run", "___dlopen", "harbor::load_plugin(char const*)"],
            "_dl_relocate_object | _dl_open | ___dlopen | harbor::load_plugin",
            id="Linux: loads a library",
        ),
        pytest.param(
            [{"module": "libc.so", "module_offset": "0x494a0"}, {"module": "sans.ttf", "module_offset": "0xbffe"},
             "harbor::draw()"],
            "libc.so | harbor::draw",
            id="Android: a font that looks like a caller",
        ),
        pytest.param(
            ["harbor::check_failed(char const*)", "harbor::check(bool)", "harbor::Page::verify()"],
            "harbor::check_failed | harbor::check | harbor::Page::verify",
            id="a check of the program's own",
        ),
    ],
)  # fmt: skip
def test_a_stack_signs_as_the_function_that_went_wrong(frames: list[str | dict[str, Any]], signature: str) -> None:
    assert sign(frames) == signature


@pytest.mark.parametrize(
    "function",
    [
        "-[NSArray(Harbor) crane]",
        "-[NSStringHarbor crane]",
        "harbor::Failure::check_in",
        "harbor::boost",
        "fmtlib",
        "SockPuppet::Read",
        "Nthreads",
        "QuayList<T>::at",
        "dlopener",
        "ArrayOfCranes.lift",
        "assert_tides",
    ],
)
def test_a_name_that_only_begins_like_an_entry_ends_a_signature(function: str) -> None:
    assert sign(["abort", function, "main"]) == f"abort | {function}"
