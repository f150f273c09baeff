// What UCloud's API answers to calls about jobs, out of its JSON, and the end of a job as we keep it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "rules/job/platform.h"

namespace trainmake {

struct UaiAnswer {
  std::int64_t code = 0;  // 0: done
  std::string message;
  std::string body;

  bool is_refusal() const { return code != 0; }
  // Whether it may be well in a moment; what was asked for may have been done all the same.
  bool may_pass() const;
  // Whether it is one of those that UCloud documents as refused at the door. Of any other, what was asked for
  // may have been done.
  bool did_nothing() const;
  // Whether it says that there is no such job, as the value of a parameter that it does not take.
  bool says_no_such_job() const;
};
// Nothing when it is none of the API's documents.
std::optional<UaiAnswer> parse_uai_answer(std::string body);
// What a person can do about a refusal.
std::string advice_on(std::int64_t code);

struct UaiJob {
  std::string id, name;
  std::string state;  // as it comes
  std::string memo;
  std::int64_t created_s = 0, started_s = 0, ended_s = 0;  // 0: not yet
  std::string output_url;
  std::string log_url;  // of its log as a file, where the service tells one
  friend bool operator==(const UaiJob&, const UaiJob&) = default;
};
Result<std::vector<UaiJob>> parse_uai_jobs(const std::string& body);
// How many there are, of which a list may be a part; nothing when it does not say.
std::optional<std::int64_t> parse_uai_total(const std::string& body);
// An unknown state goes on, and is its own reason.
JobStatus status_of(const UaiJob& job);

// Ids by name of `DataItem` or `DataSet`: `TrainModeId`, `TrainModeName`.
struct UaiNamed {
  std::int64_t id = 0;
  std::string name;
};
Result<std::vector<UaiNamed>> parse_uai_named(const std::string& body, std::string_view id,
                                              std::string_view name);
// Machines: `1-P40` is one accelerator of that kind.
Result<std::vector<UaiNamed>> parse_uai_machines(const std::string& body);

std::string parse_uai_created(const std::string& body);  // the job's id; "" when it does not say
std::string parse_uai_text(const std::string& body, std::string_view field);
std::optional<std::int64_t> parse_uai_number(const std::string& body, std::string_view field);

struct UaiTopic {
  std::string id, name;
};
Result<std::vector<UaiTopic>> parse_uai_topics(const std::string& body);
Result<std::vector<std::string>> parse_uai_log(const std::string& body);  // lines, without their ends

struct UaiBilledJob {
  std::string id, name, state;
  std::int64_t seconds = 0, cents = 0;
};
struct UaiBill {
  std::int64_t seconds = 0, cents = 0;  // of all
  std::vector<UaiBilledJob> jobs;
};
Result<UaiBill> parse_uai_bill(const std::string& body);
std::string yuan_text(std::int64_t cents);  // `12.04`

// How a job ended, for when the service forgets it.
std::string render_uai_end(const JobStatus& status);
std::optional<JobStatus> parse_uai_end(std::string_view text);

}  // namespace trainmake
