#include "thumbnail.h"

#include <algorithm>

namespace lightbox {

void Thumbnail::render(exif::File photo) {
  scale_down(photo);
  turn_upright(photo);
}

std::uint32_t Thumbnail::fingerprint() const {
  std::uint32_t print = 0;
  for (std::uint8_t pixel : pixels_) {
    print = print * 31 + pixel / 16;
  }
  return print;
}

void Thumbnail::scale_down(exif::File photo) {
  for (std::size_t i = 0; i < photo.size; ++i) {
    std::uint8_t& pixel = pixels_[i * pixels_.size() / photo.size];
    pixel = static_cast<std::uint8_t>((pixel + photo.bytes[i]) / 2);
  }
}

void Thumbnail::turn_upright(exif::File photo) {
  if (exif::orientation_of(photo) == exif::Orientation::kUpsideDown) {
    turn_by_half();
  }
}

void Thumbnail::turn_by_half() { std::reverse(pixels_.begin(), pixels_.end()); }

}  // namespace lightbox

extern "C" std::uint32_t lightbox_fingerprint(const std::uint8_t* photo, std::size_t size) {
  lightbox::Thumbnail thumbnail;
  thumbnail.render({photo, size});
  return thumbnail.fingerprint();
}
