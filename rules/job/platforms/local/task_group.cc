#include "rules/job/platforms/local/task_group.h"

#include <algorithm>

#include "engine/base/text.h"
#include "rules/job/platforms/local/run_folder.h"
#include "rules/job/process_names.h"

namespace trainmake {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTimeToEnd{10'000};  // between SIGTERM and SIGKILL

bool is_due(std::int64_t asked_ns, std::int64_t now_ns) {
  return asked_ns != 0 && now_ns - asked_ns >= std::chrono::nanoseconds(kTimeToEnd).count();
}

}  // namespace

Result<TaskGroup> TaskGroup::start(const std::vector<Member>& members,
                                   const std::vector<std::string>& secrets, Log log) {
  TaskGroup group(std::move(log));
  for (const Member& member : members) {
    TRY_ASSIGN(Child child, member.start());
    group.children_.push_back(std::move(child));
    group.tasks_.push_back({member.name, member.serves, member.ask, Redactor(secrets), {}});
  }
  return group;
}

void TaskGroup::print(Running& task, const std::string& bytes) {
  if (task.name.empty()) return log_(bytes);
  task.lines.add(bytes, [&](std::string_view line) { log_(cat(prefix_of(task.name), line, "\n")); });
}

Result<void> TaskGroup::read(std::size_t which, milliseconds time) {
  Running& task = tasks_[which];
  if (!task.more) return {};
  std::string bytes;
  TRY_ASSIGN(task.more, children_[which].read(bytes, time));
  print(task, task.redactor.pass(bytes));
  return {};
}

Result<bool> TaskGroup::tend(std::int64_t now_ns, milliseconds time) {
  Child::await_any(children_, time);
  for (std::size_t i = 0; i < children_.size(); ++i) TRY(read(i, milliseconds(0)));
  look_for_ends(now_ns);
  reap_orphans();
  return std::any_of(children_.begin(), children_.end(), [](Child& child) { return !child.ended(); });
}

void TaskGroup::look_for_ends(std::int64_t now_ns) {
  bool others_live = false;
  for (std::size_t i = 0; i < children_.size(); ++i) {
    const std::optional<ChildEnd> end = children_[i].ended();
    if (!end) {
      others_live = others_live || !tasks_[i].serves;
      press(i, now_ns);
      continue;
    }
    const bool was_told_to = asked_ns_ != 0 || (tasks_[i].serves && servers_asked_ns_ != 0);
    if (end->exit_code == 0 || was_told_to) continue;
    failed_ = i;
    if (children_.size() > 1)
      log_(cat("[trainmake] ", tasks_[i].name, " failed: ", how_it_ended(*end), "; the others are ended\n"));
    return ask_to_end(now_ns);
  }
  if (others_live || asked_ns_ != 0 || servers_asked_ns_ != 0) return;
  servers_asked_ns_ = now_ns;
  ask_all();
}

// One that was asked to end, and is still there.
void TaskGroup::press(std::size_t which, std::int64_t now_ns) {
  if (asked_ns_ == 0 && servers_asked_ns_ == 0) return;
  if (is_due(asked_ns_, now_ns) || is_due(servers_asked_ns_, now_ns))
    children_[which].kill();
  else
    tasks_[which].ask(children_[which]);
}

void TaskGroup::ask_all() {
  for (std::size_t i = 0; i < children_.size(); ++i) {
    if (!children_[i].end()) tasks_[i].ask(children_[i]);
  }
}

void TaskGroup::ask_to_end(std::int64_t now_ns) {
  if (asked_ns_ != 0) return;
  asked_ns_ = now_ns;
  ask_all();
}

bool TaskGroup::reap_orphans() { return Child::reap_orphans(children_); }

Result<void> TaskGroup::finish(milliseconds time) {
  for (std::size_t i = 0; i < children_.size(); ++i) {
    Running& task = tasks_[i];
    std::string bytes;
    // Something that could not be ended may hold the pipe open for ever.
    do {
      bytes.clear();
      if (!task.more) break;
      TRY_ASSIGN(task.more, children_[i].read(bytes, time));
      print(task, task.redactor.pass(bytes));
    } while (!bytes.empty());
    print(task, task.redactor.finish());
    task.lines.finish([&](std::string_view line) { log_(cat(prefix_of(task.name), line, "\n")); });
  }
  return {};
}

TaskGroup::End TaskGroup::end() const {
  const auto of = [&](std::size_t i) { return End{children_[i].end().value_or(ChildEnd{}), tasks_[i].name}; };
  if (failed_) return of(*failed_);
  for (std::size_t i = 0; i < children_.size(); ++i) {
    if (tasks_[i].serves && asked_ns_ == 0) continue;
    if (End end = of(i); end.end.exit_code != 0) return end;
  }
  return {};
}

}  // namespace trainmake
