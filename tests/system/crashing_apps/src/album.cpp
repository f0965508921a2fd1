// Crashes in the way that it is asked for: `album null|abort|exception|overflow|thread FILE`, with its minidump in the
// file; `wait` waits for a signal, `children` ends well if it has no child.

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "crash_guard.h"

namespace album {

struct Photo {
    int width;
};

struct Album {
    int width_of(const Photo *photo) {
        return photo->width; // null
    }

    int give_up() {
        std::abort(); // abort
    }

    int photo_at(int place) {
        throw std::out_of_range("no photo " + std::to_string(place)); // exception
    }

    int widths_from(int place) {
        volatile int room[256] = {place};
        return room[0] + widths_from(place + 1); // overflow
    }
};

} // namespace album

int main(int, char **arguments) {
    const std::string kind = arguments[1];
    std::printf("%s:", arguments[1]); // not flushed
    if (crash_guard_attach(arguments[2]) != 0)
        return 1;
    album::Album album;
    if (kind == "null")
        return album.width_of(nullptr);
    if (kind == "abort")
        return album.give_up();
    if (kind == "exception")
        return album.photo_at(7);
    if (kind == "thread")
        std::thread([&] { album.widths_from(0); }).join();
    if (kind == "children")
        return wait(nullptr) == -1 ? 0 : 1;
    if (kind == "wait") {
        std::puts("waits");
        std::fflush(stdout);
        pause();
    }
    return album.widths_from(0);
}
