// A kind of target for tests of plan and run: its result is a function of its content and of what its needs
// came to, and every call is written down. Blocks, fails or detaches when told to.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "engine/base/text.h"
#include "engine/model/rule.h"

namespace trainmake {

class FakeRule final : public Rule {
 public:
  explicit FakeRule(std::string kind) {
    schema_ = {std::move(kind),
               "",
               {{"needs", Shape::kLabelList, "", false, Effect::kResult, {"code", "data", "image", "job"}}}};
  }

  const Schema& schema() const override { return schema_; }
  Pool pool() const override { return Pool::kCpu; }

  Result<Description> describe(const Subject& subject) override {
    const std::string name = subject.target().label.name;
    std::lock_guard lock(mutex_);
    described.push_back(name);
    if (bad_input.contains(name)) return fail(user_error(cat("Bad input of ", name)));
    Description description;
    description.manifest.add(Section::kCode, "content", content[name]);
    if (!platform.empty()) description.manifest.add(Section::kPlatform, "platform", platform);
    for (const Dependency& need : subject.target().needs) {
      const Artifacts* artifacts = subject.inputs.artifacts(need.target);
      description.certain = description.certain && artifacts != nullptr;
      description.manifest.add(Section::kUpstream, subject.graph[need.target].label.text(),
                               artifacts == nullptr ? "unknown" : artifacts->front().identity);
    }
    description.manifest.seal();
    if (predicts) description.predicted = {{"out", result_of(name), "", 0, ""}};
    return description;
  }

  void expect(const Subject& subject, const Description&) override {
    expected.push_back(subject.target().label.name);
  }
  Result<Done> execute(const Subject& subject, const Description&, const Doing& doing) override {
    const std::string name = subject.target().label.name;
    std::function<void(const Doing&)> during;
    {
      std::lock_guard lock(mutex_);
      executed.push_back(name);
      if (const auto found = while_executing.find(name); found != while_executing.end())
        during = found->second;
    }
    if (during) during(doing);
    if (const auto waits = pauses.find(name); waits != pauses.end()) {
      return pausing({waits->second, [this, name, &doing] { return end(name, doing); }});
    }
    return end(name, doing);
  }
  Result<Done> end(const std::string& name, const Doing& doing) {
    std::lock_guard lock(mutex_);
    if (failing.contains(name)) return fail(step_error(cat(name, " fails")));
    if (doing.stop.stop_requested() && detaching.contains(name)) return Done{{}, "goes on", true, ""};
    return Done{{{"out", result_of(name), "", 0, ""}}, "", false, ""};
  }

  Result<bool> holds(const Subject& subject, const Record&, bool, Looks&) override {
    return !lost.contains(subject.target().label.name);
  }
  Result<void> restore(const Subject& subject, const Record&, const EventSink&,
                       const std::stop_token&) override {
    const std::lock_guard lock(mutex_);
    restored.push_back(subject.target().label.name);
    return {};
  }
  Result<std::optional<Error>> failed_before(const Subject& subject, const Description&) override {
    if (!failed_earlier.contains(subject.target().label.name)) return std::optional<Error>();
    return std::optional<Error>(step_error("failed before"));
  }

  // What a target's artifact is: its content, unless a test says that it comes out otherwise.
  std::string result_of(const std::string& name) {
    return results.contains(name) ? results[name] : cat("made of ", content[name]);
  }

  std::map<std::string, std::string> content;
  std::string platform;
  std::map<std::string, std::string> results;
  std::map<std::string, std::function<void(const Doing&)>> while_executing;
  std::map<std::string, std::function<void(std::function<void()> wake)>> pauses;  // before its end
  std::set<std::string> bad_input, failing, detaching, lost, failed_earlier;
  bool predicts = false;
  std::vector<std::string> described, expected, executed, restored;

 private:
  Schema schema_;
  std::mutex mutex_;
};

}  // namespace trainmake
