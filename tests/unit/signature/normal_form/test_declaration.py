"""Names of C++ by all compilers, of C, D, Java and Zig."""

from __future__ import annotations

import pytest

from socorro_processor.signature.normal_form import normalize_frame


def check(function: str, normalized: str) -> None:
    assert normalize_frame({"function": function}) == normalized


@pytest.mark.parametrize(
    ("function", "normalized"),
    [
        ("acme::Box<acme::Pair<int, acme::Box<char> > >::open()", "acme::Box<T>::open"),
        ("acme::map<int>::find<char>(acme::set<int> const&)", "acme::map<T>::find<T>"),
        ("acme::f<(a > b), (c < d), (x->y)>(int)", "acme::f<T>"),
        ("acme::f<(acme::A)3, &(acme::g(int)), 'x', '<', \"a(b\">(int)", "acme::f<T>"),
        ("std::enable_if<(a)>=(b), int>::type acme::g<1>(int)", "acme::g<T>"),
        ("std::enable_if<(sizeof (int))<(8), int>::type acme::open<int>(int*)", "acme::open<T>"),
        ("acme::Bits<(1)<<(3)>::get()", "acme::Bits<T>::get"),
        ("acme::Sum::operator()<(acme::Kind)3>(int) const", "acme::Sum::operator()<T>"),
        ("acme::Sum::operator() <(acme::Kind)3>(int) const", "acme::Sum::operator()<T>"),
        ("acme::f<void (*)(int), int (acme::A::*)() const>(int)", "acme::f<T>"),
        ("IPC::ParamTraits<acme::Order>::Write", "IPC::ParamTraits<acme::Order>::Write"),
        (
            "void IPC::ParamTraits<std::vector<class acme::Order *> >::Read(int)",
            "IPC::ParamTraits<std::vector<T>>::Read",
        ),
        ("acme::ParamTraits<acme::Order>::Write", "acme::ParamTraits<T>::Write"),
        ("acme::Outer<IPC::ParamTraits<acme::Order> >::x", "acme::Outer<T>::x"),
        ("com.acme.Shop.<clinit>", "com.acme.Shop.<clinit>"),
        ("Object.<anonymous>", "Object.<anonymous>"),
        # Names that were cut off before they came here.
        ("acme::Cache<std::pair<int, acme::Key", "acme::Cache<T>"),
        ("acme::Shop::close(int, cha", "acme::Shop::close"),
    ],
)
def test_template_arguments_become_one_pair_of_brackets(function, normalized):
    check(function, normalized)


@pytest.mark.parametrize(
    ("function", "normalized"),
    [
        ("bool acme::operator< <acme::Part>(acme::Part const&)", "acme::operator< <T>"),
        ("acme::operator<<acme::Part>(int)", "acme::operator< <T>"),
        ("llvm::raw_ostream& acme::operator<<<acme::Part>(int)", "acme::operator<< <T>"),
        ("acme::operator<<(int)", "acme::operator<<"),
        ("acme::operator>><acme::Part>(int)", "acme::operator>><T>"),
        ("acme::Part::operator<<=(int)", "acme::Part::operator<<="),
        ("acme::Part::operator<=(int)", "acme::Part::operator<="),
        ("acme::operator<=><int>(acme::A<int>)", "acme::operator<=><T>"),
        ("acme::Ptr<int>::operator->*(int)", "acme::Ptr<T>::operator->*"),
        ("acme::X::operator()<int>(int) const", "acme::X::operator()<T>"),
        ("acme::X::operator() (int) const", "acme::X::operator()"),
        ("acme::X::operator[](unsigned long)", "acme::X::operator[]"),
        ("acme::X::operator!() const", "acme::X::operator!"),
        ("acme::X::operator&&(acme::X&&)", "acme::X::operator&&"),
        ("acme::operator,<int>(acme::A, acme::B)", "acme::operator,<T>"),
        ("acme::operator,(acme::A, acme::B)", "acme::operator,"),
        ("acme::X::operator new[](unsigned long)", "acme::X::operator new[]"),
        ("void *__cdecl operator new(unsigned __int64)", "operator new"),
        ("operator delete(void*)", "operator delete"),
        ("acme::task::operator co_await() &&", "acme::task::operator co_await"),
        ('acme::operator"" _kg(long double)', 'acme::operator""_kg'),
        ("acme::operator\"\"_kg<'a', 'b'>()", 'acme::operator""_kg<T>'),
        ("acme::X::operator unsigned long() const", "acme::X::operator unsigned long"),
        ("acme::X::operator class acme::Part *(void)const ", "acme::X::operator acme::Part*"),
        ("acme::X::operator std::vector<int> const&() const", "acme::X::operator std::vector<T> const&"),
        ("acme::X::operator void (*)(int)() const", "acme::X::operator void (*)(int)"),
        (
            "acme::X::operator bool() const::{lambda()#1}::operator()() const",
            "acme::X::operator bool::{lambda}::operator()",
        ),
        ("acme::operatorTable(int)", "acme::operatorTable"),
        ("acme::my_operator<int>(int)", "acme::my_operator<T>"),
    ],
)
def test_an_operator_keeps_its_name(function, normalized):
    check(function, normalized)


