// Addresses of requests. Pure.
#pragma once

#include <string>
#include <string_view>

namespace trainmake {

// Where a registry's host is reached: plain http on loopback, or where it is said to be insecure.
std::string url_of_registry(const std::string& host, bool insecure);

// Whether nobody but this machine reads what is sent there.
bool is_on_this_machine(std::string_view url);

// `location` of an answer as a whole address; `from` is the one that was asked (RFC 3986, 5.2, less its
// dots).
std::string resolved(std::string_view location, std::string_view from);

// Whether `url` lies at or below `base`, which has no slash at its end.
bool is_below(std::string_view url, std::string_view base);

}  // namespace trainmake
