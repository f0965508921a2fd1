// What must hold, or the program is better ended.

#pragma once

#include <atomic>

// What the failed check says; null as long as none has failed. The crash guard reads it.
extern "C" std::atomic<const char*> lightbox_abort_message;

namespace lightbox {

[[noreturn]] void check_failed(const char* message);

inline void check(bool holds, const char* message) {
  if (!holds) {
    check_failed(message);
  }
}

}  // namespace lightbox
