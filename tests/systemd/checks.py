"""Checks of the units under a systemd that is the first process of a machine: a virtual one, in which root runs this.

Needs no package. Writes a line for each check to ``RESULTS``: ``ok NAME: figures``, or ``bad NAME: what``.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import sys
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.systemd.guest import (
    CHECKOUT,
    CONFIGURATION,
    ENVIRONMENT,
    PROCESSOR,
    SOCORRO,
    STATE,
    WITHIN,
    Bad,
    as_socorro,
    back_again,
    died_and_restarted,
    expect,
    is_ready,
    journal,
    load,
    main_pid,
    must,
    now,
    number_of_restarts,
    one_line,
    process,
    processed_crash,
    processes_of,
    readiness,
    run,
    show,
    submit,
    version_of,
    wait,
)

HERE = Path("/opt/checks")
RESULTS = HERE / "results"
JOURNAL = HERE / "journal"
CHOSEN = HERE / "chosen"
"""Names of the checks to run, a line each."""
PRODUCTION = HERE / "production.env"
"""How services on the host are reached: what ``bin/services env`` says, as an environment file."""
BUBBLEWRAPPED = HERE / "sandbox.ini"
ENVCONSUL = """\
#!/bin/sh
# In the place of envconsul, which is no package of Debian: keys become environment variables of a child.
test "$1 $2 $3 $4" = "-prefix socorro/common -prefix socorro/processor" || exit 2
shift 4
env logging.level=INFO logging.format=json "$@" &
trap 'kill -TERM $!' TERM INT
wait $!
"""

NEWER = Path("/opt/newer")
"""A wheel of the same package with a higher version."""
DROP_INS = Path("/etc/systemd/system/socorro-processor.service.d")
SYMBOL_CACHE = "socorro-symbol-cache.service"
SIGNATURE = "lightbox::exif::Directory::find"
"""The signature of the sample `segfault`, with its symbols."""
THREADS = 4
JOBS = (
    "reference-data",
    "partitions",
    "elasticsearch-cleanup",
    "missing-symbols",
    "filesystem-cleanup",
    "verify-processed",
    "late-symbols",
    "reprocessing-jobs",
)


def main() -> int:
    chosen = CHOSEN.read_text().split()
    try:
        with RESULTS.open("w") as results:
            for name in chosen:
                print(f"check: {name}", flush=True)
                print(result(name), file=results, flush=True)
                os.fsync(results.fileno())
    finally:
        JOURNAL.write_bytes(run("journalctl", "--boot", "--output=short-monotonic", "--no-pager").stdout.encode())
        os.sync()
    return 0


def result(name: str) -> str:
    try:
        figures = CHECKS[name]()
    except Bad as bad:
        return f"bad {name}: {one_line(str(bad))}"
    except Exception:
        return f"bad {name}: {one_line(traceback.format_exc())}"
    return f"ok {name}" + (f": {figures}" if figures else "")


# The checks, in their order.


def installation() -> None:
    """Follow docs/systemd.rst, with the configuration that needs no service."""
    must("make", "--directory", str(CHECKOUT), "install-systemd")
    must("systemd-sysusers")
    must("systemctl", "daemon-reload")
    CONFIGURATION.parent.mkdir(exist_ok=True)
    text = (CHECKOUT / "config" / "processor.ini").read_text()
    CONFIGURATION.write_text(re.sub(r"(?m)^    port = 0$", "    port = 8000", text))
    ENVIRONMENT.touch(0o600)
    ENVIRONMENT.write_text(
        "SOCORRO__PROCESSOR__RAW_TO_PROCESSED_TRANSFORM__BREAKPADSTACKWALKERRULE2015__SYMBOLS_PATH="
        f"{CHECKOUT}/samples/symbols\n"
    )
    if f"ExecStart={SOCORRO} processor" not in run("systemctl", "cat", PROCESSOR).stdout:
        raise Bad(f"{PROCESSOR} does not start {SOCORRO}")


def start() -> str:
    """``systemctl start`` returns once the processor has sent READY=1, and not before."""
    began = time.monotonic()
    must("systemctl", "start", PROCESSOR)
    took = time.monotonic() - began
    expect(show(PROCESSOR, "Type", "NotifyAccess", "SubState"), ["notify", "main", "running"], "after the start")
    lines = journal(PROCESSOR)
    if "the processor runs, pid" not in lines:
        raise Bad(f"it is active, and has not said that it runs: {lines}")
    return f"active after {took:.0f} s"


def fresh_installation_is_ready() -> str:
    """Nobody has submitted a crash, and only the directory that systemd has made exists."""
    wait("a status", lambda: show(PROCESSOR, "StatusText")[0])
    (status,) = show(PROCESSOR, "StatusText")
    if not status.startswith("ready"):
        raise Bad(f"the status is {status!r}")
    code, body = readiness()
    if code != 200:
        raise Bad(f"/readyz answers {code}: {body}")
    return status


def notify_watchdog() -> str:
    """The processor reports that it is alive, in time, repeatedly."""

    def heard() -> float:
        return int(show(PROCESSOR, "WatchdogTimestampMonotonic")[0]) / 1e6

    times = [heard()]
    for _ in range(2):
        wait("another word to the watchdog", lambda: heard() != times[-1], 120)
        times.append(heard())
    longest = max(after - before for before, after in itertools.pairwise(times))
    return f"at most {longest:.0f} s between two words, of 120 s"


def hardening() -> str:
    """Check that the unit's settings are in force in the process."""
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{main_pid()}/status").read_text().splitlines() if ":\t" in line
    )
    expect(
        [status["Uid"].split()[0] != "0", status["CapEff"].strip("0"), status["NoNewPrivs"], status["Seccomp"]],
        [True, "", "1", "2"],
        "user, capabilities, NoNewPrivileges and seccomp",
    )
    limit = Path(f"/proc/{main_pid()}/limits").read_text()
    if not re.search(r"^Max core file size +0 ", limit, re.MULTILINE):
        raise Bad("core dumps are not off")
    analyzed = run("systemd-analyze", "security", "--no-pager", PROCESSOR).stdout
    exposure = re.search(r"exposure level for \S+: ([0-9.]+)", analyzed)
    if exposure is None:
        raise Bad(f"systemd-analyze security says no level: {analyzed}")
    return f"exposure {exposure[1]} of 10"


