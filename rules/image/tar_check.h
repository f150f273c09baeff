// Reads the tar of a layer as it streams by, and says what is wrong with it. By hand, because a library skips
// or repairs what is to be told here. Keeps the headers' names, by digest, and none of the content. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "engine/base/hash.h"

namespace trainmake {

// Whose tar it is: what we write is sorted, without times and without names of owners.
enum class TarMaker : std::uint8_t { kAnybody, kUs };

class TarCheck {
 public:
  explicit TarCheck(TarMaker maker) : maker_(maker) {}
  void add(std::string_view bytes);
  // What is wrong, as sentences without a subject of their own where it is all of the tar: "ends in the
  // middle of an entry", "has `a/b` twice".
  std::vector<std::string> finish();

 private:
  struct Entry;
  void tell(std::string what);
  void take_block();
  void take_header();
  void take_text();
  void take_pax(std::string_view records);
  void pax_record(std::string_view key, std::string_view value);
  void check(const Entry& entry);
  void check_path(const Entry& entry);
  void check_whiteout(const Entry& entry, std::string_view name);
  void check_ours(const Entry& entry);

  TarMaker maker_;
  std::vector<std::string> wrong_;
  std::uint64_t untold_ = 0;  // beyond those
  bool lost_ = false;         // where the next header lies is not known
  std::string block_;         // as far as it came
  std::uint64_t empty_blocks_ = 0;
  std::uint64_t left_ = 0;  // bytes of an entry still to come, with what fills its last block
  char text_type_ = 0;      // what of an entry is to be read: of a PAX header, of a long name of GNU's
  std::uint64_t text_size_ = 0;
  std::string text_;
  // What those said of the next entry.
  std::optional<std::string> path_, link_;
  std::optional<std::uint64_t> size_;
  bool has_time_ = false, has_owner_ = false;
  std::string last_;  // path of the last that is no folder
  std::unordered_set<Digest128> paths_;
};

}  // namespace trainmake
