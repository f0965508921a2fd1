"""Words around the name in a declaration, of C++, C, Rust, D, Java and Swift."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BEFORE = _words(
    """
    public: private: protected: [thunk]: static inline virtual explicit constexpr consteval constinit extern friend
    const volatile mutable typename class struct enum union register thread_local unsafe final void bool char short
    int long float double unsigned signed auto wchar_t char8_t char16_t char32_t size_t __int8 __int16 __int32
    __int64 __int128 _Bool __float128 int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t intptr_t
    uintptr_t __cdecl __stdcall __fastcall __thiscall __vectorcall __clrcall __pascal __regcall __ptr64 __restrict
    __unaligned _cdecl _stdcall _fastcall cdecl stdcall byte ubyte ushort uint ulong cent ucent real ifloat string
    wstring dstring dchar wchar immutable inout shared pure nothrow ref scope abstract synchronized override package
    export deprecated native boolean decltype __attribute__ __declspec alignas noexcept
    """
)
"""Words in front of a name: access, specifiers, calling conventions, the types that have no other name."""

BEHIND = _words(
    """
    const volatile restrict __restrict __restrict__ __ptr64 __unaligned & && noexcept throw override final async
    throws rethrows pure nothrow immutable inout shared scope return
    """
)
"""Words after a name that are not part of it."""

ENDS = _words("requires -> where")
"""Words behind a name that begin an expression or a type."""

TYPES_OF_RUST = _words("*const *mut &mut dyn")
"""First words of a type in front of its method: of ``<dyn A>::f`` the normal form is ``dyn A::f``."""

MSVC_NAMES = _words(
    """
    adjustor copy default dynamic eh local managed omni placement RTTI scalar string template tailcall typeof udt
    vbase vbtable vcall vector vftable vtordisp
    """
)
"""First words of what MSVC names in quotation marks; anything else in them is a function."""
