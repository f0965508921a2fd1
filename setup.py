"""The package and what it needs. Versions are locked in requirements.txt (`make lock`)."""

from setuptools import find_packages, setup

setup(
    packages=find_packages(include=["socorro_processor", "socorro_processor.*"]),
)
