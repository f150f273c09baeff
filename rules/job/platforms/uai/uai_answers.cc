#include "rules/job/platforms/uai/uai_answers.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/mended_json.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kSecond_ns = 1'000'000'000;

// They write numbers as such, or as text.
std::optional<std::int64_t> number_at(const Json& object, std::string_view name) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(name);
  if (found == object.end()) return std::nullopt;
  if (found->is_number_integer()) return found->get<std::int64_t>();
  if (found->is_number_float()) return static_cast<std::int64_t>(found->get<double>());
  return found->is_string() ? whole_number<std::int64_t>(found->get<std::string>()) : std::nullopt;
}

Error not_understood(std::string_view what) {
  return user_error(cat("UAI-Train tells of ", what, " in a way that is not understood"),
                    "Run it again; when it stays so, a newer trainmake may know better")
      .because(Blame::kRemote);
}

// The list of a document, of which it may be null. Two names were in use.
Result<Json> list_of(const std::string& body, std::string_view what) {
  const Json document = parse_json<Json>(body);
  if (!document.is_object()) return fail(not_understood(what));
  for (const char* name : {"DataSet", "DataItem"}) {
    const auto found = document.find(name);
    if (found == document.end() || found->is_null()) continue;
    if (!found->is_array()) return fail(not_understood(what));
    return *found;
  }
  return Json(Json::array());
}

}  // namespace

bool UaiAnswer::may_pass() const {
  constexpr std::int64_t kPassing[] = {110, 130, 150, 153};
  return std::find(std::begin(kPassing), std::end(kPassing), code) != std::end(kPassing);
}

bool UaiAnswer::did_nothing() const {
  constexpr std::int64_t kAtTheDoor[] = {160, 161, 170, 171, 172, 174, 210, 220,
                                         230, 240, 292, 293, 294, 295, 299, 520};
  return std::find(std::begin(kAtTheDoor), std::end(kAtTheDoor), code) != std::end(kAtTheDoor);
}

bool UaiAnswer::says_no_such_job() const {
  constexpr std::int64_t kParameterUnavailable = 230;
  return code == kParameterUnavailable;
}

std::optional<UaiAnswer> parse_uai_answer(std::string body) {
  Json document = parse_json<Json>(body);
  if (document.is_discarded()) {
    body = mended_json(body);
    document = parse_json<Json>(body);
  }
  const std::optional<std::int64_t> code = number_at(document, "RetCode");
  if (!code) return std::nullopt;
  return UaiAnswer{*code, text_at(document, "Message"), std::move(body)};
}

std::string advice_on(std::int64_t code) {
  switch (code) {
    case 110:
    case 130:
    case 150:
      return "Run it again when the service is well";
    case 153:
      return "Others ask with this account, too: run it again in a while";
    case 160:
    case 161:
      return "Check the platform's `endpoint`, or the `base_url` of ~/.ucloud/config.json: what answers "
             "there "
             "does not know UAI-Train";
    case 170:
    case 171:
    case 172:
    case 174:
      return "Check UCLOUD_PUBLIC_KEY and UCLOUD_PRIVATE_KEY, or the profile: the service does not take "
             "their "
             "signature";
    case 292:
      return "Check `project_id`, or UCLOUD_PROJECT_ID: these keys know no such project";
    case 293:
      return "Check `region` and `zone`: this project may not use them";
    case 240:
    case 294:
    case 295:
    case 299:
      return "Whoever owns the account can allow it";
    case 520:
      return "The account has no money left";
    default:
      return "UCloud's console says more of it; `trainmake help uai` says what a job is sent with";
  }
}

Result<std::vector<UaiJob>> parse_uai_jobs(const std::string& body) {
  TRY_ASSIGN(const Json list, list_of(body, "jobs"));
  std::vector<UaiJob> jobs;
  for (const Json& entry : list) {
    UaiJob job;
    job.id = text_at(entry, "TrainJobId");
    job.name = text_at(entry, "TrainJobName");
    job.state = text_at(entry, "Status");
    job.memo = text_at(entry, "TrainJobMemo");
    job.created_s = number_at(entry, "CreateTime").value_or(0);
    job.started_s = number_at(entry, "StartTime").value_or(0);
    job.ended_s = number_at(entry, "EndTime").value_or(0);
    job.output_url = text_at(entry, "OutputUfilePath");
    job.log_url = text_at(entry, "LogFileURL");
    if (job.id.empty()) return fail(not_understood("jobs"));
    jobs.push_back(std::move(job));
  }
  return jobs;
}

Result<UaiBill> parse_uai_bill(const std::string& body) {
  TRY_ASSIGN(const Json list, list_of(body, "the bill"));
  UaiBill bill;
  for (const Json& entry : list)
    bill.jobs.push_back({text_at(entry, "TrainJobId"), text_at(entry, "TrainJobName"),
                         text_at(entry, "TrainJobStatus"), number_at(entry, "ExecuteTime").value_or(0),
                         number_at(entry, "TotalPrice").value_or(0)});
  bill.seconds = parse_uai_number(body, "TotalExecuteTime").value_or(0);
  bill.cents = parse_uai_number(body, "TotalPrice").value_or(0);
  return bill;
}

