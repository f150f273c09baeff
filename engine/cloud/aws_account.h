// Whose requests these are, to AWS and to whoever speaks as it does. Looks where AWS's own tools look, in
// their order: keys of the environment, a web identity of the environment or of the profile in ~/.aws, the
// profile's keys and program, the container's agent, the machine's role. Of a profile that was asked for by
// its name the environment's keys and web identity do not count. Temporary keys are asked for again before
// they end. Knows no service. Thread rule: any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "engine/base/host.h"
#include "engine/base/redactor.h"
#include "engine/cloud/aws_signature.h"
#include "engine/cloud/ini.h"

namespace trainmake {

class AwsAccount {
 public:
  // "" is the profile that AWS_PROFILE names, or else `default`; one that is named goes before what
  // the environment has.
  explicit AwsAccount(Host& host, std::string profile = {});

  // Refused with what was looked at when there are none anywhere.
  Result<AwsKeys> keys(const std::stop_token& stop);
  // Of what was lent: whoever is shown an answer sees nothing of it.
  Redactor redactor() const;
  // As the environment says, or the profile; "" is not said.
  Result<std::string> region();

 private:
  struct Lent {
    AwsKeys keys;
    std::int64_t until_ns = 0;  // 0 is for good
  };
  using Found = Result<std::optional<Lent>>;

  Result<void> read_profile();
  Found find(const std::stop_token& stop);
  std::optional<Lent> of_environment() const;
  Found of_profile(const std::stop_token& stop);
  Found of_web_identity(const std::stop_token& stop);
  Found of_container(const std::stop_token& stop);
  Found of_machine(const std::stop_token& stop);
  Result<HttpResponse> ask(const HttpRequest& request, const std::string& whom, const std::stop_token& stop);
  Found parse(const std::string& text, const std::string& whom) const;

  Host& host_;
  const std::string asked_profile_;
  mutable std::mutex mutex_;
  std::optional<IniSection> profile_;
  std::string profile_name_;
  std::optional<Lent> lent_;
};

}  // namespace trainmake
