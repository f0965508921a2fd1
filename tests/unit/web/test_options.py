"""The options of `socorro serve`: each is explained, read, and refused if it makes no sense."""

import re

import pytest

from socorro_processor.cli.all_options import all_options
from socorro_processor.cli.main import main
from socorro_processor.configuration import Configuration, Source
from tests.shared import REPOSITORY

OPTIONS = {
    key: option
    for key, option in Configuration(all_options(), []).options()
    if key.split(".")[0] in ("collector", "retention", "web")
}
PAGES = [
    (REPOSITORY / "docs" / f"{name}.rst").read_text()
    for name in ("serve", "access", "collector", "report-page", "fields")
]


@pytest.mark.parametrize("key", OPTIONS)
def test_each_option_has_a_doc_and_a_place_in_the_pages(key):
    assert len(OPTIONS[key].doc) > 10
    name = re.escape(key.partition(".")[2])
    assert any(re.search(rf"``({key.partition('.')[0]}\.|--web\.)?{name}\b", page) for page in PAGES)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("web.port=70000", "'70000' is not a whole number from 0 to 65535"),
        ("web.processor=maybe", "'maybe' is not true or false"),
        ("web.answer=json", "'json' is not what was expected: one of lines, id"),
        ("web.maximum_connections=0", "'0' is not a whole number from 1 to 100000"),
        ("web.maximum_header_size=much", "a size above 0 was expected"),
        ("web.header_time=0", "'0' is not a number of seconds, more than 0"),
        ("web.gap_time=-1", "'-1' is not a number of seconds, more than 0"),
        ("web.request_time=inf", "'inf' is not a number of seconds, more than 0"),
        ("web.keep_alive_time=x", "'x' is not a number of seconds, more than 0"),
        ("web.shutdown_time=0", "'0' is not a number of seconds, more than 0"),
        ("web.everyone=all of it", "'all of it' is not a permission: they are public, protected"),
        ("web.public_url=crashes.example.com", "an address without a path, such as https://crashes.example.com"),
        ("web.public_url=https://crashes.example.com/path", "an address without a path"),
        ("web.public_url=https://ada@crashes.example.com", "an address without a path"),
        ("web.public_url=https://crashes.example.com#x", "an address without a path"),
        ("web.token_file=", "the path of a file, such as socorro-data/tokens.json"),
        ("web.hosts=crashes:8000", "names of hosts without ports"),
        ("web.proxy_user_header=X-Remote-User:", "the name of a header, such as X-Remote-User"),
        ("web.proxy_permissions_header=X Groups", "the name of a header"),
        ("web.session_key=short", "at least 20 characters, such as those that `openssl rand -hex 32` prints"),
        ("web.proxy_networks=10.0.0.1/8", "networks, separated by commas, such as 127.0.0.1, 10.0.0.0/8"),
        ("web.collector_address=8001", "a host and a port, such as 0.0.0.0:8001"),
        ("web.prot=8000", "there is no option web.prot; did you mean web.port?"),
        ("collector.maximum_body=0", "a size above 0 was expected"),
        ("collector.maximum_files=0", "'0' is not a whole number of at least 1"),
        ("collector.throttle_rules=[1]", "an array of JSON objects"),
    ],
)
def test_nonsense_is_refused_with_words(option, words, capsys):
    assert main(["serve", f"--{option}"], {}) == 2
    assert words in capsys.readouterr().err


def test_the_other_commands_know_the_options_too(capsys):
    assert main(["list", "--web.port=8001", "--collector.reserve=1M", "--admin.print_conf=ini"], {}) == 0
    assert re.search(r"^\[web\](\n.*)*\n +port = 8001$", capsys.readouterr().out, re.MULTILINE)


def test_sizes_are_read_as_bytes():
    config = Configuration(all_options(), [Source({"web.maximum_header_size": "16k"})]).values
    assert (config.web.maximum_header_size, config.collector.maximum_body) == (16384, 256 << 20)
