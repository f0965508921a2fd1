#include "exif.h"

#include <cstring>

namespace lightbox::exif {

namespace {

struct Header {
  char byte_order[2];
  std::uint16_t magic;
  std::uint32_t first_directory;
};

}  // namespace

const Directory* Directory::first(File file) {
  if (file.size < sizeof(Header)) {
    return nullptr;
  }
  Header header;
  std::memcpy(&header, file.bytes, sizeof header);
  if (header.first_directory == 0 || header.first_directory + sizeof(Directory) > file.size) {
    return nullptr;
  }
  return reinterpret_cast<const Directory*>(file.bytes + header.first_directory);
}

}  // namespace lightbox::exif
