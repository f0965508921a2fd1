"""Names of Rust, Swift, Objective-C, Kotlin/Native and Go; mangled names; suffixes."""

from __future__ import annotations

import pytest

from socorro_processor.signature.normal_form import normalize_frame


def check(function: str, normalized: str) -> None:
    assert normalize_frame({"function": function}) == normalized


@pytest.mark.parametrize(
    ("function", "normalized"),
    [
        ("<crane::Yard<u8> as crane::Move<crane::A<u8>>>::lift", "<crane::Yard<T> as crane::Move<T>>::lift"),
        (
            "<<crane::Yard as crane::Has>::Out as crane::Move<u8>>::lift::<u32>::{closure#0}::{closure#1}",
            "<<crane::Yard as crane::Has>::Out as crane::Move<T>>::lift<T>::{{closure}}::{{closure}}",
        ),
        (
            "crane::codec::<impl core::convert::From<crane::A> for crane::B<C>>::from",
            "crane::codec::<impl core::convert::From<T> for crane::B<T>>::from",
        ),
        ("core::str::<impl str>::trim", "core::str::<impl str>::trim"),
        ("<&mut A as crane::Move>::lift", "<&mut A as crane::Move>::lift"),
        ("<[T] as core::fmt::Debug>::fmt", "<[T] as core::fmt::Debug>::fmt"),
        (
            "<fn(u32) -> crane::Route as core::ops::FnOnce<(u32,)>>::call_once",
            "<fn(u32) -> crane::Route as core::ops::FnOnce<T>>::call_once",
        ),
        ("<alloc::vec::Vec<crane::Route>>::push", "alloc::vec::Vec<T>::push"),
        ("<crane::Yard>::lift::<u32>", "crane::Yard::lift<T>"),
        ("crane::Vec::<crane::A>::push", "crane::Vec<T>::push"),
        (
            "<F as core::ops::FnOnce<()>>::call_once::{shim:vtable#0}",
            "<F as core::ops::FnOnce<T>>::call_once::{shim:vtable#0}",
        ),
        ("core::ops::FnOnce::call_once{{vtable.shim}}", "core::ops::FnOnce::call_once{{vtable.shim}}"),
        ("core::ptr::drop_in_place::<dyn core::ops::FnMut() -> bool>", "core::ptr::drop_in_place<T>"),
        ("core[8787f43e282added]::fmt::write", "core::fmt::write"),
        (
            "<crane[0b1]::Yard as core[8787f43e282added]::fmt::Debug>::fmt",
            "<crane::Yard as core::fmt::Debug>::fmt",
        ),
        ("crane::run::closure$0::closure$12", "crane::run::{{closure}}::{{closure}}"),
        ("static void crane::run::async_fn$0(core::task::Context*)", "crane::run::{{closure}}"),
        (
            "core::fmt::num::_$LT$impl$u20$core..fmt..Debug$u20$for$u20$u32$GT$::fmt::h00aa17fe93bd4c2e",
            "core::fmt::num::<impl core::fmt::Debug for u32>::fmt",
        ),
        ("crane::run::_$u7b$$u7b$closure$u7d$$u7d$::h00aa17fe93bd4c2e", "crane::run::{{closure}}"),
        ("_$LT$alloc..vec..Vec$LT$T$GT$$GT$::push::h00aa17fe93bd4c2e", "alloc::vec::Vec<T>::push"),
        ("_$LT$$RF$T$u20$as$u20$crane..Move$GT$::lift", "<&T as crane::Move>::lift"),
        # An escape cannot hide a control character or another escape.
        ("crane::a$u1b$$u202e$b$LT$u8$GT$", "crane::ab<T>"),
        ("crane::a$u24$LT$", "crane::a$u24$LT$"),
        ("crane::yard::unload::h3fa9c1d20b7e645", "crane::yard::unload::h3fa9c1d20b7e645"),
    ],
)
def test_names_of_rust_have_their_normal_form(function, normalized):
    check(function, normalized)


def test_operators_are_not_read_in_rust_files():
    frame = {"function": "crane::operator(int)::f", "file": "git:a:src/yard.rs:1", "line": 1}
    assert normalize_frame(frame) == "crane::operator::f"


