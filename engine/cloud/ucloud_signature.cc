#include "engine/cloud/ucloud_signature.h"

#include "engine/base/encoding.h"
#include "engine/base/text.h"
#include "engine/cloud/hmac.h"

namespace trainmake {

std::string ucloud_signature(const UCloudParameters& parameters, const Secret& private_key) {
  std::string all;
  for (const auto& [name, value] : parameters) all += cat(name, value);
  return hex_of(sha1(cat(all, private_key.reveal())));
}

std::string signed_ucloud_form(UCloudParameters parameters, const UCloudKeys& keys) {
  parameters["PublicKey"] = keys.public_key;
  const std::string signature = ucloud_signature(parameters, keys.private_key);
  std::string form;
  for (const auto& [name, value] : parameters)
    form += cat(percent_encoded(name), "=", percent_encoded(value), "&");
  return cat(form, "Signature=", signature);
}

}  // namespace trainmake
