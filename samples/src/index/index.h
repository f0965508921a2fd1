// The index: records of photos in pages, each page with a checksum.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "check.h"

namespace lightbox {

struct Record {
  std::string name;
  std::uint32_t fingerprint;
};

class Page {
 public:
  static constexpr std::size_t kRecords = 2;

  Page() = default;
  explicit Page(std::uint32_t checksum) : checksum_(checksum) {}

  bool full() const { return records_.size() == kRecords; }
  void verify() const { check(sum() == checksum_, "index page is corrupt: wrong checksum"); }
  void append(Record record) {
    records_.push_back(std::move(record));
    checksum_ = sum();
  }

 private:
  std::uint32_t sum() const;

  std::vector<Record> records_;
  std::uint32_t checksum_ = 0;
};

class Index {
 public:
  // With a last page that is the disk's fault, if that is wanted.
  explicit Index(bool corrupt) { pages_.emplace_back(corrupt ? 1 : 0); }

  void insert(Record record);

 private:
  std::vector<Page> pages_;
};

}  // namespace lightbox