def crash_walked_under_the_hardening() -> str:
    began = time.monotonic()
    processed = process("segfault")
    signature = str(processed["signature"])
    if signature != SIGNATURE or not processed["success"]:
        raise Bad(f"success {processed['success']}, signature {signature!r}, notes {processed.get('processor_notes')}")
    wait("its count in the status", lambda: "1 saved" in show(PROCESSOR, "StatusText")[0])
    return f"{signature}, {time.monotonic() - began:.0f} s after it was submitted"


def reload() -> str:
    """A changed signature list is in force, in the same process."""
    pid = main_pid()
    (lists,) = CHECKOUT.glob(".venv/lib/python3*/site-packages/socorro_processor/siglists/2026/prefix_signature_re.txt")
    with lists.open("a") as file:
        file.write("\nlightbox::exif::Directory::find\n")
    since = now()
    began = time.monotonic()
    must("systemctl", "reload", PROCESSOR)
    took = time.monotonic() - began
    wait("the word that lists were read", lambda: "were read again" in journal(PROCESSOR, since))
    wait("active after the reload", lambda: show(PROCESSOR, "ActiveState", "SubState") == ["active", "running"])
    signature = str(process("segfault")["signature"])
    if not signature.startswith(f"{SIGNATURE} | "):
        raise Bad(f"the signature is {signature!r} after the reload")
    expect(main_pid(), pid, "the main process")
    return f"{took:.1f} s, then {signature}"


def restart_after_sigsegv() -> str:
    return died_and_restarted("SEGV", "status=11/SEGV", "Segmentation fault")


def watchdog_ends_a_frozen_process() -> str:
    """Frozen with SIGSTOP; the log has the stacks of all threads."""
    pid = main_pid()
    began = time.monotonic()
    since = now()
    restarts = number_of_restarts()
    must("/bin/sh", "-c", f"kill -STOP {pid}")
    wait("the end by the watchdog", lambda: "Watchdog timeout" in journal(PROCESSOR, since), 240)
    ended = time.monotonic() - began
    back_again(pid, restarts)
    lines = journal(PROCESSOR, since)
    stacks = len(re.findall(r"hread 0x[0-9a-f]+.* \(most recent call first\)", lines))
    if "status=6/ABRT" not in lines or "Fatal Python error: Aborted" not in lines or stacks < THREADS + 1:
        raise Bad(f"{stacks} stacks, of {THREADS} threads and the main one, in {lines}")
    ready = time.monotonic() - began
    return f"ended after {ended:.0f} s, stacks of {stacks} threads, ready {ready:.0f} s after the freeze"


