// Who a process of an image is, as its config names it: `name`, `uid`, `name:group`, `uid:gid`. Pure.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/container/render.h"

namespace trainmake {

struct ImageUser {
  ContainerUser ids;
  std::string home;
};

// `passwd` and `group` are the image's files of that name; "" is none. "" is root.
Result<ImageUser> find_user(std::string_view text, std::string_view passwd, std::string_view group);

}  // namespace trainmake
