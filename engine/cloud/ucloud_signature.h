// The signature of UCloud's API, which makes buckets and runs jobs: all parameters of a call and the private
// key, digested. Pure.
#pragma once

#include <map>
#include <string>

#include "engine/base/secret.h"

namespace trainmake {

struct UCloudKeys {
  std::string public_key;
  Secret private_key;
};

using UCloudParameters = std::map<std::string, std::string>;

// Of all that is sent but itself, `Action` and `PublicKey` among it.
std::string ucloud_signature(const UCloudParameters& parameters, const Secret& private_key);

// The body of a call, as a form: the parameters, whose they are, and their signature.
std::string signed_ucloud_form(UCloudParameters parameters, const UCloudKeys& keys);

}  // namespace trainmake