def job(name: str) -> Callable[[], str]:
    def check() -> str:
        unit = f"socorro-cron@{name}.service"
        since = now()
        done = run("systemctl", "start", unit)
        said = [line for line in journal(unit, since).splitlines() if line]
        if done.returncode or show(unit, "Result", "ExecMainStatus") != ["success", "0"]:
            raise Bad(f"{show(unit, 'Result', 'ExecMainStatus')}: {' / '.join(said)}")
        own = [
            line for line in said if not re.match(r"(Starting|Finished|Consumed|.*: (Consumed|Deactivated)) ?", line)
        ]
        if not own:
            raise Bad("it says nothing")
        return own[-1]

    return check


def job_status() -> str:
    """Check that each job has run and succeeded."""
    done = as_socorro("cron", "status", "--json")
    jobs = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode or not jobs:
        raise Bad(f"exit code {done.returncode}: {done.stdout}{done.stderr}")
    return f"{len(jobs)} jobs"


def timers() -> str:
    """All can be enabled; the one that is due first starts its job."""
    must("systemctl", "enable", "--now", *(f"socorro-cron@{name}.timer" for name in JOBS))
    for name in JOBS:
        (following,) = show(f"socorro-cron@{name}.timer", "NextElapseUSecRealtime")
        if not following:
            raise Bad(f"the timer of {name} will never come due")
    return f"{len(JOBS)} enabled"


def timer_comes_due() -> str:
    """Every five minutes, half a minute later at most."""
    timer, service = "socorro-cron@reprocessing-jobs.timer", "socorro-cron@reprocessing-jobs.service"
    began = time.monotonic()
    wait("the timer", lambda: show(timer, "LastTriggerUSec")[0], 6 * 60 + WITHIN)
    wait("the job's end", lambda: show(service, "ActiveState")[0] == "inactive")
    expect(show(service, "Result", "ExecMainStatus"), ["success", "0"], "the job's end")
    (triggered,) = show(timer, "LastTriggerUSec")
    must("systemctl", "disable", "--now", *(f"socorro-cron@{name}.timer" for name in JOBS))
    return f"started at {triggered}, {time.monotonic() - began:.0f} s waited"


def full_disk() -> str:
    """A crash that meets a full disk waits for room. A processor that is started on one is restarted until it runs."""
    wait("ready", is_ready)
    pid, restarts = main_pid(), number_of_restarts()
    # Nobody can submit to a full disk, so the processor must not see the crash before the disk is full.
    must("/bin/sh", "-c", f"kill -STOP {pid}")
    crash_id = submit("abort")
    filler = Path("/var/filler")
    room = os.statvfs("/")
    must("fallocate", "--length", str(room.f_bavail * room.f_frsize), str(filler))
    try:
        refused = run("runuser", "-u", "socorro", "--", "dd", "if=/dev/zero", f"of={STATE}/more", "bs=1M", "count=1")
        if "No space left" not in refused.stderr:
            raise Bad(f"the disk is not full: {refused.stderr}")
        must("/bin/sh", "-c", f"kill -CONT {pid}")
        wait("a status that it is not ready", lambda: show(PROCESSOR, "StatusText")[0].startswith("not ready"))
        (status,) = show(PROCESSOR, "StatusText")
        expect([main_pid(), number_of_restarts()], [pid, restarts], "main process and restarts")
        run("systemctl", "restart", "--no-block", PROCESSOR)
        wait("another process", lambda: main_pid() not in (0, pid))
        if processed_crash(crash_id).exists():
            raise Bad("a crash was saved on a full disk")
    finally:
        (STATE / "more").unlink(missing_ok=True)
        filler.unlink()
    began = time.monotonic()
    wait("the crash", processed_crash(crash_id).exists)
    wait("ready", is_ready)
    return f"{status!r}; saved {time.monotonic() - began:.0f} s after there was room"


