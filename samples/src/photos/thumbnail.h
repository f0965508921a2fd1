// Thumbnails: a photo, scaled down and turned upright.

#pragma once

#include <array>
#include <cstdint>

#include "exif.h"

namespace lightbox {

class Thumbnail {
 public:
  static constexpr std::size_t kSide = 8;

  // Makes the thumbnail of the photo in this file.
  void render(exif::File photo);

  // A number that similar photos share, for finding doubles.
  std::uint32_t fingerprint() const;

 private:
  void scale_down(exif::File photo);
  void turn_upright(exif::File photo);
  void turn_by_half();

  std::array<std::uint8_t, kSide * kSide> pixels_{};
};

}  // namespace lightbox
