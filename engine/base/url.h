// Parts of an address, as text. Pure; knows nothing of what is encoded in them.
#pragma once

#include <string>
#include <string_view>

namespace trainmake {

std::string_view authority_of(std::string_view url);  // `user:password@host:80`; "" of what has none
std::string_view host_of(std::string_view url);       // without the login
// A login in an address is a secret where nobody looks for one.
bool holds_login(std::string_view url);
bool holds_query(std::string_view url);  // or a fragment
// As it may be shown: a query may be a signature.
std::string without_query(std::string_view url);
std::string without_secrets(std::string_view url);  // nor a login

}  // namespace trainmake
