/* Ends in the way that it is asked for: `skiff ENDING`. */

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct oar {
    int length;
};

static struct oar *volatile no_oar;

__attribute__((noinline)) static void paint(struct oar *oar) {
    oar->length = 3;
}

__attribute__((noinline)) static void give_up(void) {
    abort();
}

__attribute__((noinline)) static void check(const struct oar *oar) {
    assert(oar != NULL);
}

__attribute__((noinline)) static int compare(const void *one, const void *other) {
    /* The elements are pointers, and null. */
    return (*(struct oar *const *)one)->length - (*(struct oar *const *)other)->length;
}

__attribute__((noinline)) static void sort(struct oar **oars, size_t number) {
    qsort(oars, number, sizeof *oars, compare);
}

__attribute__((noinline)) static void break_oar(void) {
    char *volatile oar = malloc(40);
    free(oar);
    free(oar);
}

__attribute__((noinline)) static void grow(void) {
    char *volatile oar = malloc(40);
    char *volatile middle = oar + 8;
    oar = realloc(middle, 80);
}

__attribute__((noinline)) static void print_name(const char *name) {
    printf("%s has oars\n", name);
}

__attribute__((noinline)) static void *row(void *oar) {
    paint(oar);
    return NULL;
}

__attribute__((noinline)) static void row_together(void) {
    pthread_t rower;
    pthread_create(&rower, NULL, row, no_oar);
    pthread_join(rower, NULL);
}

__attribute__((noinline)) static void wait_for_wind(void) {
    puts("waits");
    fflush(stdout);
    for (;;)
        pause();
}

static void sink(int signal) {
    (void)signal;
    paint(no_oar);
}

__attribute__((noinline)) static void be_hit(void) {
    signal(SIGUSR1, sink);
    raise(SIGUSR1);
}

static void leave(void) {
    give_up();
}

int main(int number, char **arguments) {
    const char *ending = arguments[number - 1];
    struct oar *oars[4] = {no_oar, no_oar, no_oar, no_oar};
    if (!strcmp(ending, "null-write"))
        paint(no_oar);
    if (!strcmp(ending, "abort"))
        give_up();
    if (!strcmp(ending, "assert"))
        check(no_oar);
    if (!strcmp(ending, "callback"))
        sort(oars, 4);
    if (!strcmp(ending, "double-free"))
        break_oar();
    if (!strcmp(ending, "invalid-realloc"))
        grow();
    if (!strcmp(ending, "bad-string"))
        print_name((const char *)(size_t)number);
    if (!strcmp(ending, "thread"))
        row_together();
    if (!strcmp(ending, "hung"))
        wait_for_wind();
    if (!strcmp(ending, "signal-handler"))
        be_hit();
    if (!strcmp(ending, "exit-handler"))
        atexit(leave);
    if (!strcmp(ending, "quick-exit-handler")) {
        at_quick_exit(leave);
        quick_exit(0);
    }
    return 0;
}