def upgrade_while_it_runs() -> str:
    """The old processor goes on after the new version is installed; a restart starts the new version."""
    wait("ready", is_ready)
    pid, restarts = main_pid(), number_of_restarts()
    before = version_of(process("abort"))
    must(str(SOCORRO.with_name("pip")), "install", "--quiet", "--no-index", "--no-deps", *map(str, NEWER.glob("*.whl")))
    expect(version_of(process("segfault")), before, "the version that processes after the installation")
    expect([main_pid(), number_of_restarts()], [pid, restarts], "main process and restarts")
    crash_id = submit("segfault")
    began = time.monotonic()
    must("systemctl", "restart", PROCESSOR)
    took = time.monotonic() - began
    wait("the crash of the moment of the restart", processed_crash(crash_id).exists)
    after = version_of(process("abort"))
    if after == before:
        raise Bad(f"after the restart it is still {after}")
    return f"{before}, then {after}; the restart took {took:.0f} s"


def drop_in_sandbox() -> str:
    """The bubblewrap sandbox of docs/security.rst needs more rights than the unit has; the drop-in grants them."""
    DROP_INS.mkdir(exist_ok=True)
    drop_in = DROP_INS / "50-sandbox.conf"
    plain = CONFIGURATION.read_text()
    CONFIGURATION.write_text(plain.replace("[[[BreakpadStackwalkerRule2015]]]", BUBBLEWRAPPED.read_text(), 1))
    try:
        # Without the drop-in no walk is possible; otherwise the check would prove nothing.
        since = now()
        must("systemctl", "restart", PROCESSOR)
        crash_id = submit("segfault")
        wait(
            "a word of the sandbox",
            lambda: re.search("sandbox|bwrap", journal(PROCESSOR, since)) or processed_crash(crash_id).exists(),
        )
        if processed_crash(crash_id).exists():
            raise Bad(f"without the drop-in: {load(crash_id).get('processor_notes')}")
        shutil.copy(CHECKOUT / "config" / "systemd" / "examples" / "sandbox.conf", drop_in)
        must("systemctl", "daemon-reload")
        must("systemctl", "restart", PROCESSOR)
        since = now()
        again = submit("segfault")
        wait(
            "a walk, or a word of the sandbox",
            lambda: processed_crash(again).exists() or re.search("sandbox|bwrap", journal(PROCESSOR, since)),
        )
        if not processed_crash(again).exists():
            raise Bad(f"with the drop-in: {journal(PROCESSOR, since)}")
        processed = load(again)
        if not processed["success"]:
            raise Bad(f"notes {processed['processor_notes']}")
        wait("the crash from before the drop-in", processed_crash(crash_id).exists)
    finally:
        CONFIGURATION.write_text(plain)
        drop_in.unlink(missing_ok=True)
        run("systemctl", "daemon-reload")
        run("systemctl", "restart", PROCESSOR)
    return f"{processed['signature']}; without the drop-in the crash waits"


def drop_in_envconsul() -> str:
    """The processor is a child of what systemd starts, and yet the process that is reloaded, watched and stopped."""
    program = Path("/usr/local/bin/envconsul")
    program.write_text(ENVCONSUL)
    program.chmod(0o755)
    DROP_INS.mkdir(exist_ok=True)
    drop_in = DROP_INS / "50-envconsul.conf"
    example = (CHECKOUT / "config" / "systemd" / "examples" / "envconsul.conf").read_text()
    drop_in.write_text(example.replace("@SOCORRO@", str(SOCORRO)))
    try:
        must("systemctl", "daemon-reload")
        since = now()
        must("systemctl", "restart", PROCESSOR)
        pid = main_pid()
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if str(SOCORRO).encode() not in arguments or b"-prefix" in arguments:
            raise Bad(f"the main process is {arguments}")
        wait("ready", is_ready)
        process("segfault")
        wait(
            "a log in JSON, as the variables have it",
            lambda: re.search(r'(?m)^\{.*"crash_id"', journal(PROCESSOR, since)),
        )
        must("systemctl", "reload", PROCESSOR)
        wait("the word that lists were read", lambda: "were read again" in journal(PROCESSOR, since))
        expect(main_pid(), pid, "the main process")
        died_and_restarted("SEGV", "", "Segmentation fault")
        said = stop()
    finally:
        drop_in.unlink()
        run("systemctl", "daemon-reload")
        run("systemctl", "restart", PROCESSOR)
    return f"started, reloaded, restarted after SIGSEGV, stopped in {said}"


