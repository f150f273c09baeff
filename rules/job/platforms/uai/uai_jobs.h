// What UAI-Train knows of our jobs: one call for all of them, not oftener than once a second, and less often
// while nothing changes or it fails. Thread rule: any thread; who asks while another one's call is under way
// waits for that.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/base/host.h"
#include "rules/job/platforms/uai/uai_api.h"

namespace trainmake {

// What is known of one of them.
struct UaiSight {
  std::optional<UaiJob> job;
  bool is_unlisted = false;          // no list has it, and the service does not say that there is none
  std::vector<std::string> twins{};  // ids of others of that name that go on
};

class UaiJobs {
 public:
  UaiJobs(UaiApi& api, Clock& clock) : api_(api), clock_(clock) {}

  // By its id, or else its name: of several of one name the first that was made. Asked as often as anybody
  // likes; what is not on the list is looked for on a new one, unless that was had within a second. What is
  // not there either is asked for by its id, since a list may lack what goes on.
  Result<UaiSight> find(const std::string& id, const std::string& name, const std::stop_token& stop);
  // As they are now, whatever was answered before; all of that name, the first one first.
  Result<std::vector<UaiJob>> named_now(const std::string& name, const std::stop_token& stop);
  // Something is about to change: the next list is not put off.
  void expect_news();

 private:
  Result<void> ask(const std::stop_token& stop);
  Result<std::vector<UaiJob>> ask_for_all(const std::stop_token& stop);
  Result<UaiSight> ask_for(const std::string& id, const std::stop_token& stop);
  const UaiJob* known(const std::string& id, const std::string& name) const;

  UaiApi& api_;
  Clock& clock_;
  std::mutex mutex_;  // guards what follows
  std::vector<UaiJob> jobs_;
  std::optional<Error> error_;
  std::int64_t soon_ns_ = 0, next_ns_ = 0;  // not asked again before, in haste and without
  std::int64_t pause_ns_ = 0;
  int failures_ = 0;
  bool was_asked_ = false;
  struct Missing {
    std::int64_t next_ns = 0;
    std::optional<Result<UaiSight>> sight;
  };
  std::map<std::string, Missing> missing_;  // by id
};

}  // namespace trainmake
