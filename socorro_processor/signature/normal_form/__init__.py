"""The normal form of a frame: its name in the signatures of today.

    acme::Cache<std::pair<int, acme::Key<char> >, 16>::put(acme::Key<char> const&) [clone .cold]
        ->  acme::Cache<T>::put

Equal functions have equal names in all builds and by all compilers, and different functions different ones. A name
is read by a small parser: tokens, one spelling for each thing that compilers count, then the grammar of the language.

Each step takes time in proportion to the length of the text, and a stack that does not grow with it.
"""

from socorro_processor.signature.normal_form.characters import one_line
from socorro_processor.signature.normal_form.frame import FILE_AND_LINE, explain_frame, normalize_frame, source_path
from socorro_processor.signature.normal_form.function import Step, normalize_function

__all__ = ["FILE_AND_LINE", "Step", "explain_frame", "normalize_frame", "normalize_function", "one_line", "source_path"]
