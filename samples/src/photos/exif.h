// The EXIF data of a photo: a TIFF directory of tags.

#pragma once

#include <cstddef>
#include <cstdint>

namespace lightbox::exif {

struct File {
  const std::uint8_t* bytes;
  std::size_t size;
};

constexpr std::uint16_t kOrientation = 0x0112;

#pragma pack(push, 2)

// One tag, as it lies in the file.
struct Entry {
  std::uint16_t tag;
  std::uint16_t type;
  std::uint32_t count;
  std::uint32_t value;
};

// A count, then so many entries, as they lie in the file.
class Directory {
 public:
  // The photo's first directory; null where it has none.
  static const Directory* first(File file);

  // Null where the photo does not have this tag.
  const Entry* find(std::uint16_t tag) const {
    for (std::size_t i = 0; i < count_; ++i) {
      if (entries()[i].tag == tag) {
        return &entries()[i];
      }
    }
    return nullptr;
  }

 private:
  const Entry* entries() const { return reinterpret_cast<const Entry*>(this + 1); }

  std::uint16_t count_;
};

#pragma pack(pop)

enum class Orientation : std::uint32_t { kUpright = 1, kUpsideDown = 3 };

// The bug of the sample "segfault": some photos have no directory.
inline Orientation orientation_of(File photo) {
  const Directory* directory = Directory::first(photo);
  const Entry* entry = directory->find(kOrientation);
  return entry ? static_cast<Orientation>(entry->value) : Orientation::kUpright;
}

}  // namespace lightbox::exif
