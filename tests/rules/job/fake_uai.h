// UAI-Train in memory, behind the door that http is: its API alone, whose jobs are processes of this machine
// that see `/data` as a folder of the test's. Refuses what the vendor's documents do not have; loses answers
// and refuses on demand; counts calls. Thread rule: any thread.
#pragma once

#include <signal.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "engine/base/encoding.h"
#include "engine/base/host.h"
#include "engine/base/process_table.h"
#include "engine/base/text.h"
#include "engine/cloud/ucloud_signature.h"

namespace trainmake {

class FakeUai final : public Http {
 public:
  using Json = nlohmann::json;
  using Parameters = std::map<std::string, std::string>;
  static constexpr const char* kPublic = "somebody";
  static constexpr const char* kPrivate = "a-private-key-that-nobody-may-read";

  // Jobs lie below `folder`; what they leave comes below `bucket`, at their output's path.
  FakeUai(std::string folder, std::string bucket) : folder_(std::move(folder)), bucket_(std::move(bucket)) {}
  ~FakeUai() override {
    for (auto& [id, job] : jobs_) kill_group(job);
  }

  Result<HttpResponse> send(const HttpRequest& request, std::stop_token stop) override {
    const std::lock_guard lock(mutex_);
    bodies.push_back(request.body);
    const Parameters asked = form_of(request.body);
    const std::string action = asked.contains("Action") ? asked.at("Action") : "";
    if (heard) heard(action);
    ++calls[action];
    if (request.method != "POST" || request.url.find(kPrivate) != std::string::npos)
      return said(Json{{"RetCode", 160}, {"Message", "not a form"}});
    if (silent.contains(action)) return nobody();
    if (mute.contains(action)) {
      std::mutex mutex;
      std::condition_variable_any stopped;
      std::unique_lock waiting(mutex);
      stopped.wait(waiting, stop, [] { return false; });
      return fail(interrupted_error());
    }
    const auto refused = refusing.find(action);
    Json answer = refused != refusing.end() ? refused->second : perform(action, asked);
    if (doing_and_refusing.contains(action)) answer = doing_and_refusing.at(action);
    if (losing.contains(action)) return nobody();
    return said(answer);
  }

  std::map<std::string, int> calls;
  std::vector<std::string> bodies;
  std::map<std::string, Json> refusing;            // by action: what it answers in place of doing it
  std::map<std::string, Json> doing_and_refusing;  // the same, and it is done
  std::map<std::string, bool> losing, silent;      // it is done and nobody hears; it is not even done
  std::set<std::string> mute;                      // it is never answered, and nothing is said of that
  std::map<std::string, Parameters> created;       // by id, as they were asked for
  std::function<void(const std::string& action)> heard = nullptr;
  bool hold_jobs = false;          // they wait, as `Queueing`
  std::size_t window = 1000;       // lines of a log that are told
  std::size_t first_lines = 1000;  // of its first ones: it is that far behind
  bool hide_new = false;           // what was just created is not on the list yet
  int cut_lists = 0;        // so many next lists are null, and say how many jobs there are all the same
  std::size_t page = 1000;  // jobs that a list has at most
  std::string unlisted;     // id of a job that no list has
  bool one_page = false;    // a list is the first page, whatever offset is asked for
  std::size_t claimed = 0;  // how many jobs it says that there are; 0 is as many as there are
  std::string foreign;      // bytes in place of every `?` of what it answers

  void set_state(const std::string& id, std::string state) {
    const std::lock_guard lock(mutex_);
    kill_group(jobs_.at(id));
    jobs_.at(id).state = std::move(state);
    jobs_.at(id).is_forced = true;
  }
  std::string state_of(const std::string& id) {
    const std::lock_guard lock(mutex_);
    look(jobs_.at(id));
    return jobs_.at(id).state;
  }
  void forget(const std::string& id) {
    const std::lock_guard lock(mutex_);
    kill_group(jobs_.at(id));
    jobs_.erase(id);
  }
  void rename(const std::string& id, const std::string& name) {
    const std::lock_guard lock(mutex_);
    jobs_.at(id).asked["TrainJobName"] = name;
  }

 private:
  struct Job {
    Parameters asked;
    std::string state = "Queueing", top;
    std::int64_t created_s = 0, started_s = 0, ended_s = 0;
    int process = 0;
    bool is_forced = false, is_stopped = false;
  };