@pytest.mark.parametrize(
    ("function", "normalized"),
    [
        ("acme::f()::{lambda(int, char)#2}::operator()(int, char) const", "acme::f::{lambda}::operator()"),
        ("acme::f() const::{lambda(int)#1}::operator()(int) const", "acme::f::{lambda}::operator()"),
        (
            "auto acme::f<int>(int)::{lambda(auto:1)#2}::operator()<int>(int) const::{lambda()#1}::operator()() const",
            "acme::f<T>::{lambda}::operator()<T>::{lambda}::operator()",
        ),
        (
            "acme::f()::$_0::operator()() const::'lambda'()::operator()() const",
            "acme::f::{lambda}::operator()::{lambda}::operator()",
        ),
        ("acme::f()::$_12::__invoke(int)", "acme::f::{lambda}::__invoke"),
        ("acme::f()::'lambda3'<typename T>(T)::operator()<int>(int) const", "acme::f::{lambda}::operator()<T>"),
        ("acme::f(int)::<lambda(int)>::operator()(int) const", "acme::f::{lambda}::operator()"),
        ("acme::f::<lambda_1>::<lambda_invoker_cdecl>(int)", "acme::f::{lambda}::<lambda_invoker_cdecl>"),
        ("acme::f()::(lambda at /x/y.cc:1:2)::operator()() const", "acme::f::{lambda}::operator()"),
        ("acme::(anonymous class)::operator()(int) const", "acme::{lambda}::operator()"),
        ("acme::(anonymous struct at /x/y.h:1:2)::f()", "acme::(anonymous struct)::f"),
        ("acme::f()::{unnamed type#3}::g()", "acme::f::{unnamed type}::g"),
        ("acme::f()::'unnamed0'::g()", "acme::f::{unnamed type}::g"),
        ("?A0x8e1f0c2a::drain(int)", "(anonymous namespace)::drain"),
        ("acme::?A0x8e1f0c2a::drain", "acme::(anonymous namespace)::drain"),
        ("{anonymous}::drain(int)", "(anonymous namespace)::drain"),
        ("void `anonymous namespace'::drain(int)", "(anonymous namespace)::drain"),
        ("std::(anonymous namespace)::f<int>(int)::$_3", "std::(anonymous namespace)::f<T>::{lambda}"),
        ("acme::Handle<int>::get[abi:cxx11][abi:ne180100]() const", "acme::Handle<T>::get"),
    ],
)
def test_numbered_names_have_one_spelling(function, normalized):
    check(function, normalized)


@pytest.mark.parametrize(
    ("function", "normalized"),
    [
        ("`public: void __cdecl tide::Pump::start(int)'::`2'::Guard::run", "tide::Pump::start::Guard::run"),
        ("`tide::Pump::start'::`2'::<lambda_1>::operator()", "tide::Pump::start::{lambda}::operator()"),
        ("`tide::Pump<int>::start'::`2'::`5'::Guard::~Guard(void)", "tide::Pump<T>::start::Guard::~Guard"),
        ("``anonymous namespace'::f(int)'::`2'::g", "(anonymous namespace)::f::g"),
        ("``tide::f(int)'::`2'::<lambda_1>::operator()(void)const '::`3'::g", "tide::f::{lambda}::operator()::g"),
        ("tide::Pump::start::`2'::Guard::run", "tide::Pump::start::Guard::run"),
        (
            "void __cdecl tide::start::__l2::<lambda_8e1f0c2a>::operator()(int)const",
            "tide::start::{lambda}::operator()",
        ),
        ("tide::Pump::__l2()", "tide::Pump::__l2"),
        ("`dynamic initializer for 'x''", "`dynamic initializer for 'x''"),
        (
            "void __cdecl `dynamic initializer for 'acme::Table<acme::Part>::instance''(void)",
            "`dynamic initializer for 'acme::Table<T>::instance''",
        ),
        ("`dynamic atexit destructor for 'acme::table''", "`dynamic atexit destructor for 'acme::table''"),
        (
            "public: virtual void * __cdecl acme::A::`vector deleting destructor'(unsigned int)",
            "acme::A::`vector deleting destructor'",
        ),
        ("const acme::A::`vftable'", "acme::A::`vftable'"),
        ("[thunk]: public: virtual void __cdecl acme::A::paint`adjustor{8}' (int)", "acme::A::paint"),
        ("[thunk]:public: virtual void acme::A::paint`vtordisp{-4, 0}'(int)", "acme::A::paint"),
        ("[thunk]: __cdecl acme::A::`vcall'{16, {flat}}", "acme::A::`vcall'{16, {flat}}"),
        ("public: class acme::Part *__cdecl acme::Shop::part(int)const ", "acme::Shop::part"),
        ("private: static void __stdcall acme::Shop::f(void)const __ptr64", "acme::Shop::f"),
        ("?close@Shop@acme@@QEAAXH@Z", "?close@Shop@acme@@QEAAXH@Z"),
        ("??R<lambda_8e1f>@?1??f@@YAXXZ@QEBA@XZ", "??R<lambda_8e1f>@?1??f@@YAXXZ@QEBA@XZ"),
    ],
)
def test_names_of_msvc_have_their_normal_form(function, normalized):
    check(function, normalized)


