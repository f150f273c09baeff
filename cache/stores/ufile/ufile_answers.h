// What UCloud's object store and its API answer, out of their JSON. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace trainmake {

struct UfileError {
  std::int64_t code = 0;  // 0 when it is no such document
  std::string message;

  bool no_bucket() const;
  bool not_signed() const;
};
// Of the store (`RetCode`, `ErrMsg`) or of the API (`RetCode`, `Message`).
UfileError parse_ufile_error(std::string_view json);

struct UfileListed {
  std::string key;
  std::uint64_t size = 0;
  std::string tag;
};
struct UfileList {
  std::vector<UfileListed> objects;
  bool is_cut = false;  // more follow behind the last
};
Result<UfileList> parse_ufile_list(std::string_view json);

struct UfileBegun {
  std::string id;
  std::uint64_t part_bytes = 0;
};
// Of an upload in parts; nothing when it is none that can be gone on with.
std::optional<UfileBegun> parse_ufile_begun(std::string_view json);

// Under which key an upload came to lie; "" when it does not say.
std::string parse_ufile_finished(std::string_view json);

}  // namespace trainmake
