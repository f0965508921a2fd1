"""Values from an ini file, the environment and the command line, and the messages about wrong ones."""

import json
from pathlib import Path

import pytest

from socorro_processor.configuration import (
    Configuration,
    EnvironmentSource,
    Namespace,
    RequiredConfig,
    Source,
    as_help,
    as_ini,
    class_converter,
    classes_in_namespaces,
    defaults,
    read_ini,
    split_command_line,
)
from socorro_processor.errors import ConfigurationError, ProcessingEnvironmentError


class Store(RequiredConfig):
    required_config = Namespace()
    required_config.add_option("root", default="data", doc="the root", reference_value_from="resource.files")
    required_config.add_option("threads", default=4, doc="how many")
    required_config.add_option("ratio", default=0.5, doc="how much")
    required_config.add_option("fast", default=False, doc="whether")
    required_config.add_option("password", default="", doc="secret word", secret=True)


def definitions() -> Namespace:
    namespace = Namespace()
    for section in ("source", "destination"):
        namespace.namespace(section)
        namespace[section].add_option(
            "store_class", default=f"{__name__}.Store", doc="which store", from_string_converter=converter
        )
    namespace.namespace("plugins").add_option("path", default="", doc="own modules")
    return namespace


def converter(name: str) -> type:
    return Store if name.endswith(".Store") else class_converter(name)


def configuration(tmp_path: Path, ini: str = "", environ: dict[str, str] | None = None, *line: str) -> Configuration:
    file = tmp_path / "processor.ini"
    file.write_text(ini)
    return Configuration(definitions(), [read_ini(file), EnvironmentSource(environ or {}), split_command_line(line)[0]])


def test_the_command_line_wins_over_the_environment_which_wins_over_the_file(tmp_path):
    ini = "[source]\nroot = file\nthreads = 1\nratio = 0.1\n"
    environ = {"SOCORRO__SOURCE__THREADS": "2", "SOCORRO__SOURCE__RATIO": "0.2"}
    source = configuration(tmp_path, ini, environ, "--source.ratio=0.3").values.source
    assert (source.root, source.threads, source.ratio) == ("file", 2, 0.3)


def test_an_environment_name_with_dots_is_the_options_own_and_others_are_left_alone(tmp_path):
    environ = {"source.threads": "7", "someone.elses": "x", "PATH": "/bin"}
    assert configuration(tmp_path, "", environ).values.source.threads == 7


def test_a_shared_value_serves_all_that_refer_to_it_unless_one_says_otherwise(tmp_path):
    ini = "[resource]\n[[files]]\nroot = shared\n[destination]\nroot = own\n"
    values = configuration(tmp_path, ini).values
    assert (values.source.root, values.destination.root) == ("shared", "own")


def test_a_value_may_hold_commas_quotes_percent_signs_and_several_lines(tmp_path):
    ini = (
        """[source]\nroot = a, b %(c)s "d"  # a comment\n[destination]\nroot = '''\nx\ny'''\npassword = "in quotes"\n"""
    )
    values = configuration(tmp_path, ini).values
    assert values.source.root == 'a, b %(c)s "d"'
    assert values.destination.root == "\nx\ny"
    assert values.destination.password == "in quotes"


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    assert configuration(tmp_path, "\ufeff[source]\nthreads = 7\n").values.source.threads == 7


def test_a_file_may_include_another(tmp_path):
    (tmp_path / "common.ini").write_text("threads = 9\n")
    assert configuration(tmp_path, "[source]\n+include common.ini\n").values.source.threads == 9


def test_files_that_include_one_another_for_ever_are_an_error(tmp_path):
    with pytest.raises(ConfigurationError, match="include one another"):
        configuration(tmp_path, "+include processor.ini\n")


