// Crashes in the way that it is asked for: `album null|abort|exception|overflow FILE`, with its minidump in the file.

#include <cstdlib>
#include <stdexcept>
#include <string>

extern "C" void crash_guard_attach(const char *path);

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
    crash_guard_attach(arguments[2]);
    album::Album album;
    if (kind == "null")
        return album.width_of(nullptr);
    if (kind == "abort")
        return album.give_up();
    if (kind == "exception")
        return album.photo_at(7);
    return album.widths_from(0);
}
