// UHub, UCloud's registry of images, by its two names. Pure.
#pragma once

#include <string_view>

namespace trainmake {

inline constexpr std::string_view kUhubOutside = "uhub.ucloud.cn";
inline constexpr std::string_view kUhubInside = "uhub.service.ucloud.cn";  // within UCloud's own network

inline bool is_uhub(std::string_view host) { return host == kUhubOutside || host == kUhubInside; }

}  // namespace trainmake