  Result<HttpResponse> said(const Json& json) const {
    std::string body;
    for (const char c : json.dump()) body += c == '?' && !foreign.empty() ? foreign : std::string(1, c);
    return HttpResponse{200, {}, body};
  }
  static Result<HttpResponse> nobody() {
    return fail(user_error("The connection was cut").because(Blame::kRemote));
  }
  static Json refusal(int code, const std::string& message) {
    return {{"RetCode", code}, {"Message", message}};
  }
  static void kill_group(const Job& job) {
    if (job.process > 0) ::kill(-job.process, SIGKILL);
  }
  static std::int64_t now_s() { return real_clock().now_ns() / 1'000'000'000; }

  static Parameters form_of(const std::string& body) {
    Parameters all;
    for (const std::string& pair : split(body, '&')) {
      const std::size_t equals = pair.find('=');
      all[pair.substr(0, equals)] = percent_decoded(pair.substr(equals + 1));
    }
    return all;
  }

  Json perform(const std::string& action, Parameters asked) {
    const std::string signature = asked["Signature"];
    asked.erase("Signature");
    if (asked["PublicKey"] != kPublic) return refusal(172, "no such user");
    if (signature != ucloud_signature(asked, Secret(kPrivate)))
      return refusal(171, "Signature VerifyAC Error");
    for (const char* needed : {"Region", "Zone"}) {
      if (asked[needed].empty()) return refusal(220, cat("Missing params [", needed, "]"));
    }
    if (action == "GetUAITrainAvailableTrainMode")
      return {{"RetCode", 0}, {"DataItem", {{{"TrainModeId", 7}, {"TrainModeName", "StandAlone"}}}}};
    if (action == "GetUAITrainAvailableResource")
      return {{"RetCode", 0},
              {"DataSet",
               {{{"NodeId", 41}, {"AcceleratorAmount", 1}, {"AcceleratorVersion", "P40"}},
                {{"NodeId", 44}, {"AcceleratorAmount", 4}, {"AcceleratorVersion", "P40"}}}}};
    if (action == "GetUAITrainAvailableBackend")
      return {{"RetCode", 0}, {"DataItem", {{{"DataBackendId", 3}, {"DataBackendName", "UFile"}}}}};
    if (action == "CreateUAITrainJob") return create(asked);
    if (action == "GetUAITrainJobList") return list(asked);
    const auto found = jobs_.find(asked["TrainJobId"]);
    if (found == jobs_.end()) return refusal(230, "no such job");
    Job& job = found->second;
    look(job);
    if (action == "StopUAITrainJob") return stop(job);
    if (action == "GetUAITrainRunningLogTopicList")
      return {{"RetCode", 0}, {"DataSet", {{{"TopicId", "t1"}, {"TopicName", "worker"}}}}};
    if (action == "GetUAITrainRunningLog") return log(job);
    if (action == "GetUAITrainRunningInfo") return {{"RetCode", 0}, {"ExecTime", 60}, {"TotalPrice", 1234}};
    if (action == "GetUAITrainTensorboardUrl") return {{"RetCode", 0}, {"TensorboardURL", "http://tb/"}};
    return refusal(161, "no such action");
  }

  Json create(const Parameters& asked) {
    for (const char* needed : {"TrainJobName", "TrainWorkId", "CodeUhubPath", "DataUfilePath",
                               "InputDataBackendId", "OutputUfilePath", "OutputDataBackendId", "DockerCmd",
                               "MaxExecuteTime", "TrainWorkAmount", "TrainModeId", "DistAIFrame",
                               "TrainPublicKey", "TrainPrivateKey", "TrainJobMemo", "BusinessGroup"}) {
      if (!asked.contains(needed)) return refusal(220, cat("Missing params [", needed, "]"));
    }
    const std::string id = cat("uaitrain-", ++next_);
    Job& job = jobs_[id];
    created[id] = job.asked = asked;
    job.created_s = now_s();
    job.top = cat(folder_, "/", id);
    if (!hold_jobs) begin(job);
    return {{"RetCode", 0}, {"TrainJobId", id}};
  }

  // `/data` at the begin of a path.
  static std::string placed(const std::string& command, const std::string& top) {
    std::string text;
    for (std::size_t i = 0; i < command.size(); ++i) {
      const bool begins = i == 0 || std::string_view(" ='\"").find(command[i - 1]) != std::string_view::npos;
      if (begins && command.compare(i, 5, "/data") == 0) text += top;
      text += command[i];
    }
    return text;
  }

  void begin(Job& job) {
    std::filesystem::create_directories(job.top + "/data/output");
    const std::string url = job.asked.at("OutputUfilePath");
    const std::string results = cat(bucket_, url.substr(url.find('/', 8)));
    if (std::filesystem::exists(results))  // as a comment in the vendor's code has it
      std::filesystem::copy(results, job.top + "/data/output", std::filesystem::copy_options::recursive);
    Command start;
    const std::string flags =
        " --num_gpus=1 --work_dir=/data --data_dir=/data/data --output_dir=/data/output "
        "--log_dir=/data/output";
    start.arguments = {"/bin/sh", "-c",
                       cat("exec >>", job.top, "/log 2>&1\ncd ", job.top, "/data\n(/usr/bin/python3 ",
                           placed(job.asked.at("DockerCmd") + flags, job.top), ")\ncode=$?\nmkdir -p ",
                           results, "\ncp -R ", job.top, "/data/output/. ", results, "\necho $code >",
                           job.top, "/code.new\nmv ", job.top, "/code.new ", job.top, "/code")};
    start.environment = {{"PATH", "/usr/bin:/bin"}, {"LEAKED", "1"}};
    job.process = real_processes().start_detached(start).value_or(0);
    job.state = "Doing";
    job.started_s = now_s();
  }

  static void look(Job& job) {
    if (job.is_forced || job.state != "Doing" || find_process(real_file_system(), job.process)) return;
    std::ifstream file(job.top + "/code");
    int code = 1;
    file >> code;
    job.state = job.is_stopped ? "Stopped" : code == 0 ? "Done" : "Error";
    job.ended_s = now_s();
  }

  Json list(const Parameters& asked) {
    Json all = Json::array();
    for (auto& [id, job] : jobs_) {
      look(job);
      if ((hide_new && job.state != "Done") || id == unlisted) continue;
      if (!asked.at("TrainJobId").empty() && asked.at("TrainJobId") != id) continue;
      all.push_back({{"TrainJobId", id},
                     {"TrainJobName", job.asked.at("TrainJobName")},
                     {"TrainJobMemo", job.asked.at("TrainJobMemo")},
                     {"Status", job.state},
                     {"CreateTime", job.created_s},
                     {"StartTime", job.started_s},
                     {"EndTime", job.ended_s},
                     {"BillTotalPrice", 10},
                     {"OutputUfilePath", job.asked.at("OutputUfilePath")}});
    }
    const auto offset = one_page ? 0 : whole_number<std::size_t>(asked.at("Offset")).value_or(0);
    const auto limit = whole_number<std::size_t>(asked.at("Limit")).value_or(0);
    if (limit < offset) return refusal(210, "no such stretch");
    Json told = Json::array();
    for (std::size_t i = offset; i < all.size() && told.size() < page; ++i) told.push_back(all[i]);
    if (cut_lists > 0 && cut_lists-- > 0) told = Json();
    return {{"RetCode", 0}, {"TotalCount", claimed == 0 ? all.size() : claimed}, {"DataSet", told}};
  }

  Json stop(Job& job) {
    if (job.state != "Doing" && job.state != "Queueing") return refusal(8101, "the job is not running");
    job.is_stopped = true;
    if (job.state == "Queueing") job.state = "Stopped";
    kill_group(job);
    return {{"RetCode", 0}};
  }

  Json log(const Job& job) {
    std::ifstream file(job.top + "/log");
    Json lines = Json::array();
    for (std::string line; lines.size() < first_lines && std::getline(file, line);) lines.push_back(line);
    const std::size_t first = lines.size() > window ? lines.size() - window : 0;
    lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(first));
    return {{"RetCode", 0}, {"RunningLog", lines.empty() ? Json() : lines}};
  }

  std::string folder_, bucket_;
  std::mutex mutex_;
  std::map<std::string, Job> jobs_;
  int next_ = 0;
};

}  // namespace trainmake
