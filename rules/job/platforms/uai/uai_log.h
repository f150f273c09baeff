// What a job on UAI-Train printed. Each topic is a log of its own, of one node; the service tells all of it
// or a window, with no place in the whole, and each answer is joined to what came before. Thread rule: any
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/host.h"
#include "engine/base/lock_table.h"
#include "rules/job/platforms/uai/uai_api.h"
#include "rules/job/platforms/uai/uai_run.h"

namespace trainmake {

// Of a topic's lines what was seen, without a gap: all from the first one on, or the end of these.
struct UaiSeen {
  std::vector<std::string_view> lines;
  bool is_from_start = true;
};
// How many of an answer's first lines were seen. Pure, in linear time.
//
// An answer that begins with all that was seen tells the log from its start, and the rest of it is new,
// however often lines repeat. Any other begins behind that start, since windows move on alone: its first
// lines are the last ones seen, as many as fit. Where lines repeat, fewer would fit as well; nothing the
// service tells says which it is, and to take fewer would show again what was shown.
std::size_t known_of_answer(const UaiSeen& seen, std::span<const std::string> answer);

// Which lines of a job's log are of which topic: all but those of the unmarked one begin with a mark. Pure.
std::vector<std::string> marks_of(const std::vector<UaiTopic>& topics, const std::string& unmarked);
// By topic, the lines of a log without their marks.
std::vector<UaiSeen> seen_in(std::string_view log, bool is_from_start, const std::vector<std::string>& marks);

// Of the log of a job that is over.
struct UaiRest {
  bool is_awaited = false;  // more may come: it is to be asked for again in a moment
  std::string why = {};     // "" where that is only because something just came
};

class UaiLog {
 public:
  UaiLog(Host& host, UaiApi& api, LockTable& locks) : host_(host), api_(api), locks_(locks) {}

  // Adds what is new to the run's log. While the job goes on, not oftener than every few seconds, and trouble
  // is passed over; when it is over, once more and for good.
  Result<void> bring(const UaiRun& run, const std::string& job, bool is_over, const std::stop_token& stop);
  // What the service tells of a job's log may be behind its end (0: not told): asked for every two seconds,
  // until nothing new comes to what there is, and not for long.
  UaiRest await_rest(const UaiRun& run, const std::string& job, std::int64_t ended_ns,
                     const std::stop_token& stop);

 private:
  struct Ending {
    std::int64_t until_ns = 0, next_ns = 0;
    UaiRest rest = {};
  };
  Ending& ending_of(const UaiRun& run, std::int64_t ended_ns);
  Result<UaiRest> look_for_rest(const UaiRun& run, const std::string& job, const std::stop_token& stop);
  struct Pace {
    std::int64_t next_ns = 0, pause_ns = 0;
    std::vector<UaiTopic> topics;
    std::int64_t topics_until_ns = 0;  // asked for again then: more may have come
  };
  Result<bool> fetch(const UaiRun& run, const std::string& job, Pace& pace, bool is_over,
                     const std::stop_token& stop);
  Result<std::string> unmarked_topic(const UaiRun& run, const std::vector<UaiTopic>& topics);
  bool is_due(const std::string& run, Pace& pace);

  Host& host_;
  UaiApi& api_;
  LockTable& locks_;
  std::mutex mutex_;  // guards what follows
  std::map<std::string, Pace> paces_;
  std::map<std::string, Ending> endings_;
  std::int64_t any_next_ns_ = 0;  // no log is asked for before
};

}  // namespace trainmake