@pytest.mark.parametrize(
    ("ini", "expected"),
    [
        ("[source]\nthreads = many\n", "section [source], threads: 'many' is not a whole number"),
        ("[source]\nratio = much\n", "section [source], ratio: 'much' is not a number"),
        ("[source]\nfast = flase\n", "section [source], fast: 'flase' is not true or false"),
        (
            "[source]\nthread = 1\n",
            "section [source], thread: there is no option source.thread; did you mean source.threads?",
        ),
        ("[sauce]\nthreads = 1\n", "there is no option sauce.threads; did you mean source.threads?"),
        ("[resource]\n[[files]]\nrout = x\n", "did you mean resource.files.root?"),
        ("[source]\nstore_class = no.such.Class\n", "module no.such cannot be imported"),
        ("[source]\nstore_class = json.Nothing\n", "module json has no class Nothing"),
        ("[source]\nstore_class = socorro.external.hbase.HBase\n", "has no counterpart"),
        ("[source\n", "line 1"),
        ("[source]\nthreads = 1\nthreads = 2\n", "line 3"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_was_expected(tmp_path, ini, expected):
    with pytest.raises(ConfigurationError) as raised:
        configuration(tmp_path, ini)
    assert expected in str(raised.value)
    assert "processor.ini" in str(raised.value)


def test_all_mistakes_are_named_at_once(tmp_path):
    with pytest.raises(ConfigurationError) as raised:
        configuration(tmp_path, "[source]\nthreads = x\nratio = y\n")
    assert len(str(raised.value).splitlines()) == 2


def test_a_wrong_environment_variable_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"environment variable SOCORRO__SOURCE__THREAD:.*did you mean"):
        configuration(tmp_path, "", {"SOCORRO__SOURCE__THREAD": "1"})


def test_a_bad_secret_is_not_shown(tmp_path):
    class Secretive(RequiredConfig):
        required_config = Namespace()
        required_config.add_option("pin", default=0, doc="secret", secret=True)

    _, _ = split_command_line([])
    source, _ = split_command_line(["--x.pin=hunter2"])
    namespace = Namespace()
    namespace.namespace("x").update(Secretive.get_required_config())
    with pytest.raises(ConfigurationError) as raised:
        Configuration(namespace, [source])
    assert "hunter2" not in str(raised.value)


def test_shared_values_that_are_not_used_are_left_alone(tmp_path):
    configuration(tmp_path, "[resource]\n[[rabbitmq]]\nhost = x\n[secrets]\n[[rabbitmq]]\npassword = x\n")


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigurationError, match=r"cannot read .*absent\.ini: No such file"):
        read_ini(tmp_path / "absent.ini")


def test_a_file_that_is_not_text_is_a_clear_error(tmp_path):
    (tmp_path / "binary.ini").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        read_ini(tmp_path / "binary.ini")


def test_the_written_file_is_read_back_to_the_same_values(tmp_path):
    first = configuration(tmp_path, "[source]\nroot = 'a # b, c'\nthreads = 3\n[destination]\nroot = '''x\ny'''\n")
    second = configuration(tmp_path, as_ini(first))
    assert str(first.values) == str(second.values)


def test_secrets_are_masked_where_the_configuration_is_printed(tmp_path):
    printed = configuration(tmp_path, "[source]\npassword = hunter2\n")
    assert "hunter2" not in as_ini(printed) + as_help(printed, lambda section: True)
    assert "****" in as_ini(printed)


def test_help_lists_every_option_with_its_doc_and_value(tmp_path):
    text = as_help(configuration(tmp_path), "source")
    assert "--source.threads=4\n      how many" in text
    assert "destination" not in text


def test_the_command_line_is_split_into_options_and_the_commands_own_arguments():
    source, rest = split_command_line(["x.dmp", "--json", "--a.b=1", "--c.d", "2", "--", "--e.f=3"])
    assert dict(source) == {"a.b": "1", "c.d": "2"}
    assert rest == ["x.dmp", "--json", "--", "--e.f=3"]


def test_an_option_without_a_value_is_an_error():
    with pytest.raises(ConfigurationError, match=r"--a\.b needs a value"):
        split_command_line(["--a.b"])


def test_a_component_can_be_built_with_its_defaults():
    assert defaults(Store, threads=2).threads == 2
    assert defaults(Store).ratio == 0.5


def test_a_list_of_classes_gives_each_a_numbered_namespace_of_its_own():
    class Poly(RequiredConfig):
        required_config = Namespace()
        required_config.add_option(
            "classes", default="", doc="several", from_string_converter=classes_in_namespaces("storage%d", "cls")
        )

    name = f"{json.JSONDecoder.__module__}.JSONDecoder"
    values = defaults(Poly, classes=f"{name}, {name},")
    assert values.storage0.cls is values.storage1.cls is json.JSONDecoder
    assert values.classes.namespaces == ["storage0", "storage1"]


def test_a_class_of_2016_is_found_under_its_old_name():
    from socorro_processor.pipeline.rule_system import TransformRuleSystem

    assert class_converter("socorrolib.lib.transform_rules.TransformRuleSystem") is TransformRuleSystem


def test_the_operators_own_modules_are_found(tmp_path):
    (tmp_path / "own_stores_for_a_test.py").write_text("class Mine:\n    pass\n")
    line, _ = split_command_line([f"--plugins.path={tmp_path}", "--source.store_class=own_stores_for_a_test.Mine"])
    assert Configuration(definitions(), [line]).values.source.store_class.__name__ == "Mine"


def test_a_machine_without_memory_for_a_library_is_not_a_configuration_error(tmp_path):
    (tmp_path / "store_that_lacks_memory.py").write_text(
        "raise ImportError('backend.so: failed to map segment from shared object')\n"
    )
    ini = f"[plugins]\npath = {tmp_path}\n[source]\nstore_class = store_that_lacks_memory.Mine\n"
    with pytest.raises(
        ProcessingEnvironmentError, match="importing store_that_lacks_memory found no room for a library"
    ):
        configuration(tmp_path, ini)


def test_a_machine_without_descriptors_is_not_a_configuration_error(tmp_path):
    (tmp_path / "store_that_lacks_descriptors.py").write_text("raise OSError(24, 'Too many open files')\n")
    ini = f"[plugins]\npath = {tmp_path}\n[source]\nstore_class = store_that_lacks_descriptors.Mine\n"
    with pytest.raises(ProcessingEnvironmentError, match="section \\[source\\], store_class: Too many open files"):
        configuration(tmp_path, ini)


def test_a_directory_of_own_modules_that_does_not_exist_is_named_with_its_place(tmp_path):
    ini = f"[plugins]\npath = {tmp_path}/nowhere\n"
    with pytest.raises(
        ConfigurationError, match=r"processor.ini, section \[plugins\], path: there is no directory .*/nowhere$"
    ):
        configuration(tmp_path, ini)
    configuration(tmp_path, ini, None, f"--plugins.path={tmp_path}")


def test_values_of_a_mapping_need_no_text():
    assert Source({"a": 1})["a"] == 1