std::string yuan_text(std::int64_t cents) {
  const std::int64_t rest = cents % 100;
  return cat(cents / 100, ".", rest < 10 ? "0" : "", rest);
}

JobStatus status_of(const UaiJob& job) {
  JobStatus status;
  status.status = RunStatus::kRunning;
  status.started_ns = job.started_s * kSecond_ns;
  status.ended_ns = job.ended_s * kSecond_ns;
  const auto end = [&](RunStatus how, std::string reason) {
    status.status = how;
    status.reason = std::move(reason);
  };
  if (job.state == "Done") {
    end(RunStatus::kSucceeded, "");
    status.exit_code = 0;
    if (status.started_ns == 0) status.started_ns = job.created_s * kSecond_ns;
  } else if (job.state == "Stopped") {
    end(RunStatus::kCancelled, "cancelled");
  } else if (job.state == "Deleted") {
    end(RunStatus::kCancelled, "it was removed from UAI-Train");
  } else if (job.state == "Error") {
    end(RunStatus::kFailed, "UAI-Train says `Error`, and no exit code");
  } else {
    status.ended_ns = 0;
    if (job.state != "Doing") status.reason = cat("UAI-Train says ", quoted(job.state));
  }
  return status;
}

Result<std::vector<UaiNamed>> parse_uai_named(const std::string& body, std::string_view id,
                                              std::string_view name) {
  TRY_ASSIGN(const Json list, list_of(body, "what there is"));
  std::vector<UaiNamed> all;
  for (const Json& entry : list) {
    const std::optional<std::int64_t> number = number_at(entry, id);
    if (!number) return fail(not_understood("what there is"));
    all.push_back({*number, text_at(entry, name)});
  }
  return all;
}

Result<std::vector<UaiNamed>> parse_uai_machines(const std::string& body) {
  TRY_ASSIGN(const Json list, list_of(body, "machines"));
  std::vector<UaiNamed> all;
  for (const Json& entry : list) {
    const std::optional<std::int64_t> number = number_at(entry, "NodeId");
    if (!number) return fail(not_understood("machines"));
    all.push_back({*number, cat(number_at(entry, "AcceleratorAmount").value_or(0), "-",
                                text_at(entry, "AcceleratorVersion"))});
  }
  return all;
}

std::optional<std::int64_t> parse_uai_total(const std::string& body) {
  return parse_uai_number(body, "TotalCount");
}

std::string parse_uai_created(const std::string& body) { return parse_uai_text(body, "TrainJobId"); }

std::string parse_uai_text(const std::string& body, std::string_view field) {
  return text_at(parse_json<Json>(body), field);
}

std::optional<std::int64_t> parse_uai_number(const std::string& body, std::string_view field) {
  return number_at(parse_json<Json>(body), field);
}

Result<std::vector<UaiTopic>> parse_uai_topics(const std::string& body) {
  TRY_ASSIGN(const Json list, list_of(body, "logs"));
  std::vector<UaiTopic> topics;
  for (const Json& entry : list) {
    UaiTopic topic{text_at(entry, "TopicId"), text_at(entry, "TopicName")};
    if (topic.id.empty()) topic.id = cat(number_at(entry, "TopicId").value_or(0));
    topics.push_back(std::move(topic));
  }
  return topics;
}

Result<std::vector<std::string>> parse_uai_log(const std::string& body) {
  const Json document = parse_json<Json>(body);
  if (!document.is_object()) return fail(not_understood("a log"));
  const auto found = document.find("RunningLog");
  std::vector<std::string> lines;
  if (found == document.end() || found->is_null()) return lines;
  if (!found->is_array()) return fail(not_understood("a log"));
  for (const Json& entry : *found) {
    if (!entry.is_string()) return fail(not_understood("a log"));
    std::string line = entry.get<std::string>();
    while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
    for (std::string& each : split(line, '\n')) lines.push_back(std::move(each));
    if (line.empty()) lines.emplace_back();
  }
  return lines;
}

std::string render_uai_end(const JobStatus& status) {
  Json json = {{"status", name_of(status.status)},
               {"started_ns", status.started_ns},
               {"ended_ns", status.ended_ns},
               {"reason", status.reason}};
  if (status.exit_code) json["exit_code"] = *status.exit_code;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::optional<JobStatus> parse_uai_end(std::string_view text) {
  const Json json = parse_json<Json>(text);
  const std::optional<RunStatus> how = parse_status(text_at(json, "status"));
  if (!how || !is_over(*how)) return std::nullopt;
  JobStatus status;
  status.status = *how;
  status.started_ns = number_at(json, "started_ns").value_or(0);
  status.ended_ns = number_at(json, "ended_ns").value_or(0);
  status.reason = text_at(json, "reason");
  if (const auto code = number_at(json, "exit_code")) status.exit_code = static_cast<int>(*code);
  return status;
}

}  // namespace trainmake
