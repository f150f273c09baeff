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
  std::vector<std::string> going{};  // ids of all of that name that go on

  // Whether there is one that goes on, or is done.
  bool is_usable() const;
};

class UaiJobs {
 public:
  UaiJobs(UaiApi& api, Clock& clock) : api_(api), clock_(clock) {}

  // By its name, whatever id is known of it: should there be several, that which is done, else the first that
  // was made of those that go on, which is one for whoever asks; where there is neither, that with the id.
  // Asked as often as anybody likes; what is not on the list is looked for on a new one, unless that was had
  // within a second. An id that is not there either is asked for, since a list may lack what goes on.
  Result<UaiSight> find(const std::string& id, const std::string& name, const std::stop_token& stop);
  // As they are now, whatever was answered before.
  Result<UaiSight> look_now(const std::string& name, const std::stop_token& stop);
  // On a list that is no older than the first call of this: one for all that are started.
  Result<UaiSight> look_before_start(const std::string& name, const std::stop_token& stop);
  // All of the project, as they are now.
  Result<std::vector<UaiJob>> all_now(const std::stop_token& stop);
  // Something is about to change: the next list is not put off.
  void expect_news();

 private:
  Result<void> ask(const std::stop_token& stop);
  Result<std::vector<UaiJob>> ask_for_all(const std::stop_token& stop);
  Result<UaiSight> ask_for(const std::string& id, const std::stop_token& stop);
  bool is_listed(const std::string& id, const std::string& name) const;
  UaiSight sight_of(const std::string& id, const std::string& name,
                    const std::optional<UaiJob>& unlisted) const;

  UaiApi& api_;
  Clock& clock_;
  std::mutex mutex_;  // guards what follows
  std::vector<UaiJob> jobs_;
  std::optional<Error> error_;
  std::int64_t soon_ns_ = 0, next_ns_ = 0;  // not asked again before, in haste and without
  std::int64_t pause_ns_ = 0;
  int failures_ = 0;
  bool was_asked_ = false, was_asked_before_start_ = false;
  struct Missing {
    std::int64_t next_ns = 0;
    std::optional<Result<UaiSight>> sight;
  };
  std::map<std::string, Missing> missing_;  // by id
};

}  // namespace trainmake
