/* A program that crashes and has a Crashpad handler report it:
 *
 *     crash HANDLER [ARGUMENT...]
 *
 * The handler is started by the signal handler, and traces this process. The address that it gets is that of an
 * ExceptionInformation (util/linux/exception_information.h of Crashpad).
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#pragma pack(push, 1)
static struct {
    uint64_t siginfo_address;
    uint64_t context_address;
    int32_t thread_id;
} exception;
#pragma pack(pop)

static char trace[64];
static char **handler_arguments;

static void on_crash(int number, siginfo_t *information, void *context) {
    exception.siginfo_address = (uint64_t)information;
    exception.context_address = (uint64_t)context;
    exception.thread_id = (int32_t)syscall(SYS_gettid);
    /* The handler traces its parent, which has to wait for it. */
    pid_t handler = fork();
    if (handler == 0) {
        execv(handler_arguments[0], handler_arguments);
        _exit(127);
    }
    prctl(PR_SET_PTRACER, handler, 0, 0, 0);
    int status = 0;
    waitpid(handler, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 126);
    (void)number;
}

static void crash_here(volatile int *address) { *address = 42; }

int main(int count, char **arguments) {
    if (count < 2)
        return 2;
    snprintf(trace, sizeof trace, "--trace-parent-with-exception=%#lx", (unsigned long)&exception);
    handler_arguments = calloc((size_t)count + 1, sizeof *handler_arguments);
    for (int i = 1; i < count; i++)
        handler_arguments[i - 1] = arguments[i];
    handler_arguments[count - 1] = trace;
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_crash;
    action.sa_flags = SA_SIGINFO | SA_RESETHAND;
    sigaction(SIGSEGV, &action, NULL);
    crash_here(NULL);
    return 0;
}
