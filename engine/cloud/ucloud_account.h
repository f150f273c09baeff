// Whose requests these are, to UCloud. Looks where UCloud's own tools look, in their order: the environment,
// then the profile's entries in ~/.ucloud. Knows no service.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/host.h"
#include "engine/cloud/ucloud_signature.h"

namespace trainmake {

struct UCloudAccount {
  UCloudKeys keys;
  std::string project;  // "" is the account's usual one
  std::string api;      // `https://api.ucloud.cn`, without a slash at its end
};

// "" is the profile that UCLOUD_PROFILE names, else the active one, else `default`; one that is named goes
// before the environment's keys. Refused with what was looked at when there are none anywhere.
Result<UCloudAccount> find_ucloud_account(Host& host, const std::string& profile);

// Whether nobody on the way to that address can read what is sent: it is https, or this machine.
bool may_carry_keys(std::string_view url);
// A call of UCloud's API, which lies at `api`, as a signed form: no key stands in an address. An error is
// that others could read it on its way.
Result<HttpRequest> ucloud_call(const UCloudAccount& who, const std::string& api,
                                UCloudParameters parameters);

}  // namespace trainmake
