#include "index.h"

#include <utility>

namespace lightbox {

std::uint32_t Page::sum() const {
  std::uint32_t sum = 0;
  for (const Record& record : records_) {
    sum = sum * 31 + record.fingerprint + static_cast<std::uint32_t>(record.name.size());
  }
  return sum;
}

void Index::insert(Record record) {
  if (pages_.back().full()) {
    pages_.emplace_back();
  }
  pages_.back().verify();
  pages_.back().append(std::move(record));
}

}  // namespace lightbox

extern "C" lightbox::Index* lightbox_index_open(bool corrupt) { return new lightbox::Index(corrupt); }

extern "C" void lightbox_index_insert(lightbox::Index* index, const char* name, std::uint32_t fingerprint) {
  index->insert({name, fingerprint});
}
