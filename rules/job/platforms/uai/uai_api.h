// Calls of UCloud's API: signed, counted, and sent as a form over https, so that no key stands in an address.
// Knows no action. Thread rule: any thread.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "engine/base/host.h"
#include "engine/cloud/ucloud_account.h"
#include "engine/model/event.h"
#include "rules/job/platforms/uai/uai_answers.h"
#include "rules/job/platforms/uai/uai_options.h"

namespace trainmake {

// Whoever waits longer for an answer is told.
inline constexpr std::chrono::milliseconds kSoonAnswered{5'000};

class UaiApi {
 public:
  // Borrows all but `tell`, which hears, on another thread, of each call that is not answered soon.
  UaiApi(Host& host, const UaiOptions& options, Tally& tally, Say tell = nullptr)
      : host_(host), options_(options), tally_(tally), tell_(std::move(tell)) {}

  // What it answers, a refusal too; an error is that nobody heard, or that nobody knows whether anybody did.
  // Sent once, and never a second time by whoever carries it. One that was stopped on its way may have
  // arrived.
  Result<UaiAnswer> send(const std::string& action, UCloudParameters parameters,
                         const std::stop_token& stop = {});
  // The document of one that looks at something, asked for again while that may help; a refusal is an error.
  // `doing` is "look for machines".
  Result<std::string> look(const std::string& action, const UCloudParameters& parameters,
                           const std::string& doing, const Patience& waiting = {});
  // The same, once.
  Result<std::string> look_once(const std::string& action, const UCloudParameters& parameters,
                                const std::string& doing, const std::stop_token& stop = {});
  Error refusal(const UaiAnswer& answer, const std::string& action, const std::string& doing);

  Result<UCloudAccount> account();
  // By which what was looked up holds: address, project, region and zone.
  Result<std::string> place();

 private:
  Result<void> check_endpoint() const;
  Result<UaiAnswer> send_quietly(const std::string& action, UCloudParameters parameters,
                                 const std::stop_token& stop);
  // While it is there: says it where no answer came soon.
  std::jthread telling(const Say& say, const char* then);
  std::string hidden(const std::string& text);
  std::string address(const UCloudAccount& who) const;
  std::string project(const UCloudAccount& who) const;

  Host& host_;
  const UaiOptions& options_;
  Tally& tally_;
  const Say tell_;
  std::mutex mutex_;  // guards what follows
  std::optional<UCloudAccount> account_;
};

}  // namespace trainmake
