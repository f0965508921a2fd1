import subprocess
import sys

ATTACK = """
import ctypes, os, subprocess
from socorro_processor.machine.core_dumps import forbid_core_dumps

if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as after a start by this user
def peep():
    file = f"/proc/{os.getpid()}/environ"
    return subprocess.run(["/bin/cat", file], capture_output=True, text=True, env={}).stdout
assert "hunter2" in peep()
forbid_core_dumps()
print("SEEN" if "hunter2" in peep() else "nothing seen")
"""


def test_a_program_that_the_processor_starts_does_not_see_the_secrets_in_its_environment():
    attack = [sys.executable, "-c", ATTACK]
    done = subprocess.run(attack, env={"PASSWORD": "hunter2"}, capture_output=True, text=True, check=False)
    assert done.stdout == "nothing seen\n", done.stderr
