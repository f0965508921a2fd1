#include "check.h"

#include <cstdlib>

std::atomic<const char*> lightbox_abort_message = nullptr;

void lightbox::check_failed(const char* message) {
  lightbox_abort_message = message;
  std::abort();
}