@pytest.mark.parametrize(
    ("function", "normalized"),
    [
        ("acme::Shop::open(int) const::Guard::leave()", "acme::Shop::open::Guard::leave"),
        ("acme::Shop::open(int) const &::Guard::leave() volatile", "acme::Shop::open::Guard::leave"),
        ("acme::Part::release() const && noexcept", "acme::Part::release"),
        ("void acme::f<int>(int) requires acme::C<int> && (sizeof(int) > 2)", "acme::f<T>"),
        ("auto acme::f(int) -> std::vector<int>", "acme::f"),
        ("acme::f(T) [with T = int]", "acme::f"),
        ("__attribute__((noinline)) static unsigned long acme_f(int)", "acme_f"),
        ("unsigned long acme_f", "acme_f"),
        ("void acme_f", "acme_f"),
        ("acme::Part* acme::Shop::part(int)", "acme::Shop::part"),
        ("acme::Part const& acme::Shop::part(int)", "acme::Shop::part"),
        ("decltype (acme::g({parm#1})) acme::f<int>(int)", "acme::f<T>"),
        ("void (*(*acme::f(int))(char))(long)", "acme::f"),
        ("void (__cdecl*__cdecl acme::Shop::handler(int))(char)", "acme::Shop::handler"),
        ("int (&acme::f(int))[4]", "acme::f"),
        ("void (acme::A::*acme::get<int>(int))(char) const", "acme::get<T>"),
        ("virtual thunk to acme::Window::paint(int)", "acme::Window::paint"),
        ("covariant return thunk to acme::Window::clone() const", "acme::Window::clone"),
        ("TLS wrapper function for acme::x", "TLS wrapper function for acme::x"),
        ("invocation function for block in void acme::f<int>(int)", "invocation function for block in acme::f<T>"),
        ("Builtin: Array Reduce Loop", "Builtin: Array Reduce Loop"),
        ("two words", "two words"),
        ("one , two,three * four", "one, two, three* four"),
    ],
)
def test_everything_around_the_name_is_removed(function, normalized):
    check(function, normalized)


@pytest.mark.parametrize(
    ("function", "normalized"),
    [
        ("pure nothrow @nogc @safe void orchard.tree.prune(int)", "orchard.tree.prune"),
        ("immutable(char)[] orchard.tree.name() const @property", "orchard.tree.name"),
        ("void orchard.main().inner(int)", "orchard.main.inner"),
        ("int orchard.pick!(int, orchard.box!(string)).pick(int)", "orchard.pick!(T).pick"),
        ('ref orchard.Tree orchard.Tree.opIndex!("a(b")(int)', "orchard.Tree.opIndex!(T)"),
        ("void com.acme.Shop.close(java.lang.String, int)", "com.acme.Shop.close"),
        ("com.acme.Shop$1.run", "com.acme.Shop$1.run"),
        ("array_list.ArrayListAligned(u8,null).append__anon_12", "array_list.ArrayListAligned.append"),
        ("yard.parse__anon_1874.inner", "yard.parse.inner"),
        ("Acme.Shop+<>c__DisplayClass1_0.<Open>b__0()", "Acme.Shop+<>c__DisplayClass1_0.<Open>b__0"),
    ],
)
def test_names_of_d_java_zig_and_dotnet_have_their_normal_form(function, normalized):
    check(function, normalized)