def symbol_cache() -> str:
    """The manager as a service of its own, with the priority that its unit lets it take."""
    drop_in = Path("/etc/systemd/system", f"{SYMBOL_CACHE}.d", "50-cache.conf")
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text(
        f"[Service]\nEnvironment=SOCORRO__RESOURCE__SYMBOLS__SYMBOL_CACHE_PATH={STATE}/symbol-cache\n"
        "Environment=SOCORRO__RESOURCE__SYMBOLS__SYMBOL_CACHE_SIZE=1G\n"
    )
    must("systemctl", "daemon-reload")
    must("systemctl", "start", SYMBOL_CACHE)
    try:
        # proc(5): the 19th field of stat is the niceness; the name before it may have blanks.
        stat = Path(f"/proc/{show(SYMBOL_CACHE, 'MainPID')[0]}/stat").read_text()
        expect(stat.rpartition(")")[2].split()[16], "-10", "its niceness")
        with urllib.request.urlopen("http://127.0.0.1:8001/readyz", timeout=60) as answer:
            expect(answer.status, 200, "what /readyz answers")
    finally:
        stopped = run("systemctl", "stop", SYMBOL_CACHE)
    expect([stopped.returncode, *show(SYMBOL_CACHE, "Result", "ExecMainStatus")], [0, "success", "0"], "after the stop")
    return "ready with niceness -10"


def stop() -> str:
    began = time.monotonic()
    since = now()
    must("systemctl", "stop", PROCESSOR)
    took = time.monotonic() - began
    expect(show(PROCESSOR, "Result", "ExecMainStatus", "ActiveState"), ["success", "0", "inactive"], "after the stop")
    if "the processor has ended" not in journal(PROCESSOR, since):
        raise Bad("it has not said that it ended")
    if left := processes_of("socorro"):
        raise Bad(f"processes that stayed: {left}")
    return f"{took:.1f} s"


def production() -> str:
    """Production's configuration, with services that are on the host."""
    shutil.copy(CHECKOUT / "config" / "processor-production.ini", CONFIGURATION)
    with ENVIRONMENT.open("a") as file:
        file.write(PRODUCTION.read_text())
    set_up = as_socorro("setup")
    if set_up.returncode:
        raise Bad(f"socorro setup: {set_up.stdout}{set_up.stderr}")
    must("systemctl", "restart", PROCESSOR)
    wait("ready", is_ready)
    crash_id = submit("segfault")
    began = time.monotonic()
    wait("it in the log", lambda: re.search(f"{crash_id}.*saved|saved.*{crash_id}", journal(PROCESSOR)))
    took = time.monotonic() - began
    shown = as_socorro("show", crash_id)
    if shown.returncode or SIGNATURE not in shown.stdout:
        raise Bad(f"socorro show: {shown.stdout}{shown.stderr}")
    doctor = as_socorro("doctor")
    if doctor.returncode:
        raise Bad(f"socorro doctor: {doctor.stdout}{doctor.stderr}")
    must("systemctl", "stop", PROCESSOR)
    expect(show(PROCESSOR, "Result", "ExecMainStatus"), ["success", "0"], "after the stop")
    return f"saved {took:.0f} s after it was submitted; shown; doctor content"


CHECKS: dict[str, Callable[[], str | None]] = {
    "installation": installation,
    "start": start,
    "fresh-installation-is-ready": fresh_installation_is_ready,
    "hardening": hardening,
    "crash-walked-under-the-hardening": crash_walked_under_the_hardening,
    "timers": timers,
    "reload": reload,
    "restart-after-sigsegv": restart_after_sigsegv,
    "watchdog-ends-a-frozen-process": watchdog_ends_a_frozen_process,
    **{f"job-{name}": job(name) for name in JOBS},
    "job-status": job_status,
    "notify-watchdog": notify_watchdog,
    "timer-comes-due": timer_comes_due,
    "full-disk": full_disk,
    "upgrade-while-it-runs": upgrade_while_it_runs,
    "drop-in-sandbox": drop_in_sandbox,
    "drop-in-envconsul": drop_in_envconsul,
    "symbol-cache": symbol_cache,
    "stop": stop,
    "production": production,
}
ALWAYS = ("installation", "start")
"""Checks that all others need."""


if __name__ == "__main__":
    sys.exit(main())
