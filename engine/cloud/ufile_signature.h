// The signature that UCloud's object store (UFile, or US3) checks: who sends a request, and that its method,
// its object and what its headers say of the body are as they were sent. Queries and other headers are not
// covered. Pure.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/host.h"
#include "engine/cloud/ucloud_signature.h"

namespace trainmake {

// Adds `Authorization` to a request for `key` of `bucket`, both as they are and not as a url has them; "" is
// the bucket. Content-MD5 (in hex), Content-Type and Date are covered where the request has them by then; it
// has no header that begins with `X-UCloud-`.
void sign_ufile(HttpRequest& request, std::string_view bucket, std::string_view key, const UCloudKeys& keys);

}  // namespace trainmake
