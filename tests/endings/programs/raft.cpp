// Ends as a sanitizer ends it: `raft ENDING`.

#include <climits>
#include <cstdlib>
#include <cstring>

namespace raft {

static volatile int seven = 7;

[[gnu::noinline]] int read_sold_log() {
    int *volatile log = new int[4];
    delete[] log;
    return log[1];
}

[[gnu::noinline]] void bind(int logs) {
    volatile int *raft = new int[4];
    raft[logs] = 1;
}

[[gnu::noinline]] void copy_logs(std::size_t size) {
    char raft[8];
    std::memset(raft, 0, size);
}

[[gnu::noinline]] void sell_twice() {
    int *volatile log = new int[4];
    delete[] log;
    delete[] log;
}

[[gnu::noinline]] int add_log(int logs) { return logs + INT_MAX; }

[[gnu::noinline]] int half(int logs) { return logs / (seven - 7); }

} // namespace raft

int main(int, char **arguments) {
    if (!std::strcmp(arguments[1], "use-after-free"))
        return raft::read_sold_log();
    if (!std::strcmp(arguments[1], "heap-overflow"))
        raft::bind(raft::seven);
    if (!std::strcmp(arguments[1], "stack-overflow-in-memset"))
        raft::copy_logs(static_cast<std::size_t>(raft::seven + 7));
    if (!std::strcmp(arguments[1], "double-delete"))
        raft::sell_twice();
    if (!std::strcmp(arguments[1], "signed-overflow"))
        return raft::add_log(raft::seven);
    if (!std::strcmp(arguments[1], "division"))
        return raft::half(raft::seven);
    return 0;
}
