// Signature Version 4, as AWS and whoever speaks S3 check it: a request says who sends it, when, and that
// nothing of it was changed on the way. Knows no service but that of S3 paths are encoded once. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/host.h"
#include "engine/base/secret.h"

namespace trainmake {

struct AwsKeys {
  std::string id;
  Secret secret;
  Secret token;  // of temporary ones; else ""
};

struct AwsScope {
  std::string region;
  std::string service;  // "s3", "sagemaker"
};

inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

// Adds the headers of a signature made at `now_ns`. The request is whole by then: its url encoded, and every
// header that is to be vouched for there. `payload` is its body's SHA-256 in hex, or kUnsignedPayload.
void sign_aws(HttpRequest& request, std::string_view payload, const AwsKeys& keys, const AwsScope& scope,
              std::int64_t now_ns);

}  // namespace trainmake
