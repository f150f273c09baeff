#include "rules/job/platforms/uai/uai_console.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {

Result<UaiBill> UaiConsole::bill(std::int64_t from_s, std::int64_t until_s) {
  const UCloudParameters asked = {
      {"BeginTime", cat(from_s)}, {"EndTime", cat(until_s)}, {"Offset", "0"}, {"Limit", "0"}};
  TRY_ASSIGN(const std::string body, api_.look("GetUAITrainBillInfo", asked, "look at the bill"));
  return parse_uai_bill(body);
}

Result<std::vector<UaiJob>> UaiConsole::jobs(const std::stop_token& stop) {
  TRY_ASSIGN(std::vector<UaiJob> jobs, jobs_.all_now(stop));
  std::stable_sort(jobs.begin(), jobs.end(),
                   [](const UaiJob& a, const UaiJob& b) { return a.created_s > b.created_s; });
  return jobs;
}

Result<void> UaiConsole::stop(const std::string& job) {
  constexpr const char* kAction = "StopUAITrainJob";
  TRY_ASSIGN(const UaiAnswer answer, api_.send(kAction, {{"TrainJobId", job}}));
  if (!answer.is_refusal()) return {};
  Error error = api_.refusal(answer, kAction, cat("stop job ", quoted(job)));
  if (answer.says_no_such_job())
    error.hint = "`trainmake uai list` shows the project's jobs, and their states";
  return fail(std::move(error));
}

UaiRun UaiConsole::folder_of(const Run& run) const {
  return {path_join(workspace_.cache, cat("runs/", run.id))};
}

Result<std::string> UaiConsole::number_of(const Run& run) {
  const UaiRun folder = folder_of(run);
  TRY_ASSIGN(const std::optional<std::string> removed, read_file_if_there(host_.files, folder.removed()));
  if (removed)
    return fail(user_error(cat("Run ", quoted(run.id),
                               " is not on UAI-Train's list any more: `trainmake uai remove` took it "
                               "off on ",
                               trim(*removed)),
                           cat("`trainmake show ", run.id, "` tells what is remembered of it here")));
  TRY_ASSIGN(const std::optional<std::string> number, read_file_if_there(host_.files, folder.number()));
  if (number) return std::string(trim(*number));
  if (!run.job.empty()) return run.job;  // `gc` took the note
  return fail(user_error(cat("It is not known which job of UAI-Train run ", quoted(run.id), " is"),
                         "`trainmake ps` looks for jobs in flight"));
}

Result<void> UaiConsole::change(const Run& run, const std::string& action, UCloudParameters parameters,
                                const std::string& doing) {
  TRY_ASSIGN(parameters["TrainJobId"], number_of(run));
  TRY_ASSIGN(const UaiAnswer answer, api_.send(action, std::move(parameters)));
  if (answer.is_refusal()) return fail(api_.refusal(answer, action, doing));
  return {};
}

Result<void> UaiConsole::rename(const Run& run, const std::string& name) {
  return change(run, "ModifyUAITrainJobName", {{"TrainJobName", name}}, "rename the job");
}

Result<void> UaiConsole::remark(const Run& run, const std::string& memo) {
  return change(run, "ModifyUAITrainJobMemo", {{"TrainJobMemo", memo}}, "change the job's memo");
}

Result<void> UaiConsole::remove(const Run& run, const std::string& when) {
  TRY(change(run, "RemoveUAITrainJob", {}, "remove the job"));
  return write_file(host_.files, folder_of(run).removed(), cat(when, "\n"));
}

}  // namespace trainmake
