#include "engine/cloud/ufile_signature.h"

#include "engine/base/encoding.h"
#include "engine/base/text.h"
#include "engine/cloud/hmac.h"

namespace trainmake {

void sign_ufile(HttpRequest& request, std::string_view bucket, std::string_view key, const UCloudKeys& keys) {
  std::string to_sign = cat(request.method, "\n");
  for (const std::string_view covered : {"Content-MD5", "Content-Type", "Date"}) {
    for (const auto& [name, value] : request.headers) {
      if (name == covered) to_sign += value;
    }
    to_sign += '\n';
  }
  to_sign += cat("/", bucket, "/", key);
  request.headers.emplace_back(
      "Authorization",
      cat("UCloud ", keys.public_key, ":", base64_of(hmac_sha1(keys.private_key.reveal(), to_sign))));
}

}  // namespace trainmake