@pytest.mark.parametrize(
    ("function", "normalized"),
    [
        ("closure #2 () -> () in closure #1 (Swift.Int) -> () in Orchard.f() -> ()", "closure in closure in Orchard.f"),
        (
            "closure #1 @Sendable () async -> () in Orchard.(f in _2A9D4E61C07F3B58E1D6A40C9B7F2385)() -> ()",
            "closure in Orchard.f",
        ),
        (
            "implicit closure #1 () throws -> Swift.Bool in Orchard.f(a: Swift.Int) throws -> ()",
            "implicit closure in Orchard.f",
        ),
        ("partial apply forwarder for closure #1 () -> () in Orchard.f() -> ()", "closure in Orchard.f"),
        (
            "(1) await resume partial function for closure #1 () async -> () in Orchard.f() async -> ()",
            "closure in Orchard.f",
        ),
        ("(2) suspend resume partial function for Orchard.f() async throws -> ()", "Orchard.f"),
        ("dispatch thunk of Orchard.Growing.grow(by: Swift.Int) -> ()", "Orchard.Growing.grow"),
        ("merged @objc static Orchard.Tree.grow() -> ()", "Orchard.Tree.grow"),
        ("merged generic specialization <Swift.Int> of Swift.Array.append(__owned A) -> ()", "Swift.Array.append"),
        (
            "function signature specialization <Arg[0] = [Closure Propagated : closure #1 () -> () in Orchard.f() -> ()"
            ", Argument Types : [Swift.Int]> of Orchard.g(_: () -> ()) -> ()",
            "Orchard.g",
        ),
        (
            "protocol witness for Orchard.Growing.grow(by: Swift.Int) -> () in conformance "
            "<A> Orchard.Tree<A> : Orchard.Growing in Orchard",
            "protocol witness for Orchard.Growing.grow in conformance Orchard.Tree<T> : Orchard.Growing",
        ),
        ("Orchard.TreeView.height.getter : Swift.Double", "Orchard.TreeView.height.getter"),
        ("static Orchard.Store.shared.modify : Orchard.Store", "Orchard.Store.shared.modify"),
        ("Orchard.Tree.subscript.getter : (Swift.Int) -> Orchard.Branch", "Orchard.Tree.subscript.getter"),
        ("Orchard.Tree.__allocating_init(height: Swift.Int) -> Orchard.Tree", "Orchard.Tree.__allocating_init"),
        ("Orchard.Tree.__deallocating_deinit", "Orchard.Tree.__deallocating_deinit"),
        ("static Swift.Int.< infix(Swift.Int, Swift.Int) -> Swift.Bool", "Swift.Int.< infix"),
        ("inner #1 (Swift.Int) -> () in Orchard.Tree.prune() -> ()", "inner in Orchard.Tree.prune"),
        (
            "(extension in Orchard):Swift.Array< where A: Orchard.Growing>.pruned() -> ()",
            "(extension in Orchard):Swift.Array<T>.pruned",
        ),
        ("default argument 0 of Orchard.f(a: Swift.Int) -> ()", "default argument 0 of Orchard.f"),
        ('Orchard.f() -> () with unmangled suffix ".cold.1"', "Orchard.f"),
        ("$s7Orchard4TreeV4growyyF", "$s7Orchard4TreeV4growyyF"),
    ],
)
def test_names_of_swift_have_their_normal_form(function, normalized):
    check(function, normalized)


def test_a_swift_thunk_without_a_function_stays_whole():
    name = "reabstraction thunk helper from @escaping @callee_guaranteed () -> () to @escaping () -> (@out ())"
    check(name, name)
    check(f"partial apply forwarder for {name}", name)


@pytest.mark.parametrize(
    ("function", "normalized"),
    [
        ("-[OrchardTree(Private) prune:at:]", "-[OrchardTree(Private) prune:at:]"),
        ("-[OrchardTree prune].cold.1", "-[OrchardTree prune]"),
        ("-[OrchardTree prune]::$_0::operator()(int) const", "-[OrchardTree prune]::{lambda}::operator()"),
        ("__51+[OrchardTree(Private) make]_block_invoke.523", "__51+[OrchardTree(Private) make]_block_invoke"),
        ("__orchard_prune_block_invoke_2.14.cold.1", "__orchard_prune_block_invoke"),
        ("___ZN4acme4Shop5closeEi_block_invoke_2", "___ZN4acme4Shop5closeEi_block_invoke"),
        (
            "invocation function for block in -[OrchardTree prune:]",
            "invocation function for block in -[OrchardTree prune:]",
        ),
        ("kfun:org.orchard.TreeModel#grow(kotlin.Int){}kotlin.Boolean", "kfun:org.orchard.TreeModel#grow"),
        ("kfun:org.orchard.TreeModel#<get-height>(){}kotlin.Int", "kfun:org.orchard.TreeModel#<get-height>"),
        ("kfun:org.orchard.prune#internal", "kfun:org.orchard.prune#internal"),
        ("kfun:org.orchard#prune(kotlin.Int){}#internal", "kfun:org.orchard#prune#internal"),
        (
            "kfun:kotlin.collections#each__at__kotlin.Iterable<0:0>(kotlin.Function1<0:0,kotlin.Unit>){0§<kotlin.Any?>}",
            "kfun:kotlin.collections#each__at__kotlin.Iterable<T>",
        ),
        ("main.(*List[go.shape.int]).Push", "main.(*List[...]).Push"),
        ("main.Map[go.shape.[]int,go.shape.struct { X int }].Get.func1.2", "main.Map[...].Get.func1.2"),
        ("harbor.org/crane/yard.(*Gate).Close-fm", "harbor.org/crane/yard.(*Gate).Close-fm"),
        ("main.init.0", "main.init.0"),
    ],
)
def test_names_of_objective_c_kotlin_and_go_have_their_normal_form(function, normalized):
    check(function, normalized)


@pytest.mark.parametrize(
    ("function", "normalized"),
    [
        ("foo.constprop.0.isra.0.cold.12@plt", "foo"),
        ("foo.llvm.4410288471106224213.cold", "foo"),
        ("foo.lto_priv.0.lto_priv.3", "foo"),
        ("foo.part.0", "foo"),
        ("acme::f(int) (.llvm.441) [.cold.1] [clone .part.0]", "acme::f"),
        ("acme::f(int) [clone .resume]", "acme::f"),
        ("acme::f.resume", "acme::f"),
        ("__cxx_global_var_init.12", "__cxx_global_var_init"),
        ("_ZN5crane4yard6unload17h3fa9c1d20b7e6458E.llvm.12", "_ZN5crane4yard6unload17h3fa9c1d20b7e6458E"),
        ("_RNvCs1234_5crane4lift.cold", "_RNvCs1234_5crane4lift"),
        ("crane::f::h3fa9c1d20b7e6458.llvm.77", "crane::f"),
        # Names that only look like them.
        ("yard.Gate.resume", "yard.Gate.resume"),
        ("yard.Gate.part", "yard.Gate.part"),
        ("memcpy@@GLIBC_2.14", "memcpy@@GLIBC_2.14"),
        (".cold", ".cold"),
        ("acme_cold", "acme_cold"),
    ],
)
def test_suffixes_of_copies_are_removed(function, normalized):
    check(function, normalized)
